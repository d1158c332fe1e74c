"""
What happened to a call that brought no reply, in outcomes instead of exceptions.

aiohttp's exceptions hold the request with its headers, the key among them. They
end here: only their kind and the system's own words for the error go on.
"""

from __future__ import annotations

import asyncio
import os
import ssl

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from pacer.wire.replies import Refused, Unclear, Verdict
from pacer.wire.text import printable

FAILURES = (aiohttp.ClientError, asyncio.TimeoutError, OSError, HttpProcessingError)
"""What aiohttp raises for anything that the network or the other side did; a defect is none of these."""


class ConnectionLost(aiohttp.ClientError):
    """A connection ended before the reply began. Unlike aiohttp's own, it is never retried by aiohttp."""


class BodyTooLarge(aiohttp.ClientError):
    """A body went past the limit and was not read further."""


def failure(error: BaseException, host: str) -> Unclear | Refused:
    """
    Return what *error* means for the call.

    Args:
        error: One of :data:`FAILURES`.

        host: The service's host, for the sentence.
    """
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return Refused(Verdict.BATCH, 0, "TLS_CERTIFICATE", _certificate_sentence(error, host))
        case aiohttp.ClientConnectorDNSError():
            return Unclear(f"cannot resolve {host}: {cause(error.os_error)}", sent=False)
        case aiohttp.ClientProxyConnectionError():
            return Unclear(f"cannot connect to the proxy: {cause(error.os_error)}", sent=False)
        case aiohttp.ClientConnectorSSLError():
            return Unclear(f"TLS handshake with {host} failed: {cause(error.os_error)}", sent=False)
        case aiohttp.ClientConnectorError():
            return Unclear(f"cannot connect to {host}: {cause(error.os_error)}", sent=False)
        case aiohttp.ClientHttpProxyError():
            return Unclear(f"the proxy refused a tunnel to {host}: HTTP {error.status}", sent=False)
        case aiohttp.ConnectionTimeoutError():
            return Unclear(f"cannot connect to {host}: timed out", sent=False)
        case _:
            return Unclear(lost_reply(error))


def lost_reply(error: BaseException) -> str:
    """Return in a few words how the reply to a request that was sent got lost."""
    match error:
        case ConnectionLost() | BodyTooLarge():
            return str(error)
        case asyncio.TimeoutError():
            return "timed out: no complete reply"
        case aiohttp.ServerDisconnectedError():
            return "connection closed without a reply"
        case aiohttp.ClientPayloadError():
            return "reply cut off"
        case aiohttp.ClientResponseError() | HttpProcessingError():
            return "reply is not valid HTTP"
        case OSError():
            return f"connection failed: {cause(error)}"
        case _:
            return f"connection failed: {type(error).__name__}"


def cause(error: OSError) -> str:
    """Return the system's words for *error*, without addresses: ``Connection refused``."""
    if isinstance(error, ssl.SSLError):
        return printable((error.reason or type(error).__name__).replace("_", " ").lower(), 120)
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return printable(error.strerror or type(error).__name__, 120)


def _certificate_sentence(error: aiohttp.ClientConnectorCertificateError, host: str) -> str:
    problem = getattr(error.certificate_error, "verify_message", "") or "certificate verify failed"
    return (
        f"The TLS certificate of {host} is not trusted: {printable(problem, 200)}. If a proxy of your "
        "organisation stands between, name its CA bundle in SSL_CERT_FILE; otherwise this is not the service."
    )
