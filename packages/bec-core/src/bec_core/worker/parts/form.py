"""A part as bytes: a line of JSON that says whose pages follow, then their values; compressed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

FORMAT = 1
_QUICKLY = 1  # zlib's level: values are read once, if ever


@frozen
class KeptPage:
    """A page's result.

    Attributes:
        map: the how-manieth ``map_pages`` of its task made it.
        returns: the name of the class that it returns.
        index: the page's place in the volume.
        name: its file name.
        etag: of the bytes that it was made from.
        ms: the time that it took, by stage.
        value: what :class:`~bec_core.pages.values.PageValues` makes of the result.
    """

    map: int
    returns: str
    index: int
    name: str
    etag: str
    ms: Mapping[str, float]
    value: bytes


def to_bytes(identity: Mapping[str, Any], pages: Sequence[KeptPage]) -> bytes:
    """The part of these pages; ``identity`` says of what work they are results."""
    listed = [
        [p.map, p.returns, p.index, p.name, p.etag, {k: round(v, 3) for k, v in p.ms.items()}, len(p.value)]
        for p in pages
    ]
    head = json.dumps({"format": FORMAT, "of": identity, "pages": listed}).encode()
    return zlib.compress(b"\n".join([head, b"".join(p.value for p in pages)]), _QUICKLY)


def from_bytes(data: bytes) -> tuple[Mapping[str, Any], list[KeptPage]]:
    """The identity and the pages of a part.

    Raises:
        ValueError: it is damaged, or of another format.
    """
    try:
        head, _, values = zlib.decompress(data).partition(b"\n")
        told = json.loads(head)
        if told["format"] != FORMAT:
            raise ValueError(f"its format is {told['format']!r}, not {FORMAT}")
        pages, at = [], 0
        for number, returns, index, name, etag, ms, size in told["pages"]:
            pages.append(KeptPage(number, returns, index, name, etag, ms, values[at : at + size]))
            at += size
        if at != len(values):
            raise ValueError(f"its values have {len(values):,} bytes, not {at:,}")
        return dict(told["of"]), pages
    except (zlib.error, KeyError, TypeError) as error:
        raise ValueError(f"it is damaged: {type(error).__name__}: {error}") from error
