"""
Who waits for a request, and what they hear of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from pacer.client.outcomes import CaptureResult
from pacer.errors import BatchStopped, PacerError


@dataclass(frozen=True, slots=True)
class Admission:
    """The service has the request. Comes again when it lists the children only later."""

    job: str
    children: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """All captures of an admitted request have ended. A rejection says so by itself."""


News: TypeAlias = Admission | CaptureResult | Ended

Failure: TypeAlias = Callable[[], BaseException]
"""Makes the error that ended the batch; a new one for each who waits, since each adds its traceback."""


def again(error: BaseException) -> Failure:
    """Return what makes *error* anew, for each who waits."""

    def make() -> BaseException:
        match error:
            case BatchStopped(code=code, reason=reason):
                return BatchStopped(code, reason)
            case PacerError():
                return type(error)(*error.args)
        defect = RuntimeError("pacer has failed by a defect of its own; its cause is above")
        defect.__cause__ = error
        return defect

    return make


class Party(Protocol):
    """
    A caller that waits for requests.

    Attributes:
        gone: It waits no longer.
    """

    gone: bool

    def join(self, index: int, request: str, fan_out: int) -> bool:
        """Hear which request it now waits for, before any news of it; False if it did so before."""
        ...

    def hear(self, index: int, news: News) -> None:
        """Hear what became of a request it waits for."""
        ...

    def fail(self, failure: Failure) -> None:
        """Hear that nothing more will come: the batch has stopped, or what was asked is wrong."""
        ...
