"""
Parent jobs, their children, and how the children's states roll up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pacer.sandbox.surfaces import METHODS

__all__ = ["ACTIVE", "Child", "Job", "children_of", "fan_out"]

ACTIVE: Final = frozenset({"queued", "processing"})
"""States in which a capture may still change."""

_FINAL_STATES: Final = {"absent": "completed", "timed_out": "failed", "endless": "processing"}


@dataclass(slots=True, eq=False)
class Child:
    """
    One capture: a surface in a region.

    `end` is the end it will come to, drawn when it starts: a terminal state, or `absent` (completed with an
    empty answer), `timed_out` (failed) or `endless` (none at all).
    """

    job: "Job"
    id: str
    surface: str
    region: str
    state: str = "queued"
    end: str = ""
    started_at: float = 0.0
    ended_at: float = 0.0

    @property
    def final_state(self) -> str:
        """
        The state that goes with its end.
        """
        return _FINAL_STATES.get(self.end, self.end)


@dataclass(slots=True, eq=False)
class Job:
    """
    One accepted submission.

    `active` counts children that are not terminal, `outstanding` those that no worker is done with; `waiting`
    says whether the parent's own share is still in the queue.
    """

    id: str
    accepted_at: float
    query: str
    body: bytes | Mapping[str, Any]
    priority: int = 5
    sync: bool = False
    children: tuple[Child, ...] = ()
    active: int = 0
    outstanding: int = 0
    waiting: bool = False

    @property
    def state(self) -> str:
        """
        The roll-up: `processing` while a child is active, then the one state that all reached, else `partial`
        if something completed and `failed` if nothing did.
        """
        if self.active:
            return "processing"
        states = {child.state for child in self.children}
        if len(states) == 1:
            return next(iter(states))
        return "partial" if states & {"completed", "partial"} else "failed"

    def child(self, child_id: str) -> Child | None:
        """
        The child of that id, if it is one of this job's.
        """
        for child in self.children:
            if child.id == child_id:
                return child
        return None


def fan_out(search: Mapping[str, Any]) -> int:
    """
    How many children a valid search has: surfaces x regions.
    """
    return len(search["surfaces"]) * len(search.get("regions") or (None,))


def children_of(job: Job, search: Mapping[str, Any], generation: Literal["A", "B"]) -> tuple[Child, ...]:
    """
    The children of a valid search, surface by surface. Where two would have one id, the later gets a number.
    """
    regions = search.get("regions")
    countries = (
        [_country(region) for region in regions] if regions else ["US" if generation == "A" else "GLOBAL"]
    )
    pin = search.get("method", "auto")
    children = []
    seen: dict[str, int] = {}
    for surface in search["surfaces"]:
        method = METHODS[surface][0] if pin == "auto" else pin
        for country in countries:
            if generation == "A":
                child_id = f"{job.id}.{surface}.{country.lower()}"
            else:
                child_id = f"{job.id}.{surface}.{method}.{country}"
            times = seen[child_id] = seen.get(child_id, 0) + 1
            children.append(Child(job, child_id if times == 1 else f"{child_id}-{times}", surface, country))
    return tuple(children)


def _country(region: str | Mapping[str, str]) -> str:
    return (region if isinstance(region, str) else region["country"]).upper()
