"""
async-batch-llm around an aiohttp call; *tuned* to the service's Retry-After, with its SQLite checkpoints.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import async_batch_llm as abl

from benchmarks.rivals.task import Task, post, session


async def work(task: Task, *, tuned: bool) -> int:
    """Submit everything; return how many it believes were accepted."""
    async with session() as client:

        async def invoke(prompt: str, **_: Any) -> Any:
            await post(client, task, prompt.encode())
            return abl.CallOutcome("accepted")

        identity = abl.ArtifactIdentity(provider="ai-search", model="search")
        strategy = abl.CallableStrategy(invoke, identity=identity)
        if not tuned:
            config = abl.ProcessorConfig(concurrency=20)
            batch = await abl.process_prompts(
                strategy, [body.decode() for body in task.bodies], config=config
            )
            return sum(result.success for result in batch.results)
        config = abl.ProcessorConfig(
            concurrency=20,
            max_queue_size=200,
            max_result_queue_size=64,
            retry=abl.RetryConfig(max_attempts=10),
            rate_limit=abl.RateLimitConfig(
                cooldown_seconds=2.0,
                backoff_multiplier=1.0,
                slow_start_items=20,
                slow_start_initial_delay=0.05,
                slow_start_final_delay=0.01,
            ),
        )
        store = abl.SqliteArtifactStore(task.folder / "artifacts.sqlite", identity=identity)

        async def source() -> AsyncIterator[str]:
            for body in task.bodies:
                yield body.decode()

        accepted = 0
        async for result in abl.process_stream(
            strategy, source(), config=config, artifact_store=store, resume=abl.ResumePolicy.REUSE_SUCCESSES
        ):
            accepted += result.success
        return accepted
