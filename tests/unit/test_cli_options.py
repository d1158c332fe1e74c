"""
Options that need reading, and what comes from the environment.
"""

from __future__ import annotations

import pytest

from pacer.cli.options import api_key, required_key, service_address
from pacer.cli.serving import settings_of
from pacer.errors import UsageError
from pacer.pacing.reserve import Reserve, read_reserve
from pacer.sandbox import Change, Settings, Tenant


@pytest.mark.parametrize(
    ("text", "reserve"),
    [
        ("0", Reserve()),
        ("20", Reserve(units=20)),
        ("15%", Reserve(share=0.15)),
        ("2.5%", Reserve(share=0.025)),
    ],
)
def test_reserve(text: str, reserve: Reserve) -> None:
    """A reserve is units of the queue or a share of it."""
    assert read_reserve(text) == reserve


@pytest.mark.parametrize("text", ["", "-1", "100%", "a", "5 %", "1e9", "%"])
def test_no_reserve(text: str) -> None:
    """Anything else is refused; a reserve of all of the queue would never submit."""
    with pytest.raises(UsageError, match="neither a number of units"):
        read_reserve(text)


def test_reserve_of() -> None:
    """Of units and share the larger counts."""
    assert Reserve(units=5, share=0.1).of(100) == 10
    assert Reserve(units=20, share=0.1).of(100) == 20


def test_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key comes from the environment, an empty one counts as missing, and it is not shown."""
    monkeypatch.setenv("AISEARCH_API_KEY", " ")
    assert api_key() is None
    with pytest.raises(UsageError, match="AISEARCH_API_KEY"):
        required_key()
    monkeypatch.setenv("AISEARCH_API_KEY", "sk_test_1")
    key = required_key()
    assert key.get_secret_value() == "sk_test_1"
    assert "sk_test_1" not in f"{key} {key!r}"


def test_address() -> None:
    """The base URL has one spelling, so that a journal knows its service again."""
    assert service_address(None, allow_http=False) == "https://api.aisearchapi.dev"
    assert service_address("https://api.aisearchapi.dev/", allow_http=False) == "https://api.aisearchapi.dev"
    with pytest.raises(UsageError, match="--allow-http"):
        service_address("http://example.org", allow_http=False)


def test_settings() -> None:
    """Every setting of the sandbox can be named, schedules and other tenants included."""
    settings = settings_of(
        {"latency": {"mean": 2.0}, "api_keys": ["k"]},
        more=["generation=A", "latency.shape=constant", "queue-expiry=30"],
        changes=["5:capacity=6"],
        tenants=["steady:demand=3,fan_out=2"],
    )
    assert isinstance(settings, Settings)
    assert settings.generation == "A"
    assert (settings.latency.mean, settings.latency.shape) == (2.0, "constant")
    assert settings.queue_expiry == 30
    assert settings.schedule == (Change(5.0, "capacity", 6),)
    assert settings.tenants == (Tenant(kind="steady", demand=3.0, fan_out=2),)


@pytest.mark.parametrize(
    ("more", "changes", "tenants"),
    [
        (["colour=red"], [], []),
        (["generation=C"], [], []),
        (["generation"], [], []),
        (["workers=many"], [], []),
        ([], ["capacity=6"], []),
        ([], ["5:colour=6"], []),
        ([], [], ["shy"]),
        ([], [], ["steady:demand=0"]),
    ],
)
def test_no_settings(more: list[str], changes: list[str], tenants: list[str]) -> None:
    """What is no setting is refused with the option's name."""
    with pytest.raises(UsageError, match=r"^--(set|change|tenant): "):
        settings_of({"latency": {}}, more=more, changes=changes, tenants=tenants)
