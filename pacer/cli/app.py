"""
The command line as a whole: which commands there are.

A command's module holds its options and nothing heavy; what it needs to do its
work it imports when it runs, so that ``pacer --version`` and completion are quick.
"""

from __future__ import annotations

from typing import Annotated

import typer

from pacer.cli import doctor, export, plan, report, run, sandbox, simulate, status
from pacer.version import __version__

app = typer.Typer(
    name="pacer",
    no_args_is_help=True,
    # Typer's own tracebacks show local variables: the key could be among them.
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _pacer(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """
    Submit capture requests to the AI Search API as fast as its queue drains.

    Nothing lost, nothing paid twice, Retry-After is law. Try: pacer run captures.jsonl --sandbox
    """


app.command(epilog=run.EPILOG)(run.run)
app.command(epilog=plan.EPILOG)(plan.plan)
app.command(epilog=status.EPILOG)(status.status)
app.command(epilog=doctor.EPILOG)(doctor.doctor)
app.command(epilog=report.EPILOG)(report.report)
app.command(epilog=export.EPILOG)(export.export)
app.command(epilog=sandbox.EPILOG)(sandbox.sandbox)
app.command(epilog=simulate.EPILOG)(simulate.simulate)
