"""What a record says beyond the contract's columns: whole lines on the page as it was scanned.

The columns stand behind the contract's, so that code that knows only those sees no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types

from bec_ldv1.lines import Line, Points
from bec_ldv1.page.flags import Flag

_POINTS = pa.list_(pa.struct([("x", pa.float32()), ("y", pa.float32())]))
_LINE = pa.struct([("polygon", _POINTS), ("baseline", _POINTS), ("confidence", pa.float32())])
COLUMNS = (
    pa.field("page_width", pa.int32()),
    pa.field("page_height", pa.int32()),
    pa.field("ink_share", pa.float32()),
    pa.field("lines", pa.list_(_LINE)),
    pa.field("flags", pa.list_(pa.string())),
    pa.field("quarter_turns", pa.int8()),
    pa.field("orientation", pa.int8()),
    pa.field("unread_share", pa.float32()),
    pa.field("unread_rows", pa.int16()),
    pa.field("doubt", pa.float32()),
)
"""The columns; all are null for a page that failed."""


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


def to_row(details: PageDetails | None) -> dict[str, Any]:
    """The values of the columns."""
    if details is None:
        return {column.name: None for column in COLUMNS}
    return {
        "page_width": details.width,
        "page_height": details.height,
        "ink_share": details.ink_share,
        "lines": [
            {
                "polygon": _points(line.polygon),
                "baseline": _points(line.baseline),
                "confidence": line.confidence,
            }
            for line in details.lines
        ],
        "flags": sorted(details.flags),
        "quarter_turns": details.quarter_turns,
        "orientation": details.orientation,
        "unread_share": details.unread_share,
        "unread_rows": details.unread_rows,
        "doubt": details.doubt,
    }


def from_row(row: dict[str, Any]) -> PageDetails | None:
    """The details of a row; None for a failed page, or one of a file that has only the contract's columns."""
    if row.get("lines") is None:
        return None
    known = {flag.value for flag in Flag}
    return PageDetails(
        width=row["page_width"],
        height=row["page_height"],
        ink_share=row["ink_share"],
        lines=[
            Line(_array(line["polygon"]), _array(line["baseline"]), line["confidence"])
            for line in row["lines"]
        ],
        flags=frozenset(Flag(flag) for flag in row["flags"] or () if flag in known),
        quarter_turns=(row.get("quarter_turns") or 0) % 4,  # files of before the column have none
        orientation=row.get("orientation"),
        unread_share=row.get("unread_share"),
        unread_rows=row.get("unread_rows"),
        doubt=row.get("doubt"),
    )


def _points(points: Points) -> list[dict[str, float]]:
    return [{"x": x, "y": y} for x, y in points.tolist()]


def _array(points: list[dict[str, float]]) -> Points:
    return np.array([(point["x"], point["y"]) for point in points], np.float32).reshape(-1, 2)
