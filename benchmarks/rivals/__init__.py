"""
What people use instead, as packages over real sockets, set up as their users set them up.

One module a rival. Each is a process of its own (``python -m benchmarks.rivals NAME ...``), is told where the
service is and what to submit, and ends when it believes that the batch is submitted. It submits and no more;
pacer is run with ``--no-collect`` beside it. None of them sends an ``idempotencyKey``, as people write them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Setup:
    """
    One line of the tables.

    Attributes:
        module: In this folder; it has ``async def work(task, **options) -> int``. Empty for pacer's command.

        needs: What must be importable beside pacer.

        guessed: Numbers that the user had to find by guessing or by trying.

        options: Passed to ``work``.
    """

    module: str
    needs: tuple[str, ...]
    guessed: tuple[str, ...]
    options: Mapping[str, Any]


def _setup(module: str, *needs: str, guessed: tuple[str, ...], **options: Any) -> Setup:
    return Setup(module, needs, guessed, MappingProxyType(options))


PACER = "pacer"

RIVALS: Mapping[str, Setup] = MappingProxyType(
    {
        PACER: _setup("", guessed=()),
        "aiometer + stamina": _setup(
            "aiometer_stamina",
            "aiometer", "stamina", "httpx",
            guessed=("20 at once", "25 a second", "10 attempts", "120 s in all"),
        ),
        "tenacity": _setup(
            "tenacity_semaphore", "tenacity", guessed=("20 at once", "10 attempts", "waits of 0.5 to 30 s")
        ),
        "aiohttp-retry": _setup(
            "aiohttp_retry_semaphore", "aiohttp_retry", guessed=("20 at once", "8 attempts", "which statuses")
        ),
        "async-batch-llm": _setup("batch_llm", "async_batch_llm", guessed=("20 at once",), tuned=False),
        "async-batch-llm, tuned": _setup(
            "batch_llm",
            "async_batch_llm",
            guessed=("20 at once", "10 attempts", "cooldown of 2 s", "slow start: 20", "50 ms", "10 ms"),
            tuned=True,
        ),
        "pyrate-limiter, right": _setup(
            "pyrate", "pyrate_limiter", guessed=("20 a second", "10 attempts"), rate=20
        ),
        "pyrate-limiter, double": _setup(
            "pyrate", "pyrate_limiter", guessed=("40 a second", "10 attempts"), rate=40
        ),
        "pyrate-limiter, half": _setup(
            "pyrate", "pyrate_limiter", guessed=("10 a second", "10 attempts"), rate=10
        ),
        "AWS adaptive": _setup("aws_adaptive", "aiobotocore", guessed=("20 at once", "10 attempts")),
        "pause of 15 s": _setup(
            "pausing", guessed=("1,500 requests a minute", "5 attempts", "15 s")
        ),
    }
)  # fmt: skip
"""By the names under which they stand in the tables. The right rate is that of the scenario ``alone``."""


def missing(name: str) -> tuple[str, ...]:
    """Return what is not installed of what the client called *name* needs."""
    return tuple(need for need in RIVALS[name].needs if find_spec(need) is None)
