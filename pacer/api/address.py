"""
Where the three calls go: the base URL, checked, and what is built from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote

from yarl import URL

from pacer.errors import UsageError
from pacer.wire.bodies import is_job_id
from pacer.wire.text import printable

DEFAULT_BASE_URL = "https://api.aisearchapi.dev"
"""The documented one (docs: guides/making-requests)."""


@dataclass(frozen=True, slots=True)
class Address:
    """
    The URLs of one service, built once.

    Attributes:
        base: Scheme, host and path prefix, without a trailing slash.

        host: The host alone.

        submit: ``POST`` goes here. The mode is always named: without it the
            newer service runs a search of one surface synchronously.

        capture: ``POST`` goes here for a capture that is waited for.

        status: ``GET`` the capacity snapshot here.
    """

    base: str
    host: str
    submit: URL
    capture: URL
    status: URL

    def job(self, job_id: str) -> URL | None:
        """
        Return where to ask for *job_id*; None if it cannot stand in a URL.

        The id is one percent-encoded segment of the path, whatever it holds.
        """
        if not is_job_id(job_id):
            return None
        return URL(f"{self.base}/v1/jobs/{quote(job_id, safe='')}", encoded=True)


def address(base_url: str, *, allow_http: bool) -> Address:
    """
    Return the addresses under *base_url*.

    Args:
        base_url: ``https://host[:port][/prefix]``.

        allow_http: Take plain http to any host, not to loopback only.

    Errors:
        UsageError: it is not such a URL, or the key would travel in the clear.
    """
    if "@" in base_url:
        # Not shown: what stands before the @ may be a password.
        raise UsageError(
            "The base URL holds an @. Give it without user name and password; the key is separate."
        )
    shown = printable(base_url, 200)
    try:
        url = URL(base_url)
        host, scheme, port = url.host, url.scheme, url.port
    except ValueError as error:
        raise UsageError(f"The base URL {shown!r} is not a URL: {printable(str(error), 200)}.") from None
    if scheme not in ("http", "https") or not host or not port:
        raise UsageError(f"The base URL {shown!r} is not of the form https://host[:port][/prefix].")
    if any(char in base_url for char in "?# ") or shown != base_url:
        raise UsageError(f"The base URL {shown!r} must end with host or path: no ?, no #, no spaces.")
    prefix = url.raw_path.rstrip("/")
    if prefix.endswith("/v1"):
        raise UsageError(f"Give the base URL {shown!r} without /v1 at its end: pacer adds it.")
    if scheme == "http" and not allow_http and not is_loopback(host):
        raise UsageError(
            f"The base URL {shown!r} is plain http: the key would cross the network in the clear. "
            "Use https, or say --allow-http if you know this network."
        )
    base = f"{url.origin()}{prefix}"
    return Address(
        base=base,
        host=host,
        submit=URL(f"{base}/v1/search?mode=async", encoded=True),
        capture=URL(f"{base}/v1/search?mode=sync", encoded=True),
        status=URL(f"{base}/v1/async/status", encoded=True),
    )


def is_loopback(host: str) -> bool:
    """Return whether *host* names this machine only: 127.0.0.0/8, ::1, localhost (RFC 6761, section 6.3)."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
