"""
What a submission's 2xx says: the documented 202, or the Envelopes of a 200.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pacer.wire.bodies import Accepted, ChildIds, JobId, Unusable, complaint, read_json
from pacer.wire.captures import capture
from pacer.wire.replies import Admitted

_JOB_ID: TypeAdapter[str] = TypeAdapter(JobId)
_CHILD_IDS: TypeAdapter[list[str]] = TypeAdapter(ChildIds)


def admission(body: bytes, *, replayed: bool) -> Admitted:
    """
    Return the admission that the *body* of a 2xx tells of.

    Args:
        body: ``{"jobId", "children"}`` (API.md 2.4), or any of the shapes that
            one or several Envelopes can come in (2.5).

        replayed: The reply repeats an earlier admission.

    Errors:
        Unusable: no id of a job in it that could be asked for later.
    """
    try:
        accepted = Accepted.model_validate_json(body)
    except ValidationError:
        return _told_otherwise(read_json(body), replayed)
    return _plain(accepted, replayed)


def _plain(accepted: Accepted, replayed: bool) -> Admitted:
    return Admitted(accepted.job_id, _once_each(accepted.children or ()), replayed)


def _once_each(children: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(children))


def _told_otherwise(value: Any, replayed: bool) -> Admitted:
    """An admission in any shape but the plain one; or what is wrong with the plain one."""
    try:
        if isinstance(value, Mapping) and "jobId" in value:
            return _plain(Accepted.model_validate(value), replayed)
        parent, items = _contents(value)
        children = _CHILD_IDS.validate_python(items)
        # A child's id is its parent's, a dot and the rest, in both generations of the documentation.
        job = _JOB_ID.validate_python(
            parent if parent is not None else children[0].partition(".")[0] or children[0]
        )
    except ValidationError as error:
        raise Unusable(complaint(error)) from None
    envelopes = {child: item for child, item in zip(children, items, strict=True) if _is_envelope(item)}
    captures = (capture(item, asked=child) for child, item in envelopes.items())
    return Admitted(job, _once_each(children), replayed, tuple(ended for ended in captures if ended.terminal))


def _contents(value: Any) -> tuple[Any, list[Any]]:
    """The parent's id, if it is given, and the children: Envelopes, objects or bare ids."""
    job = value.get("job") if isinstance(value, Mapping) else None
    parent = job.get("id") if isinstance(job, Mapping) else None
    if isinstance(value, list):
        items = value
    elif isinstance(value, Mapping) and isinstance(value.get("children"), list):
        return parent, value["children"]
    elif isinstance(value, Mapping) and isinstance(value.get("results"), list):
        items = value["results"]
    elif isinstance(job, Mapping):
        # A batch item's ``job`` lists its children itself; an Envelope's does not.
        return (parent, job["children"]) if isinstance(job.get("children"), list) else (None, [value])
    else:
        raise Unusable("jobId: missing")
    if not items:
        raise Unusable("jobId: missing")
    return None, items


def _is_envelope(item: Any) -> bool:
    return isinstance(item, Mapping) and isinstance(item.get("job"), Mapping) and "status" in item["job"]
