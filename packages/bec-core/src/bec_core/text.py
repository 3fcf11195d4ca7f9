"""Text of strangers (manifests, messages, file names, errors) made fit for a terminal and for JSON.

A control character in it could move the cursor, paint over what stands there or reverse the reading order;
shown as an escape it is only odd.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

_MARKS = "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_UNSHOWN = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_MARKS}]")
_UNSHOWN_IN_LINE = re.compile(f"[\x00-\x1f\x7f-\x9f{_MARKS}]")
_RAW_IN_JSON = re.compile(f"[\x7f-\x9f{_MARKS}]")


def shown(text: str) -> str:
    """``text`` for a terminal: C0, C1 and bidi controls and lone surrogates as escapes; newline and tab stay."""
    return _UNSHOWN.sub(_escape, text)


def shown_line(text: str) -> str:
    """As :func:`shown`, but newline and tab are escaped too: a value that must not begin a line of its own."""
    return _UNSHOWN_IN_LINE.sub(_escape, text)


def csv_cell(value: object) -> str:
    """A value for a CSV file that people open in a spreadsheet: in one line, and never taken for a formula.

    What a formula could begin with gets an apostrophe before it, as OWASP's page on CSV injection has it.
    """
    text = "" if value is None else shown_line(str(value))
    return f"'{text}" if text.lstrip()[:1] in _FORMULA else text


_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def readable(name: str) -> str:
    """A file's name as valid Unicode: bytes that are no UTF-8 (Latin-1, say) as ``\\xNN``."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def shortened(text: str, width: int, measure: Callable[[str], int] = len) -> str:
    """A long name in at most ``width``, by ``measure``: its two ends, where names of a series differ, and a sign."""
    if measure(text) <= width:
        return text
    tail = (width - 1) // 2
    return _cut(text, width - 1 - tail, measure) + "…" + _cut(text[::-1], tail, measure)[::-1]


def _cut(text: str, width: int, measure: Callable[[str], int]) -> str:
    while (over := measure(text) - width) > 0:
        text = text[: len(text) - max(1, over // 2)]
    return text


def json_text(data: object, *, default: Callable[[object], object] = str, indent: int | None = None) -> str:
    """``data`` as JSON that keeps its letters, with each control character as an escape of JSON's."""
    text = json.dumps(data, default=default, ensure_ascii=False, indent=indent)
    return _RAW_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    short: dict[str, Any] = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    code = ord(found[0])
    return (
        str(short.get(found[0]))
        if found[0] in short
        else f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
    )
