"""
``pacer doctor``: its options.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pacer.cli.exits import end
from pacer.cli.options import CONFIG_VARIABLE, AllowHttp, BaseUrl, Json

EPILOG = """
[b]Examples[/b]: before the first run; in a check of a deployment

pacer doctor

pacer doctor --json
"""


def doctor(
    context: typer.Context,
    base_url: BaseUrl = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            envvar=CONFIG_VARIABLE,
            help="The settings to look at. [dim]Default: pacer.toml in this folder, if there is one[/dim]",
        ),
    ] = None,
    allow_http: AllowHttp = False,
    as_json: Json = False,
) -> None:
    """
    Say what a run would find here: settings, key, proxy, certificates, disk, clock, service.

    The key is tried with one status read, which is free, of at most five seconds.
    Nothing secret is shown. Ends with 0 if all is well, with 2 if something is wrong
    here, with 3 if the service cannot be reached or refuses the key.
    """

    def body() -> int:
        from pacer.cli.examining import examine

        return examine(context, base_url, config, allow_http=allow_http, as_json=as_json)

    end(body, as_json=as_json)
