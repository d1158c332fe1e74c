"""What a capture request may say, what it becomes, and what is said when it is wrong."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pacer.wire.problems import Refusal, shown
from pacer.wire.requests import CREDITS, CaptureRequest, Region, Webhook, read_json, read_mapping

GOOD: dict[str, Any] = {"query": "What is slow travel?", "surfaces": ["claude", "gemini"]}

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
filled = texts.filter(lambda text: not text.isspace() and text.strip("\x1c\x1d\x1e\x1f \t\n\r") != "")
regions = st.builds(
    Region,
    country=st.from_regex(r"[A-Za-z]{2}", fullmatch=True),
    city=st.none() | texts,
    language=st.none() | texts,
)
requests = st.builds(
    CaptureRequest,
    id=st.none() | texts | st.integers(),
    query=filled,
    surfaces=st.lists(st.sampled_from(sorted(CREDITS)) | filled, min_size=1, max_size=5, unique=True),
    regions=st.lists(regions, min_size=1, max_size=10, unique=True),
    priority=st.none() | st.integers(1, 10),
    method=st.none() | texts,
    webhook=st.none() | st.builds(Webhook, url=st.just("https://hooks.example/é?a=1"), secret=texts),
    idempotency_key=st.none() | st.from_regex(r"[!-~]{1,255}", fullmatch=True),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=8,
)
field_names = st.sampled_from(
    [
        "id",
        "query",
        "prompt",
        "surfaces",
        "regions",
        "priority",
        "method",
        "webhook",
        "idempotencyKey",
        "idea",
    ]
)


def request_of(record: object) -> CaptureRequest:
    read = read_json(json.dumps(record).encode())
    assert isinstance(read, CaptureRequest)
    return read


def faults_of(record: object) -> list[tuple[str, str]]:
    """Return what is said of *record*; the same, whether it came as JSON or as a dict."""
    read = read_json(json.dumps(record).encode())
    assert isinstance(read, Refusal)
    faults = read.faults()
    assert read.count == len(faults)
    if isinstance(record, dict):
        again = read_mapping(record)
        assert isinstance(again, Refusal)
        assert again.faults() == faults
    return faults


@given(requests, st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
def test_body_parses_back_to_the_same_request(request: CaptureRequest, key: str) -> None:
    """What is sent says all that the request says, but for the user's own name for it."""
    sent = read_json(request.body(key))

    assert request.model_copy(update={"id": None, "idempotency_key": key}) == sent


def test_body_is_frozen_byte_for_byte() -> None:
    """The order of fields, the compact form, and explicit regions are part of the contract with replays."""
    request = request_of(
        {"regions": ["de"], "surfaces": ["claude"], "query": "Wärme?", "priority": 3, "id": 7}
    )

    fields = '"query":"Wärme?","surfaces":["claude"],"regions":[{"country":"DE"}],"priority":3'
    assert request.body("k-7") == f'{{{fields},"idempotencyKey":"k-7"}}'.encode()


def test_omitted_and_null_regions_are_sent_as_us() -> None:
    """The service's default for regions has changed once, so it is never left to the service."""
    for record in (GOOD, GOOD | {"regions": None}):
        assert [Region(country="US")] == request_of(record).regions
        assert b'"regions":[{"country":"US"}]' in request_of(record).body("k")


def test_names_that_people_use_are_read() -> None:
    """An integer id, prompt for query, a bare lower-case country: all mean what they say."""
    request = request_of(
        {"id": 17, "prompt": "Why?", "surfaces": ["claude"], "regions": ["us", {"country": "Fr"}]}
    )

    assert (request.id, request.query) == ("17", "Why?")
    assert [Region(country="US"), Region(country="FR")] == request.regions


def test_unknown_surfaces_pass() -> None:
    """Whether a surface is served is the service's to say."""
    assert request_of(GOOD | {"surfaces": ["grok"]}).surfaces == ["grok"]


def test_fan_out_and_cost_are_surfaces_times_regions() -> None:
    """Each pair is one capture; unknown prices count as nothing."""
    surfaces = ["claude", "perplexity", "google_news", "grok"]
    request = request_of(GOOD | {"surfaces": surfaces, "regions": ["US", "DE"]})

    assert request.fan_out == 8
    assert request.max_credits == 2 * (6 + 3)


