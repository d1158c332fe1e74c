"""
The service's three calls over aiohttp.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from pydantic import SecretBytes, SecretStr
from yarl import URL

from pacer.api.address import address
from pacer.api.environment import proxy_for, tls_context
from pacer.api.failures import FAILURES, BodyTooLarge, ConnectionLost, failure, lost_reply
from pacer.clock import Clock, SystemClock
from pacer.errors import UsageError
from pacer.version import __version__
from pacer.wire.parse import parse_job, parse_status, parse_submit
from pacer.wire.replies import JobOutcome, Refused, Reply, StatusOutcome, SubmitOutcome, Unclear, Verdict
from pacer.wire.text import SHORTEST_SECRET, printable

CONNECT_TIMEOUT = 10.0
"""Seconds for one address to accept and finish TLS: three SYN retransmissions (1 + 2 + 4 s) fit in."""

ESTABLISH_TIMEOUT = 30.0
"""Seconds for the whole way to a connection: name resolution and two or three addresses."""

TOTAL_TIMEOUT = 75.0
"""
Seconds for a call, silence and a trickle of bytes alike. The three calls answer at once, but edges
give up on their origin at 60 s or later. There is none for silence alone, which aiohttp would set anew
with every chunk: two timers more in each submission.
"""

TIMEOUT = aiohttp.ClientTimeout(
    total=TOTAL_TIMEOUT, connect=ESTABLISH_TIMEOUT, sock_connect=CONNECT_TIMEOUT, sock_read=None
)

CAPTURE_TIMEOUT = 180.0
"""
Seconds for a sync capture, silent but for its end. The service's own bound is not documented;
captures take tens of seconds, and what is given up here is collected by polling.
"""

WAITING = aiohttp.ClientTimeout(
    total=CAPTURE_TIMEOUT, connect=ESTABLISH_TIMEOUT, sock_connect=CONNECT_TIMEOUT, sock_read=None
)

KEEP_ALIVE = 15.0
"""
Seconds an idle connection is kept, less than most servers keep it: a request
into one that is being closed is in doubt.
"""

MARGIN = 8
"""Connections above what the core keeps in flight: no request waits in the pool while its time-out runs."""

MAX_BODY = 16 * 1024 * 1024
"""Bytes, decompressed. An Envelope is some hundred KiB at most; what is larger is not one."""

MAX_WORD = 1024 * 1024
"""The same of a snapshot and of an error: some KiB at most. To parse 16 MiB can take seconds."""


class _Hidden(str):
    """A header's value for the wire alone: in a repr (a traceback's locals, say) it is stars."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return stars."""
        return "'**********'"


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back, unread."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


