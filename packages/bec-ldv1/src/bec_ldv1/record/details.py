"""What a record says beyond the contract's columns: whole lines on the page as it was scanned.

The columns stand behind the contract's, so that code that knows only those sees no difference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types

from bec_ldv1.lines import Line, Points
from bec_ldv1.page.flags import Flag
from bec_ldv1.record.nested import lists, rows_of_structs, spans, struct_lists

_POINTS = pa.list_(pa.struct([("x", pa.float32()), ("y", pa.float32())]))
_LINE = pa.struct([("polygon", _POINTS), ("baseline", _POINTS), ("confidence", pa.float32())])
_LINES = pa.list_(_LINE)
_FLAGS = pa.list_(pa.string())
FLAGS = "flags"
"""The column of a page's flags, of which one is known only when the whole volume is."""

COLUMNS = (
    pa.field("page_width", pa.int32()),
    pa.field("page_height", pa.int32()),
    pa.field("ink_share", pa.float32()),
    pa.field("lines", _LINES),
    pa.field(FLAGS, _FLAGS),
    pa.field("quarter_turns", pa.int8()),
    pa.field("orientation", pa.int8()),
    pa.field("unread_share", pa.float32()),
    pa.field("unread_rows", pa.int16()),
    pa.field("doubt", pa.float32()),
    pa.field("unread_tails", pa.int8()),
)
"""The columns; all are null for a page that failed."""

_PLAIN = {
    "page_width": "width",
    "page_height": "height",
    "ink_share": "ink_share",
    "quarter_turns": "quarter_turns",
    "orientation": "orientation",
    "unread_share": "unread_share",
    "unread_rows": "unread_rows",
    "doubt": "doubt",
    "unread_tails": "unread_tails",
}
"""Columns of one plain value, with the attribute of `PageDetails` that they hold."""


@attrs.frozen(eq=False)
class PageDetails:
    """A page's size, its whole lines, and what is remarkable.

    Attributes:
        width, height: of the image as it is stored, pixels.
        ink_share: share of the page that is ink, 0 to 1.
        lines: in reading order; polygon and baseline in pixels of the stored image (rotation and spline undone).
        flags: see `Flag`; `SUSPICIOUS` is set when the whole volume is known.
        quarter_turns: how many quarter turns counter-clockwise bring the image upright, after its EXIF orientation;
            0 to 3.
        orientation: the file's EXIF orientation, 1 to 8: how viewers turn the stored image; None is not recorded.
        unread_share, unread_rows, doubt: what is beside the lines, see `bec_ldv1.record.unread.Beside`; None in files
            of before these columns.
        unread_tails: what looks like a last syllable below a block of lines and is none of them, see
            `bec_ldv1.lines.tail`; None in files of before this column.
    """

    width: int
    height: int
    ink_share: float
    lines: Sequence[Line]
    flags: frozenset[Flag] = frozenset()
    quarter_turns: int = 0
    orientation: int | None = None
    unread_share: float | None = None
    unread_rows: int | None = None
    doubt: float | None = None
    unread_tails: int | None = None


def to_columns(pages: Sequence[PageDetails | None]) -> list[pa.Array]:
    """The values of the columns."""
    lines = [line for page in pages if page is not None for line in page.lines]
    confidences = np.array([line.confidence for line in lines], np.float32)
    structs = pa.StructArray.from_arrays(
        [
            struct_lists([line.polygon for line in lines], _POINTS),
            struct_lists([line.baseline for line in lines], _POINTS),
            pa.array(confidences),
        ],
        fields=list(_LINE),
    )
    columns: dict[str, Any] = {
        name: [None if page is None else getattr(page, attribute) for page in pages]
        for name, attribute in _PLAIN.items()
    }
    columns["lines"] = lists([None if page is None else len(page.lines) for page in pages], structs, _LINES)
    columns[FLAGS] = flag_column([None if page is None else page.flags for page in pages])
    made = [columns[field.name] for field in COLUMNS]
    return [
        column if isinstance(column, pa.Array) else pa.array(column, field.type)
        for field, column in zip(COLUMNS, made, strict=True)
    ]


def flag_column(pages: Iterable[Collection[str] | None]) -> pa.Array:
    """The column `FLAGS` out of each page's flags, in any order; None for a page that failed."""
    return pa.array([None if flags is None else sorted(flags) for flags in pages], _FLAGS)


def from_columns(columns: Mapping[str, pa.Array]) -> Iterator[PageDetails | None]:
    """The details of each row; None for a failed page, or one of a file that has only the contract's columns.

    Raises:
        ValueError: a coordinate or a confidence is null.
    """
    if "lines" not in columns:
        yield from (None for _ in range(len(columns["ok"])))
        return
    known = {flag.value for flag in Flag}
    where = spans(columns["lines"])
    flags = columns[FLAGS].to_pylist()
    # files of before a column have none of it
    plain: dict[str, list[Any]] = {
        attribute: columns[name].to_pylist() if name in columns else [None] * len(where)
        for name, attribute in _PLAIN.items()
    }
    found = _lines(columns["lines"].values)
    for row, span in enumerate(where):
        if span is None:
            yield None
            continue
        values: dict[str, Any] = {attribute: column[row] for attribute, column in plain.items()}
        values["quarter_turns"] = (values["quarter_turns"] or 0) % 4
        yield PageDetails(
            **values,
            lines=found[span],
            flags=frozenset(Flag(flag) for flag in flags[row] or () if flag in known),
        )


def _lines(column: pa.StructArray) -> list[Line]:
    """The lines of all pages, one after the other."""
    polygons, baselines = (_outlines(column.field(name)) for name in ("polygon", "baseline"))
    confidences = column.field("confidence").to_numpy().tolist()
    return [Line(*parts) for parts in zip(polygons, baselines, confidences, strict=True)]


def _outlines(column: pa.ListArray) -> list[Points]:
    points = rows_of_structs(column.values).astype(np.float32, copy=False)
    return [points[span].copy() for span in spans(column)]
