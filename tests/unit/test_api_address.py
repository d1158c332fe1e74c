"""Base URLs and environments that will and will not do."""

from __future__ import annotations

from pathlib import Path

import pytest
from yarl import URL

from pacer.api.address import address, is_loopback
from pacer.api.environment import proxy_for, tls_context
from pacer.errors import UsageError


@pytest.mark.parametrize(
    ("base_url", "submit"),
    [
        ("https://api.example", "https://api.example/v1/search?mode=async"),
        ("https://api.example/", "https://api.example/v1/search?mode=async"),
        ("https://api.example:8443/edge/a%2Fb/", "https://api.example:8443/edge/a%2Fb/v1/search?mode=async"),
        ("HTTPS://API.Example", "https://api.example/v1/search?mode=async"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/search?mode=async"),
        ("http://[::1]:8080", "http://[::1]:8080/v1/search?mode=async"),
        ("http://localhost", "http://localhost/v1/search?mode=async"),
    ],
)
def test_a_base_url_keeps_its_port_and_prefix(base_url: str, submit: str) -> None:
    """What is built from it lies under it."""
    where = address(base_url, allow_http=False)

    assert str(where.submit) == submit
    assert str(where.status) == submit.replace("search?mode=async", "async/status")
    assert str(where.job("job_1.a.us")) == submit.replace("search?mode=async", "jobs/job_1.a.us")


@pytest.mark.parametrize(
    ("base_url", "reason"),
    [
        ("", "form https://host"),
        ("api.example", "form https://host"),
        ("ftp://api.example", "form https://host"),
        ("file:///etc/passwd", "form https://host"),
        ("https://", "form https://host"),
        ("https://api.example:0", "form https://host"),
        ("https://api.example:99999", "not a URL"),
        ("https://[::1", "not a URL"),
        ("https://api.example?x=1", "no \\?"),
        ("https://api.example/?", "no \\?"),
        ("https://api.example#", "no #"),
        ("https://api.example/a b", "no spaces"),
        ("https://api.example\n", "no spaces"),
        ("https://api.example/v1", "without /v1"),
        ("https://api.example/v1/", "without /v1"),
        ("http://api.example", "--allow-http"),
        ("http://127.0.0.1.example", "--allow-http"),
        ("http://0.0.0.0:80", "--allow-http"),
    ],
)
def test_a_base_url_that_will_not_do_is_refused_in_a_sentence(base_url: str, reason: str) -> None:
    """Nothing is sent to an address that was not meant, and the sentence says what is wrong."""
    with pytest.raises(UsageError, match=reason):
        address(base_url, allow_http=False)


def test_credentials_in_a_base_url_are_not_shown() -> None:
    """A password in the URL is refused without being repeated."""
    with pytest.raises(UsageError) as caught:
        address("https://user:hunter2@api.example", allow_http=False)

    assert "hunter2" not in str(caught.value)


def test_plain_http_is_taken_on_the_users_word() -> None:
    """--allow-http opens it for any host."""
    assert address("http://api.example", allow_http=True).base == "http://api.example"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("a.localhost", True),
        ("localhost.example", False),
        ("128.0.0.1", False),
        ("10.0.0.1", False),
    ],
)
def test_loopback_is_this_machine_only(host: str, expected: bool) -> None:
    """Names and addresses that can lead elsewhere are not loopback."""
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({}, None),
        ({"https_proxy": "http://proxy.example:3128"}, "http://proxy.example:3128"),
        ({"HTTPS_PROXY": "proxy.example:3128"}, "http://proxy.example:3128"),
        ({"all_proxy": "http://proxy.example"}, "http://proxy.example"),
        ({"http_proxy": "http://proxy.example"}, None),
        ({"https_proxy": "http://proxy.example", "no_proxy": "other,.example"}, None),
        ({"https_proxy": ""}, None),
    ],
)
def test_the_proxy_is_the_one_that_other_tools_would_use(
    variables: dict[str, str], proxy: str | None, bare: pytest.MonkeyPatch
) -> None:
    """By scheme, in either case, with exceptions."""
    for name, value in variables.items():
        bare.setenv(name, value)

    assert proxy_for(URL("https://api.example")) == (None if proxy is None else URL(proxy))


def test_loopback_is_never_proxied(bare: pytest.MonkeyPatch) -> None:
    """A proxy's loopback is another machine."""
    bare.setenv("all_proxy", "http://proxy.example")

    assert proxy_for(URL("http://localhost:8080")) is None


@pytest.mark.parametrize("value", ["socks5://user:hunter2@proxy.example", "http://[", "http://"])
def test_a_proxy_of_another_kind_is_refused_not_bypassed(value: str, bare: pytest.MonkeyPatch) -> None:
    """Going straight in silence would break what the proxy is there for; its password is not shown."""
    bare.setenv("all_proxy", value)

    with pytest.raises(UsageError, match="ALL_PROXY") as caught:
        proxy_for(URL("https://api.example"))

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_an_unusable_ca_bundle_is_named(
    variable: str, content: str | None, bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A bundle that is missing or empty is a sentence at the start, not a failed handshake later."""
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    bare.setenv(variable, str(bundle))

    with pytest.raises(UsageError, match=variable):
        tls_context()


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that names no proxy and no CA bundle."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch
