"""
``pacer plan``: what a run would do.
"""

from __future__ import annotations

from typing import Annotated

import typer

from pacer.cli.exits import end
from pacer.cli.options import AllowHttp, BaseUrl, Config, Json, ReserveOption, Unit, read_reserve
from pacer.pacing.policy import UnitChoice


def plan(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="Requests, as for pacer run; - for standard input.")
    ],
    base_url: BaseUrl = None,
    unit: Unit = UnitChoice.AUTO,
    reserve: ReserveOption = "0",
    allow_http: AllowHttp = False,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """
    Say what a run would do: requests, captures, the most it can cost, and its waves.

    Nothing is submitted and nothing is kept. Needs no key; with one, the
    snapshot is read once, for at most five seconds.
    """

    def body() -> int:
        from pacer.cli.planning import make_plan

        return make_plan(
            source, base_url, unit=unit, reserve=read_reserve(reserve), allow_http=allow_http, as_json=as_json
        )

    end(body, as_json=as_json)
