"""
``pacer plan``: what a run would do.
"""

from __future__ import annotations

from typing import Annotated

import typer

from pacer.cli.exits import end
from pacer.cli.options import AllowHttp, BaseUrl, Config, Json, MaxCredits, MaxRequests, ReserveOption, Unit
from pacer.pacing.policy import UnitChoice

EPILOG = """
[b]Examples[/b]: without a key nothing is sent; what a budget buys; for a program

pacer plan captures.jsonl

pacer plan captures.jsonl --max-credits 5000 --reserve 20%

pacer plan captures.jsonl --json
"""


def plan(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="Requests, as for pacer run; - for standard input.")
    ],
    base_url: BaseUrl = None,
    unit: Unit = UnitChoice.AUTO,
    reserve: ReserveOption = "0",
    max_credits: MaxCredits = None,
    max_requests: MaxRequests = None,
    allow_http: AllowHttp = False,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """
    Say what a run would do: requests, captures, the most it can cost, and its waves.

    Nothing is submitted and nothing is kept. Needs no key; with one, the
    snapshot is read once, for at most five seconds. Given a limit, it says what that would buy.
    """

    def body() -> int:
        from pacer.cli.planning import make_plan
        from pacer.pacing.policy import Policy
        from pacer.pacing.reserve import read_reserve

        return make_plan(
            source,
            base_url,
            unit=unit,
            reserve=read_reserve(reserve),
            limits=Policy(max_credits=max_credits, max_requests=max_requests),
            allow_http=allow_http,
            as_json=as_json,
        )

    end(body, as_json=as_json)
