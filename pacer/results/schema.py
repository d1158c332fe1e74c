"""
JSON Schemas of a request and of a result line, made from the models::

    python -m pacer.results.schema docs/schema

A schema says less than pacer checks (it cannot say that an id is unique in a
batch, or that a query is not blank in every spelling of it), never more: what
pacer takes is valid.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from pacer.results.model import ResultError, ResultLine
from pacer.wire.requests import CaptureRequest, Region, Webhook

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_ATTRIBUTES = re.compile(r"^Attributes:\n(.*?)(?:^\S|\Z)", re.DOTALL | re.MULTILINE)
_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*?)(?=^ {4}\w|\Z)", re.DOTALL | re.MULTILINE)


class _Untitled(GenerateJsonSchema):
    """A property is called what it is called; a title in capitals adds nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def request_schema() -> dict[str, Any]:
    """Return the schema of one request, in every spelling that is read."""
    schema = _schema_of(CaptureRequest, Region, Webhook)
    properties = schema["properties"]
    for name, alias in (("query", "prompt"), ("idempotencyKey", "idempotency_key")):
        properties[alias] = properties[name] | {
            "description": f"Another spelling of {name}; give one of them."
        }
    properties["id"]["anyOf"].append({"type": "integer"})
    schema["required"].remove("query")
    schema["oneOf"] = [{"required": ["query"]}, {"required": ["prompt"]}]
    schema["not"] = {"required": ["idempotencyKey", "idempotency_key"]}
    return schema


def result_schema() -> dict[str, Any]:
    """Return the schema of one line of the results."""
    return _schema_of(ResultLine, ResultError)


def _schema_of(model: type[BaseModel], *inner: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=_Untitled)
    _describe(schema, model)
    for one in inner:
        _describe(schema["$defs"][one.__name__], one)
    return {"$schema": DIALECT, **schema}


def _describe(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Say of each property what the docstring of *model* says of its attribute."""
    text = inspect.getdoc(model) or ""
    schema["description"] = _prose(text.partition("\n\n")[0])
    found = _ATTRIBUTES.search(text)
    described = dict(_ATTRIBUTE.findall(found[1])) if found else {}
    for name, field in model.model_fields.items():
        prose = {"description": _prose(described[name])}
        schema["properties"][_spelling(schema, name, field)].update(prose)


def _spelling(schema: dict[str, Any], name: str, field: Any) -> str:
    """Return the name under which the schema has the field."""
    return name if name in schema["properties"] else str(field.validation_alias.choices[0])


def _prose(text: str) -> str:
    """Return a docstring's *text* on one line, without its markup."""
    return re.sub(r":class:|`", "", " ".join(text.split()))


def main(folder: str = "docs/schema") -> None:
    """Write both into *folder*."""
    for name, schema in (("request", request_schema()), ("result", result_schema())):
        path = Path(folder) / f"{name}.schema.json"
        path.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
