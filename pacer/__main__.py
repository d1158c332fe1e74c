"""
``python -m pacer``, and the ``pacer`` command.
"""

from __future__ import annotations

import sys

from pacer.version import __version__


def main() -> None:
    """Run the command line; ends the process with one of the exit codes of ``pacer.cli.exits``."""
    if sys.argv[1:] == ["--version"]:  # asked by scripts and containers: no need to build all commands
        sys.stdout.write(f"{__version__}\n")
        return
    try:
        from pacer.cli.app import app

        app(prog_name="pacer")
    except KeyboardInterrupt:  # before a command has begun; from then on signals are its own affair
        sys.exit(130)


if __name__ == "__main__":
    main()
