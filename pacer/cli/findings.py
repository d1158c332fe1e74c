"""
What ``pacer doctor`` looks at on this machine: each a function that returns a finding.
"""

from __future__ import annotations

import os
import platform
import shutil
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.request import getproxies

from yarl import URL

from pacer.api.environment import proxy_for, tls_context
from pacer.cli.configuration import Setting, Settings
from pacer.cli.exits import Exit
from pacer.errors import UsageError
from pacer.journal.sqlite import SqliteJournal
from pacer.version import __version__

CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""In the order in which ``pacer.api.environment`` asks them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that was looked at.

    Attributes:
        name: One word, the same in every version.

        text: What was found; nothing secret.

        state: A ``fault`` keeps a run from working, a ``warning`` does not.

        advice: What to do about it; empty if there is nothing to do.

        exit_code: What a fault ends the command with.
    """

    name: str
    text: str
    state: Literal["ok", "warning", "fault"] = "ok"
    advice: str = ""
    exit_code: Exit = Exit.OK


def fault(name: str, text: str, advice: str = "", *, exit_code: Exit = Exit.USAGE) -> Finding:
    """Return a finding that keeps a run from working."""
    return Finding(name, text, "fault", advice, exit_code)


def warning(name: str, text: str, advice: str) -> Finding:
    """Return a finding that a person may want to change."""
    return Finding(name, text, "warning", advice)


def versions() -> Finding:
    """Say what runs where."""
    return Finding(
        "pacer",
        f"{__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}",
    )


def settings_found(settings: Settings) -> Iterator[Finding]:
    """Say which file was read, each value with its source, and what is wrong."""
    where = "no pacer.toml in this folder" if settings.file is None else str(settings.file)
    yield Finding("settings", where)
    said: dict[str, list[str]] = {}
    for command, values in settings.values.items():
        for name, setting in values.items():
            if name == "base-url":
                continue  # a finding of its own
            said.setdefault(f"--{name} {shown(setting.value)}, from {setting.source}", []).append(command)
    for text, commands in said.items():
        yield Finding("settings", f"{', '.join(commands)}: {text}")
    for problem in settings.problems:
        yield fault("settings", problem, "Correct it; nothing runs before.")
    for variable, meant in settings.unknown.items():
        yield warning("settings", f"{variable} is set, and is no setting", meant or "Unset it.")
    if "metrics-port" in settings.values["run"] and find_spec("prometheus_client") is None:
        yield fault(
            "settings",
            "metrics-port is set, and prometheus-client is not installed",
            "pip install 'aisearch-pacer[metrics]'",
        )


def shown(value: str | bool) -> str:
    """Return a setting's value as it may be shown: a password in a URL, or what looks like a key, is not."""
    text = str(value).lower() if isinstance(value, bool) else value
    return "(not shown)" if "@" in text or text.startswith("sk_") else text


def proxy(base: str) -> Finding:
    """Say through which proxy the service is called."""
    url = URL(base)
    try:
        used = proxy_for(url)
    except UsageError as error:
        return fault("proxy", str(error))
    named = next((name for name in (url.scheme, "all") if getproxies().get(name)), None)
    if named is None:
        return Finding("proxy", "none")
    if used is None:
        return Finding("proxy", f"none for {url.host}: it is on this machine, or NO_PROXY names it")
    hidden = "***@" if used.user or used.password else ""
    return Finding("proxy", f"{used.scheme}://{hidden}{used.host}:{used.port}, from {named.upper()}_PROXY")


def certificates(base: str) -> Finding:
    """Say whose certificates are trusted."""
    if URL(base).scheme != "https":
        return Finding("certificates", "not used: the base URL is plain http")
    named = [name for name in CA_VARIABLES if os.environ.get(name)]
    source = f"{named[0]}: {os.environ[named[0]]}" if named else "the system's"
    try:
        context = tls_context()
    except UsageError as error:
        return fault("certificates", str(error))
    if not named and not context.cert_store_stats()["x509_ca"] and not _has_files(_system_folder()):
        return warning(
            "certificates",
            "the system has none, so that no service is trusted",
            "Install ca-certificates, or name a bundle in SSL_CERT_FILE.",
        )
    return Finding("certificates", source)


def _system_folder() -> str | None:
    return ssl.get_default_verify_paths().capath


def _has_files(folder: str | None) -> bool:
    return folder is not None and os.access(folder, os.R_OK) and any(Path(folder).iterdir())


def disk(journal: Setting | None) -> Finding:
    """Make a journal where a run would, and remove it again: is there WAL, a lock, room?"""
    folder = Path() if journal is None else Path(str(journal.value)).parent
    advice = "Work in a folder on a local disk that can be written, or name the journal with --journal."
    try:
        free = shutil.disk_usage(folder).free
        with tempfile.TemporaryDirectory(prefix=".pacer-doctor-", dir=folder) as scratch:
            SqliteJournal.open(Path(scratch) / "journal.pacer.db", create=True).close()
    except UsageError as error:
        return fault("disk", str(error), advice)
    except OSError as error:
        return fault("disk", f"{folder.absolute()} cannot hold a journal: {error.strerror}", advice)
    return Finding("disk", f"{folder.absolute()} can hold a journal; {_size(free)} free")


def _size(number: int) -> str:
    return f"{number / 1e9:,.1f} GB" if number >= 1e9 else f"{number / 1e6:,.0f} MB"


def gravest(findings: Sequence[Finding]) -> Exit:
    """Return the exit code: what is wrong here comes before what is wrong there."""
    codes = [finding.exit_code for finding in findings if finding.exit_code]
    return min(codes, default=Exit.OK)
