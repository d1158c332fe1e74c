"""
The limits that the user sets on a batch: credits, requests, a moment in time.

A request counts when it is sent for the first time. Sent again because it is in
doubt it is the same purchase, and counts once. Where the service took nothing of
it (a 429, a refusal) it counts no longer.
"""

from __future__ import annotations

from pacer.pacing.decisions import Bound, Stop
from pacer.pacing.events import Item, SyncCapture
from pacer.pacing.policy import Policy


class Limits:
    """
    What has been spent of the user's limits, earlier invocations included.

    Attributes:
        requests: Sent, those that were rejected included.

        credits: The most that they can cost.

        deadline: When submitting ends; infinity for never.
    """

    def __init__(self, policy: Policy, *, now: float) -> None:
        self._policy = policy
        self.requests = 0
        self.credits = 0
        self.deadline = now + policy.deadline

    def binding(self, item: Item | SyncCapture) -> Bound | None:
        """Return the limit that sending *item* would exceed, if any."""
        policy = self._policy
        if policy.max_requests is not None and self.requests >= policy.max_requests:
            return Bound.MAX_REQUESTS
        if policy.max_credits is not None and self.credits + item.credits > policy.max_credits:
            return Bound.MAX_CREDITS
        return None

    def charge(self, item: Item | SyncCapture) -> None:
        """*item* is sent, for the first time."""
        self.requests += 1
        self.credits += item.credits

    def take_back(self, item: Item | SyncCapture) -> None:
        """It is as if *item* had never been sent."""
        self.requests -= 1
        self.credits -= item.credits

    def stop(self, bound: Bound) -> Stop:
        """Return how a batch ends that has met the limit *bound*, once what was out has come in."""
        policy = self._policy
        match bound:
            case Bound.MAX_CREDITS:
                reason = (
                    f"what was sent can cost {self.credits:,} credits, and the next request could exceed "
                    f"the {policy.max_credits:,} allowed"
                )
            case Bound.MAX_REQUESTS:
                reason = f"as many requests were sent as are allowed: {self.requests:,}"
            case _:
                reason = "the time to submit is over, and requests are left"
        return Stop(bound.name, reason, drained=True)
