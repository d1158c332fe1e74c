"""
One invocation of a batch in a loop of its own: service, runner, display, signals.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace

from pydantic import SecretStr

from pacer.api import AiohttpSearchApi, SearchApi
from pacer.cli.display import Display, Look
from pacer.cli.garbage import seldom_collected
from pacer.cli.opening import Opening
from pacer.cli.signals import Signals
from pacer.instrumentation import happening
from pacer.instrumentation.happening import Happening
from pacer.pacing.policy import Policy
from pacer.runner import Outcome, Runner, journal_thread
from pacer.sandbox import SANDBOX_KEY, Latency, Service, Settings
from pacer.wire.requests import CREDITS

SHOWCASE = Settings(
    capacity=120,
    workers=80,
    latency=Latency(mean=0.8),
    # Used up in about four of its eight seconds, and so discovered; two windows are enough for the example.
    rate_limit=550,
    rate_window=8.0,
)
"""
What ``--sandbox`` plays: two hundred requests end in under twenty seconds, and
show waves, drains and a Retry-After. Its window is told on 429s only, as documented.
"""


class Spending:
    """
    Adds up the documented prices of captures that complete.

    Attributes:
        credits: The sum so far.
    """

    def __init__(self) -> None:
        self._completed: Counter[str] = Counter()

    def hear(self, told: Happening) -> None:
        """Take in a happening."""
        if told.name == happening.CAPTURE_ENDED and told.facts["status"] == "completed":
            self._completed[str(told.facts["surface"])] += 1

    @property
    def credits(self) -> int:
        """Return credits; surfaces without a published price count as 0."""
        return sum((CREDITS.get(surface) or 0) * number for surface, number in self._completed.items())


@asynccontextmanager
async def the_sandbox(*, limit: int) -> AsyncIterator[SearchApi]:
    """Start the embedded service on loopback, and connect to it."""
    from pacer.sandbox import SandboxServer

    epoch = time.time()
    settings = replace(SHOWCASE, epoch=epoch, rate_phase=epoch % SHOWCASE.rate_window)  # a window begins now
    service = Service(settings, seed=1, log_limit=0)
    async with (
        SandboxServer(service) as server,
        AiohttpSearchApi(server.base_url, SecretStr(SANDBOX_KEY), limit=limit) as api,
    ):
        yield api


async def drive(
    opening: Opening,
    service: AbstractAsyncContextManager[SearchApi],
    *,
    policy: Policy,
    display: Display,
    spending: Spending,
    signals: Signals,
    resend_in_doubt: bool,
) -> Outcome:
    """
    Run the batch to its end, or until it is stopped or interrupted.

    Errors:
        PacerError: The disk failed.
    """

    def hear(told: Happening) -> None:
        spending.hear(told)
        display.hear(told)

    loop = asyncio.get_running_loop()
    with journal_thread() as run_blocking:
        async with service as api:
            runner = Runner(
                api,
                opening.journal,
                run_blocking=run_blocking,
                results=opening.results,
                policy=policy,
                listener=hear,
                resend_in_doubt=resend_in_doubt,
            )

            def interrupt(signum: int) -> None:
                loop.call_soon_threadsafe(runner.interrupt, signal.Signals(signum).name)

            with signals.delivered_to(interrupt), seldom_collected():
                showing = asyncio.create_task(display.keep(lambda: _look(runner)))
                try:
                    return await runner.run()
                finally:
                    await _ended(showing)
                    display.close()


def _look(runner: Runner) -> Look:
    return Look(runner.progress, runner.statistics())


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel the display's task; a terminal that went away is no reason to fail."""
    task.cancel()
    with suppress(asyncio.CancelledError, OSError):
        await task