def test_the_longest_query_and_the_most_regions_pass() -> None:
    """The documented bounds are inclusive, and a character is a character however many bytes it has."""
    countries = ["US", "DE", "FR", "GB", "IT", "ES", "NL", "PL", "SE", "JP"]

    assert request_of(GOOD | {"query": "🌊" * 10_000, "regions": countries}).fan_out // 2 == 10


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"query": None}, "query", "must be text, not null"),
        ({"query": ""}, "query", "empty"),
        ({"query": " \n\t"}, "query", "blank"),
        ({"query": "x" * 10_001}, "query", "10,001 characters; at most 10,000"),
        (
            {"query": "a\ud800"},
            "query",
            r"has half a character (the lone surrogate \ud800), which UTF-8 cannot carry",
        ),
        ({"prompt": "twice?"}, "prompt", "means the same as query; give one of them"),
        ({"surfaces": []}, "surfaces", "empty"),
        ({"surfaces": "claude"}, "surfaces", "must be a list, not text"),
        ({"surfaces": ["claude", 5]}, "surfaces.1", "must be text, not a number"),
        ({"surfaces": ["claude", ""]}, "surfaces.1", "blank"),
        ({"surfaces": ["claude", "gemini", "claude"]}, "surfaces", "'claude' stands there twice"),
        ({"regions": []}, "regions", "empty"),
        (
            {"regions": ["USA"]},
            "regions.0.country",
            "'USA' is not a two-letter country code such as US (ISO 3166-1 alpha-2)",
        ),
        (
            {"regions": ["US", {"country": "GLOBAL"}]},
            "regions.1.country",
            "'GLOBAL' is not a two-letter country code such as US (ISO 3166-1 alpha-2)",
        ),
        ({"regions": [{"city": "Lyon"}]}, "regions.0.country", "missing"),
        (
            {"regions": [{"country": "FR", "contry": 1}]},
            "regions.0.contry",
            "unknown field; did you mean country?",
        ),
        ({"regions": [33]}, "regions.0", "must be an object or a country code, not a number"),
        ({"regions": ["US", "DE"] * 5 + ["FR"]}, "regions", "11 regions; at most 10"),
        ({"regions": ["US", {"country": "us"}]}, "regions", "'US' stands there twice"),
        ({"priority": 99}, "priority", "must be between 1 and 10"),
        ({"priority": 0}, "priority", "must be between 1 and 10"),
        ({"priority": True}, "priority", "must be a whole number, not true"),
        ({"priority": 5.0}, "priority", "must be a whole number, not 5.0"),
        ({"priority": "5"}, "priority", "must be a whole number, not text"),
        ({"id": 1.0}, "id", "must be text or a whole number, not 1.0"),
        ({"id": False}, "id", "must be text or a whole number, not false"),
        ({"id": ""}, "id", "empty"),
        ({"method": ""}, "method", "empty"),
        ({"webhook": "https://x"}, "webhook", "must be an object, not text"),
        ({"webhook": {"url": "https://x.example"}}, "webhook.secret", "missing"),
        (
            {"webhook": {"url": "file:///x", "secret": "s"}},
            "webhook.url",
            "must be an http:// or https:// address",
        ),
        (
            {"idempotencyKey": "two words"},
            "idempotencyKey",
            "must be 1 to 255 printable ASCII characters without spaces",
        ),
        ({"surface": ["claude"]}, "surface", "unknown field; did you mean surfaces?"),
        ({"zzz": 1}, "zzz", "unknown field"),
        ({"\x1b[31m" + "x" * 99: 1}, r"\x1b[31m" + "x" * 31 + "…", "unknown field"),
    ],
)
def test_each_fault_is_named(change: dict[str, Any], field: str, reason: str) -> None:
    """A person reads which field is wrong, and why, in a few plain words."""
    assert [(field, reason)] == faults_of(GOOD | change)


def test_all_faults_of_a_record_are_named_at_once() -> None:
    """Nobody corrects a record one run at a time."""
    assert faults_of({"priority": 11}) == [
        ("query", "missing"),
        ("surfaces", "missing"),
        ("priority", "must be between 1 and 10"),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"[]", "must be an object (one request), not a list"),
        (b"7", "must be an object (one request), not a number"),
        (b"null", "must be an object (one request), not null"),
        (b'{"query": "x"', "not JSON: EOF while parsing an object at column 13"),
        (b"query,surfaces", "not JSON: expected value at column 1"),
        (b'{"query": "caf\xe9"}', "not UTF-8 (byte 0xe9); save the file as UTF-8"),
        (b'\xff\xfe{\x00"\x00', "UTF-16, not UTF-8; save the file as UTF-8"),
        (b"[" * 100_000, "not JSON: recursion limit exceeded at column 202"),
    ],
)
def test_what_is_no_object_is_named(text: bytes, reason: str) -> None:
    """A record that is no JSON object at all is refused as a whole."""
    read = read_json(text)

    assert isinstance(read, Refusal)
    assert [("", reason)] == read.faults()


@given(st.dictionaries(field_names | st.text(st.characters()), json_values, max_size=5))
def test_any_object_is_a_request_or_named_faults(record: dict[str, Any]) -> None:
    """Whatever the fields hold, the answer is short, printable, and never an exception."""
    for read in (read_mapping(GOOD | record), read_json(json.dumps(GOOD | record).encode())):
        if isinstance(read, Refusal):
            for field, reason in read.faults():
                assert (field + reason).isprintable()
                assert len(field) < 80
                assert len(reason) < 120


class Country(StrEnum):
    USA = "USA"


@pytest.mark.parametrize("value", [b"US", Country.USA, 1.5, None, [], Region, "\ud800"])
def test_a_region_that_is_none_has_one_fault(value: object) -> None:
    """A region can be written in two ways; only the one that was meant is found wrong, never neither."""
    read = read_mapping(GOOD | {"regions": [value]})

    assert isinstance(read, Refusal)
    assert read.count == len(read.faults()) == 1


def test_a_megabyte_is_not_echoed() -> None:
    """A fault quotes at most a few characters of what was wrong."""
    huge = "y" * 1_000_000

    for record in (GOOD | {"regions": [huge]}, GOOD | {"surfaces": [huge, huge]}, GOOD | {huge: 1}):
        assert all(len(field + reason) < 200 for field, reason in faults_of(record))


def test_the_constructor_refuses_too() -> None:
    """The library's users meet the same rules as a file does."""
    with pytest.raises(ValidationError):
        CaptureRequest(query="x", surfaces=[])


def test_a_webhook_secret_is_not_shown() -> None:
    """Logging a request does not log what deliveries are signed with."""
    request = request_of(GOOD | {"webhook": {"url": "https://x.example", "secret": "hush-hush"}})

    assert "hush-hush" not in repr(request)


def test_quoted_text_is_safe_for_a_terminal() -> None:
    """Nothing that a terminal would obey is passed on."""
    assert shown("\x1b]0;x\x07\u202e") == r"'\x1b]0;x\x07\u202e'"
