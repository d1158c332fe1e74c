"""
A one-shot script: a file of requests in, a count out, an exit code for cron.

    python examples/one_shot.py examples/captures.jsonl nightly.pacer.db

The same command again goes on where it was, whatever happened in between.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pacer import BatchStopped, Pacer, Report, UsageError


def requests(path: Path) -> Iterator[dict[str, Any]]:
    """Yield one request a line; pacer reads on as the service takes them."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


async def main(source: Path, journal: Path) -> Report:
    async with Pacer(journal=journal) as p:
        return await p.run(requests(source))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/one_shot.py REQUESTS.jsonl JOURNAL.db")
    try:
        report = asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
    except UsageError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except BatchStopped as stopped:
        print(f"{stopped.code}: {stopped.reason}. The same command goes on from here.", file=sys.stderr)
        sys.exit(3)
    print(f"{report.requests} requests, {report.completed} captures in {report.seconds:.1f} s")
    sys.exit(0 if report.ok else 1)