class AiohttpSearchApi:
    """
    The AI Search API over HTTP; a :class:`~.protocol.SearchApi`.

    An async context manager; the calls work inside it, any number at once. No
    redirect is followed, nothing is sent twice, and the key goes to the
    configured origin only. ``HTTPS_PROXY`` and its kin and the CA bundles named
    in the environment are honoured.

    Args:
        base_url: ``https://host[:port][/prefix]``.

        key: The API key.

        session: A session to use instead of an own one; it stays open. Its
            connector (limit, TLS, proxy) is its owner's affair. Its middlewares
            are passed over, because they might send a request again.

        clock: Where wall time comes from.

        allow_http: Take plain http to any host, not to loopback only.

        limit: Most calls that will be under way at once.

        user_agent: Sent as ``User-Agent``.

    Errors:
        UsageError: the base URL, the key, the session or the environment will not do.
    """

    def __init__(
        self,
        base_url: str,
        key: SecretStr,
        *,
        session: aiohttp.ClientSession | None = None,
        clock: Clock | None = None,
        allow_http: bool = False,
        limit: int = 64,
        user_agent: str = f"aisearch-pacer/{__version__}",
    ) -> None:
        self._address = address(base_url, allow_http=allow_http)
        self._get_headers = CIMultiDict(
            {"Authorization": _bearer(key), "Accept": "application/json", "User-Agent": user_agent}
        )
        self._post_headers = CIMultiDict({**self._get_headers, "Content-Type": "application/json"})
        self._secret = SecretBytes(key.get_secret_value().encode())
        self._clock = clock if clock is not None else SystemClock()
        self._limit = limit
        self._owns_session = session is None
        self._session = session

    def __repr__(self) -> str:
        """Return the kind and the base URL; the key is not in it."""
        return f"<{type(self).__name__} {self._address.base}>"

    async def __aenter__(self) -> Self:
        """Open an own session if none was given."""
        if self._session is None:
            self._session = _session(self._address.status, self._limit + MARGIN)
        elif self._session.auth is not None:
            raise UsageError("The session given has auth= of its own; the service takes the API key only.")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the session if it is an own one."""
        if self._owns_session and self._session is not None:
            await self._session.close()
            self._session = None

    async def submit(self, body: bytes) -> Reply[SubmitOutcome]:
        """``POST /v1/search?mode=async`` with exactly these bytes."""
        answer = await self._exchange("POST", self._address.submit, body)
        if not isinstance(answer, _Answer):
            return Reply(answer)
        return parse_submit(answer.status, answer.headers, answer.body, now=self._clock.wall())

    async def capture(self, body: bytes) -> Reply[SubmitOutcome]:
        """``POST /v1/search?mode=sync`` with exactly these bytes."""
        answer = await self._exchange("POST", self._address.capture, body, patience=WAITING)
        if not isinstance(answer, _Answer):
            return Reply(answer)
        return parse_submit(answer.status, answer.headers, answer.body, now=self._clock.wall())

    async def status(self) -> Reply[StatusOutcome]:
        """``GET /v1/async/status``."""
        answer = await self._exchange("GET", self._address.status)
        if not isinstance(answer, _Answer):
            return Reply(answer)
        return parse_status(answer.status, answer.headers, answer.body, now=self._clock.wall())

    async def job(self, job_id: str) -> Reply[JobOutcome]:
        """``GET /v1/jobs/:id``; an id that cannot stand in a URL is refused without asking."""
        url = self._address.job(job_id)
        if url is None:
            sentence = "The service gave this job an id that cannot stand in a URL, so it cannot be asked for"
            return Reply(Refused(Verdict.MISSING, 0, "UNUSABLE_ID", sentence))
        answer = await self._exchange("GET", url)
        if not isinstance(answer, _Answer):
            return Reply(answer)
        return parse_job(answer.status, answer.headers, answer.body, now=self._clock.wall(), asked=job_id)

    async def _exchange(
        self, method: str, url: URL, body: bytes | None = None, *, patience: aiohttp.ClientTimeout = TIMEOUT
    ) -> _Answer | Unclear | Refused:
        """Send one request and read the whole reply; all that aiohttp raises ends here."""
        if self._session is None:
            raise RuntimeError("AiohttpSearchApi is used outside its `async with`")
        try:
            response = await self._session.request(
                method,
                url,
                data=body,
                headers=self._get_headers if body is None else self._post_headers,
                timeout=patience,
                allow_redirects=False,
                raise_for_status=False,
                auto_decompress=True,
                # aiohttp itself repeats nothing but idempotent methods, so a POST needs no guard.
                middlewares=_SEND_ONCE if body is None else (),
            )
        except FAILURES as error:
            return failure(error, self._address.host)
        except ValueError as error:
            if self._owns_session:
                raise
            # Not chained: its frames hold the headers.
            raise UsageError(
                f"The session given cannot send our request: {printable(str(error), 300)}."
            ) from None
        try:
            wordy = 200 <= response.status < 300 and url is not self._address.status
            content = await _read(response, most=MAX_BODY if wordy else MAX_WORD)
        except FAILURES as error:
            # A 429, a 5xx and a redirect have said enough by their headers; for any other the body decides.
            if not 300 <= response.status < 400 and response.status != 429 and response.status < 500:
                return Unclear(f"{response.status} with a lost body: {lost_reply(error)}", response.status)
            content = b""
        finally:
            # Back to the pool if it was read to its end, closed if not.
            response.release()
        return _Answer(response.status, response.headers, self._without_key(content))

    def _without_key(self, body: bytes) -> bytes:
        """Blot the key out of *body*: what echoes our request must not bring it into messages or results."""
        secret = self._secret.get_secret_value()
        return body.replace(secret, b"[key]") if len(secret) >= SHORTEST_SECRET and secret in body else body


def _bearer(key: SecretStr) -> str:
    """The Authorization header; the key is one word of printable ASCII (RFC 6750, section 2.1)."""
    text = key.get_secret_value()
    if not text:
        raise UsageError("There is no API key: set AISEARCH_API_KEY.")
    if not all("!" <= char <= "~" for char in text):
        raise UsageError(
            "The API key holds a space, a line break or another character that no key has; "
            "look at AISEARCH_API_KEY (it is not shown here)."
        )
    return _Hidden(f"Bearer {text}")


def _session(url: URL, connections: int) -> aiohttp.ClientSession:
    """An own session: the environment's proxy and CAs, no cookies, no more connections than needed."""
    proxy = proxy_for(url)
    tls = tls_context() if url.scheme == "https" else True
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, ssl=tls, keepalive_timeout=KEEP_ALIVE),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=TIMEOUT,
        trust_env=False,
        proxy=proxy,
    )


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """
    Keep aiohttp from repeating a GET on a lost connection by itself.

    It would do so at once and unseen: inside a gate that closed meanwhile, and
    beyond the request rate that the core reckons with.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionLost(lost_reply(error)) from None


_SEND_ONCE = (_send_once,)


async def _read(response: aiohttp.ClientResponse, *, most: int) -> bytes:
    """The whole body, up to *most* bytes; a switch of protocols has none."""
    if response.status < 200:
        response.close()
        return b""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > most:
            response.close()
            raise BodyTooLarge(f"more than {most // 1024 // 1024} MiB")
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
