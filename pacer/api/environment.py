"""
What the environment says about the way to the service: proxies and CA bundles.

Read once, when the client opens. aiohttp's own ``trust_env`` is not used: it
asks two threads for every request, and an entry in ``~/.netrc`` for the
service's host would make it refuse our Authorization header.
"""

from __future__ import annotations

import os
import ssl
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from pacer.api.address import is_loopback
from pacer.errors import UsageError


def proxy_for(url: URL) -> URL | None:
    """
    Return the proxy for *url*, or None to go straight.

    ``HTTPS_PROXY`` or ``HTTP_PROXY`` by scheme, else ``ALL_PROXY``, except for
    what ``NO_PROXY`` names; in lower case too, and the system's settings on
    macOS and Windows (``urllib.request.getproxies``). Loopback is never
    proxied: a proxy's loopback is another machine.

    Errors:
        UsageError: the proxy is neither http nor https (SOCKS, say).
    """
    host = url.host or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    name = url.scheme if proxies.get(url.scheme) else "all"
    value = proxies.get(name)
    if not value:
        return None
    try:
        proxy = URL(value if "://" in value else f"http://{value}")
        usable = proxy.scheme in ("http", "https") and bool(proxy.host)
    except ValueError:
        usable = False
    if not usable:
        # Its value is not shown: it may hold a password.
        raise UsageError(
            f"The proxy in {name.upper()}_PROXY is not an http or https URL, the only kinds supported. "
            f"Change or unset it, or add {host} to NO_PROXY."
        )
    return proxy


def tls_context() -> ssl.SSLContext:
    """
    Return a context that verifies certificates and host names.

    The trusted CAs are those of ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``
    (OpenSSL's own), else of ``REQUESTS_CA_BUNDLE``, else of ``CURL_CA_BUNDLE``
    (a file or a directory, as requests and curl take them), else the system's.

    Errors:
        UsageError: such a variable names what cannot be used.
    """
    if os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"):
        context = ssl.create_default_context()
        # OpenSSL passes over an unreadable file in silence, and then trusts no one: load it by name.
        if file := os.environ.get("SSL_CERT_FILE"):
            _load(context, file, "SSL_CERT_FILE")
        return context
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if path := os.environ.get(variable):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            _load(context, path, variable)
            return context
    return ssl.create_default_context()


def _load(context: ssl.SSLContext, path: str, variable: str) -> None:
    try:
        if os.path.isdir(path):
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except OSError as error:
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else str(error.strerror)
        raise UsageError(
            f"The CA bundle {path!r} in {variable} cannot be used: {reason}. Correct or unset it."
        ) from None
