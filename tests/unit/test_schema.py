"""The schemas in docs/schema: made from the models, and true of what pacer takes and writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pacer.results import schema
from pacer.results.model import FIELDS
from pacer.wire.problems import Refusal
from pacer.wire.requests import read_mapping

ROOT = Path(__file__).parents[2]
REQUEST = Draft202012Validator(schema.request_schema())
RESULT = Draft202012Validator(schema.result_schema())


def test_the_files_are_what_the_models_give(tmp_path: Path) -> None:
    """After a change of a model: python -m pacer.results.schema."""
    schema.main(str(tmp_path))
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}

    kept = {path.name: path.read_text() for path in (ROOT / "docs" / "schema").iterdir()}
    assert made == kept
    for text in kept.values():
        Draft202012Validator.check_schema(json.loads(text))


def examples() -> Iterator[Any]:
    """Yield every request in the example file and in the README."""
    lines = (ROOT / "examples" / "captures.jsonl").read_text().splitlines()
    blocks = re.findall(r"^```json\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    yield from (json.loads(line) for line in [*lines, *"".join(blocks).splitlines()])


def test_every_example_is_valid() -> None:
    """Requests and result lines as the README and the examples show them."""
    kinds = {True: 0, False: 0}
    for example in examples():
        is_result = set(FIELDS) <= example.keys()
        (RESULT if is_result else REQUEST).validate(example)
        kinds[is_result] += 1
    assert kinds[True] >= 1
    assert kinds[False] > 200


texts = st.sampled_from(["", " ", "US", "us", "USA", "claude", "https://a.b/", "https://", "x y", "é"])
values = texts | st.sampled_from([None, True, 0, 1, 5, 11, -3, 2.5])
region = texts | st.dictionaries(
    st.sampled_from(["country", "city", "language", "county"]), values, max_size=3
)
usual = {
    "id": values,
    "query": values,
    "prompt": values,
    "surfaces": values | st.lists(values, max_size=3),
    "regions": values | st.lists(region, max_size=11),
    "priority": values,
    "method": values,
    "webhook": values | st.dictionaries(st.sampled_from(["url", "secret", "x"]), values, max_size=3),
    "idempotencyKey": values,
    "idempotency_key": values,
    "colour": values,
}
good: dict[str, Any] = {"query": "q", "surfaces": ["claude"]}


@given(st.fixed_dictionaries({}, optional=usual), st.booleans())
def test_what_pacer_takes_is_valid(record: dict[str, Any], filled: bool) -> None:
    """The schema forbids nothing that pacer takes: an editor that knows it does not cry wolf."""
    if filled:
        record = good | record
    if not isinstance(read_mapping(record), Refusal):
        REQUEST.validate(record)


@pytest.mark.parametrize(
    "record",
    [
        {"surfaces": ["claude"]},
        {"query": "q"},
        good | {"prompt": "q"},
        good | {"surfaces": []},
        good | {"surfaces": "claude"},
        good | {"query": "x" * 10_001},
        good | {"regions": ["USA"]},
        good | {"regions": ["US"] * 11},
        good | {"regions": [{"city": "Berlin"}]},
        good | {"priority": 11},
        good | {"priority": "5"},
        good | {"webhook": {"url": "https://example.org"}},
        good | {"colour": "red"},
        good | {"idempotencyKey": "a", "idempotency_key": "a"},
        good | {"id": 1.5},
    ],
)
def test_what_is_plainly_wrong_is_invalid(record: dict[str, Any]) -> None:
    """A mistake that a schema can tell is told by it, and by pacer."""
    assert not REQUEST.is_valid(record)
    assert isinstance(read_mapping(record), Refusal)
