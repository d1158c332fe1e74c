"""
``pacer status``: the queue now, and the room in each lane.
"""

from __future__ import annotations

from typing import Annotated

import typer

from pacer.cli.exits import end
from pacer.cli.options import AllowHttp, BaseUrl, Config, Json, ReserveOption

EPILOG = """
[b]Examples[/b]: once; every ten seconds, as JSON lines

pacer status

pacer status --watch --every 10 --json
"""


def status(
    base_url: BaseUrl = None,
    watch: Annotated[bool, typer.Option("--watch", help="Read again and again, until Ctrl-C.")] = False,
    every: Annotated[
        float, typer.Option("--every", metavar="SECONDS", min=1, help="Time between two reads of --watch.")
    ] = 5,
    reserve: ReserveOption = "0",
    allow_http: AllowHttp = False,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """
    Show the snapshot of the service's queue, and the headroom of each lane.

    Each read is one request of your rate. With --watch, --json is one document a line.
    """

    def body() -> int:
        from pacer.cli.looking import show_status
        from pacer.pacing.reserve import read_reserve

        return show_status(
            base_url,
            watch=watch,
            every=every,
            reserve=read_reserve(reserve),
            allow_http=allow_http,
            as_json=as_json,
        )

    end(body, as_json=as_json)
