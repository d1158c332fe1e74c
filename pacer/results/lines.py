"""
The result line: a contract, to the letter.
"""

from __future__ import annotations

import json
import math
import re
from operator import attrgetter

from pacer.journal.records import Json
from pacer.journal.views import ResultRow
from pacer.results.model import FIELDS

FIRST_BYTES = b'{"%b":' % FIELDS[0].encode()
"""How every line begins."""

_UNSEEN = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""
What JSON lets stand, but some terminals obey (C1 controls, bidirectional
overrides) and some readers take for the end of a line (U+0085, U+2028, U+2029).
"""

_values = attrgetter(*FIELDS)
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def render(row: ResultRow) -> bytes:
    """
    Return *row* as one line of compact JSON in UTF-8, line feed included.

    JSON has no NaN and no infinity, and UTF-8 no lone surrogate, but a service
    can send them all the same: the first become null, the second stay escaped.
    So do characters that a terminal would obey or a reader would break lines at.
    """
    line = dict(zip(FIELDS, _values(row), strict=True))
    try:
        text = _encode(line)
    except ValueError:
        text = _encode(_finite(line))
    if not text.isprintable():
        text = _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    # For a surrogate "backslashreplace" writes what JSON's own escape is.
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _finite(value: Json) -> Json:
    match value:
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list():
            return [_finite(item) for item in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value
