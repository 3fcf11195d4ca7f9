"""The report's HTML: templates filled with escaped text.

Whatever comes from a volume (names, messages, the marker) goes through :func:`text` or :func:`json_block`; the
pages' Content-Security-Policy allows no script but the report's own, and nothing from the network.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Any


def text(value: object) -> str:
    """Any value as text inside an element or a quoted attribute; half surrogates become question marks."""
    return escape(text_only(str(value)))


def text_only(value: str) -> str:
    """A name without half surrogates, which JSON and UTF-8 files can't carry."""
    return value.encode("utf-8", "replace").decode()


def json_block(value: Any) -> str:
    """JSON for a ``<script type="application/json">``: no character in it can end the element."""
    encoded = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return encoded.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def document(template: str, scripts: Sequence[str], **fields: str) -> str:
    """The asset ``template`` with its fields, the style sheet and the assets ``scripts`` filled in.

    ``fields`` are HTML: every text in them is escaped already. A missing field is a KeyError.
    """
    code = "\n".join(map(_asset, scripts))
    policy = (
        f"default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{_sha256(code)}'; base-uri 'none'; form-action 'none'"
    )
    values: Mapping[str, str] = {**fields, "policy": policy, "style": _asset("report.css"), "script": code}
    return Template(_asset(template)).substitute(values)


def plural(count: int, noun: str) -> str:
    """ "1 page", "1,234 pages"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


@cache
def _asset(name: str) -> str:
    """A file of the package's ``assets`` folder."""
    return (files("bec_ldv1.output.report") / "assets" / name).read_text(encoding="utf-8")


def _sha256(code: str) -> str:
    """The base64 hash by which a Content-Security-Policy names an inline script."""
    return base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
