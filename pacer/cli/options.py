"""
Options that several commands have, and what is read from the environment.

An option with ``allow_from_autoenv=False`` can be typed only: no file and no
variable sets it (see ``pacer.cli.configuration``).
"""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pacer.errors import UsageError
from pacer.pacing.policy import UnitChoice
from pacer.pacing.reserve import read_reserve

if TYPE_CHECKING:
    from pydantic import SecretStr

KEY_VARIABLE = "AISEARCH_API_KEY"
BASE_URL_VARIABLE = "AISEARCH_BASE_URL"
CONFIG_VARIABLE = "PACER_CONFIG"


class LogFormat(Enum):
    """How the log is written."""

    TEXT = "text"
    JSON = "json"


def _checked_reserve(text: str) -> str:
    """Refuse it while options are parsed, so that a file or variable which says it is named."""
    try:
        read_reserve(text)
    except UsageError as error:
        raise typer.BadParameter(str(error)) from None
    return text


def _configure(context: typer.Context, named: Path | None) -> None:
    if not context.resilient_parsing:  # completion
        from pacer.cli.configuration import configure

        configure(context, named)


BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        metavar="URL",
        envvar=BASE_URL_VARIABLE,
        help="Where the service is. [dim]Default: the documented address.[/dim]",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        envvar=CONFIG_VARIABLE,
        is_eager=True,  # before the options whose defaults it is
        expose_value=False,
        callback=_configure,
        help="Settings. [dim]Default: pacer.toml in this folder, if there is one[/dim]",
    ),
]
AllowHttp = Annotated[
    bool, typer.Option("--allow-http", help="Take a plain http URL that is not on this machine.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Unit = Annotated[
    UnitChoice,
    typer.Option("--unit", help="What the service's queue counts, if you know. Otherwise it is learnt."),
]
ReserveOption = Annotated[
    str,
    typer.Option(
        "--reserve",
        metavar="N|N%",
        callback=_checked_reserve,
        help="Room in the queue kept free for others on the key.",
    ),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        "--metrics-port", metavar="N", min=0, max=65535, help="Serve Prometheus metrics; 0 takes a free port."
    ),
]
MetricsHost = Annotated[
    str,
    typer.Option(
        "--metrics-host", metavar="ADDRESS", help="Where they are served: 0.0.0.0 for all who can reach you."
    ),
]
MaxCredits = Annotated[
    int | None,
    typer.Option(
        "--max-credits",
        metavar="N",
        min=1,
        help="Most credits that the batch may cost, by the documented prices; resumes included.",
    ),
]
MaxRequests = Annotated[
    int | None,
    typer.Option(
        "--max-requests", metavar="N", min=1, help="Most requests of the batch to send; resumes included."
    ),
]


def api_key() -> SecretStr | None:
    """Return the key from the environment; an empty one counts as missing."""
    from pydantic import SecretStr

    text = os.environ.get(KEY_VARIABLE, "").strip()
    return SecretStr(text) if text else None


def required_key() -> SecretStr:
    """
    Return the key from the environment.

    Errors:
        UsageError: There is none.
    """
    key = api_key()
    if key is None:
        raise UsageError(
            f"There is no API key. Set {KEY_VARIABLE} in the environment; to try pacer without one, "
            "use pacer run INPUT --sandbox."
        )
    return key


def service_address(base_url: str | None, *, allow_http: bool) -> str:
    """
    Return the base URL in its one spelling.

    Errors:
        UsageError: It is not one, or the key would cross a network in the clear.
    """
    from pacer.api.address import DEFAULT_BASE_URL, address

    return address(base_url or DEFAULT_BASE_URL, allow_http=allow_http).base
