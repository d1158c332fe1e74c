"""
``pacer sandbox``: its options.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pacer.cli.exits import end

EPILOG = """
[b]Examples[/b]: a service of your own; one that refuses and loses replies; a shared key

pacer sandbox --port 8700

pacer sandbox --capacity 20 --rate-limit 60 --fault cut:share=0.05

pacer sandbox --tenant bursting --latency 3
"""


def sandbox(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 0,
    capacity: Annotated[int, typer.Option("--capacity", min=0, help="Units the queue holds.")] = 200,
    unit: Annotated[
        str, typer.Option("--unit", metavar="parents|children|both", help="What depth counts.")
    ] = "children",
    workers: Annotated[int, typer.Option("--workers", min=1, help="Captures running at once.")] = 50,
    latency: Annotated[float, typer.Option("--latency", metavar="SECONDS", help="Mean of a capture.")] = 12.0,
    rate_limit: Annotated[
        int | None,
        typer.Option(
            "--rate-limit", metavar="N", min=1, help="Requests a window. [dim]Default: no limit[/dim]"
        ),
    ] = None,
    rate_window: Annotated[
        float, typer.Option("--rate-window", metavar="SECONDS", help="Its length.")
    ] = 60.0,
    retry_after: Annotated[
        float, typer.Option("--retry-after", metavar="SECONDS", min=0, help="Named when the queue is full.")
    ] = 5.0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other setting of pacer.sandbox.Settings."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault", metavar="KIND[:NAME=VALUE,...]", help="What goes wrong; see pacer.sandbox.Fault."
        ),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--change", metavar="SECONDS:NAME=VALUE", help="A setting that changes after that time."
        ),
    ] = None,
    tenant: Annotated[
        list[str] | None,
        typer.Option(
            "--tenant",
            metavar="KIND[:NAME=VALUE,...]",
            help="Another client: steady, bursting, greedy.",
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="The key it lets in. [dim]Default: the sandbox's own[/dim]")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of all that looks random.")] = 0,
    history: Annotated[
        Path | None,
        typer.Option("--history", metavar="FILE", help="At the end, write every call it met as a JSON line."),
    ] = None,
) -> None:
    """
    Run the embedded service on loopback, until Ctrl-C.

    Prints the two variables that make pacer use it. Examples of faults:

    --fault cut:share=0.05   --fault error:on=submit,status=503,retry_after=30   --fault stale:on=status
    """

    def body() -> int:
        from pacer.cli.serving import serve, settings_of

        chosen = settings_of(
            {
                "capacity": capacity,
                "unit": unit,
                "workers": workers,
                "latency": {"mean": latency},
                "rate_limit": rate_limit,
                "rate_window": rate_window,
                "retry_after": retry_after,
                **({"api_keys": [key]} if key else {}),
            },
            more=settings or [],
            changes=change or [],
            tenants=tenant or [],
        )
        return serve(chosen, faults=fault or [], port=port, seed=seed, history=history)

    end(body)
