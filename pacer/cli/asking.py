"""
One status read, for the commands that only look.
"""

from __future__ import annotations

import asyncio

from pydantic import SecretStr

from pacer.api import AiohttpSearchApi
from pacer.cli.wording import span
from pacer.wire.replies import Reply, StatusOutcome, Throttled, Unclear


async def ask(base_url: str, key: SecretStr, *, allow_http: bool, patience: float) -> Reply[StatusOutcome]:
    """Read the snapshot once, within *patience* seconds."""
    async with AiohttpSearchApi(base_url, key, allow_http=allow_http) as api:
        try:
            return await asyncio.wait_for(api.status(), patience)
        except TimeoutError:
            return Reply(Unclear(f"no answer within {span(patience)}"))


def refusal(outcome: StatusOutcome) -> str:
    """Return in words why there is no snapshot."""
    match outcome:
        case Throttled(code=code, retry_after=retry_after):
            later = "later" if retry_after is None else f"in {span(retry_after)}"
            return f"429 {code}; try again {later}"
        case Unclear(reason=reason):
            return reason
        case refused:
            return f"{getattr(refused, 'message', '')} ({getattr(refused, 'code', '')})"
