"""
``pacer simulate``: how well pacing does, exactly, in virtual time.
"""

from __future__ import annotations

from typing import Annotated

import typer

from pacer.cli.exits import end
from pacer.cli.options import Json

EPILOG = """
[b]Examples[/b]: some services; all of them; beside what people use instead

pacer simulate 01 16 tenant

pacer simulate --seeds 3

pacer simulate 02 34 --rivals
"""


def simulate(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCENARIO]...", help="Numbers, or parts of names; all without any."),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=1000, help="Runs of each, seeds from 1.")] = 3,
    rivals: Annotated[bool, typer.Option("--rivals", help="Run what people use instead as well.")] = False,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="Runs at once. Default: one a core.")
    ] = None,
    as_list: Annotated[bool, typer.Option("--list", help="Name the scenarios, and run none.")] = False,
    as_json: Json = False,
) -> None:
    """
    Pace simulated services, and compare with what a clairvoyant could do.

    Ends with 1 if a target is missed. A scenario takes seconds; all of them take tens of minutes.
    """

    def body() -> int:
        from pacer.cli.simulating import listing, simulated

        words = scenarios or []
        if as_list:
            return listing(words, as_json=as_json)
        return simulated(words, seeds=seeds, rivals=rivals, processes=processes, as_json=as_json)

    end(body, as_json=as_json)
