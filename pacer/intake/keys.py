"""
Idempotency keys: what makes sending a request again safe.

A key that pacer makes has at most 64 characters of [A-Za-z0-9_-], because the
service documents neither a length nor a character set.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import TypeAlias

KeyMaker: TypeAlias = Callable[[int, str, bytes], str]
"""Makes a record's key from its index, its id and its body without a key."""


def new_token() -> str:
    """Return 22 random characters of [A-Za-z0-9_-]: 128 bits."""
    return secrets.token_urlsafe(16)


def random_keys(token: str) -> KeyMaker:
    """Return a maker of keys that no other batch has: *token* and the record's index."""
    return lambda index, _id, _body: f"{token}-{index}"


def retry_token(token: str) -> str:
    """Return a new token for a batch that retries what failed in the batch of *token*."""
    return _stem(token) + new_token()[:11]


def is_retry_of(retry: str, token: str) -> bool:
    """Return whether :func:`retry_token` made the token *retry* for the batch of *token*."""
    return retry.startswith(_stem(token))


def _stem(token: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(_framed(token) + b"retry").digest())[:11].decode("ascii")


def retry_name(name: str | None, number: int) -> str | None:
    """Return the name from which the *number*-th retry of a batch named *name* derives its keys."""
    return None if name is None else f"{name.removesuffix(f' retry-{number - 1}')} retry-{number}"


def named_keys(name: str) -> KeyMaker:
    """
    Return a maker of keys that are the same wherever name, id and body are.

    With the journal lost, the service's replay then still prevents paying
    twice. The key is SHA-256, as 43 characters of base64url.
    """
    stem = hashlib.sha256(_framed(name))

    def make(_index: int, request_id: str, body: bytes) -> str:
        digest = stem.copy()
        digest.update(_framed(request_id))
        digest.update(body)
        return urlsafe_b64encode(digest.digest())[:43].decode("ascii")

    return make


def _framed(text: str) -> bytes:
    """Return *text* behind its length, so that no two pairs of texts run together the same."""
    data = text.encode(errors="surrogatepass")  # a name may come from argv, which need not be UTF-8
    return b"%d:%b" % (len(data), data)
