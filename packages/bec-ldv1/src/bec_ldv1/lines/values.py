"""What line assembly takes and gives: ``LineSettings`` and ``Line``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from bec_ldv1.mapping import mapped

Points = NDArray[np.float32]
"""N×2 points (x, y)."""


@attrs.frozen(eq=False)
class Line:
    """One text line of a page.

    ``polygon``: float32 N×2, the line's region from the gap above it to the gap below, clockwise from its top
    left corner. ``baseline``: float32 M×2, left to right, through the middle of the letters' bodies (Tibetan
    letters hang from a head line and have no common foot, so the middle is the line that always meets ink).
    ``confidence``: the mean probability inside the band that the network found, 0 to 1. Coordinates are
    (x, y) in pixels of the plane that the line was found on, until ``map_lines`` takes it elsewhere.
    """

    polygon: Points
    baseline: Points
    confidence: float


def map_lines(lines: Sequence[Line], map_points: Callable[[Points], Points]) -> list[Line]:
    """The lines with every point sent through ``map_points`` (float32 N×2 to N×2, row by row), all at once."""
    curves = mapped([curve for line in lines for curve in (line.polygon, line.baseline)], map_points)
    return [
        Line(*parts)
        for parts in zip(curves[::2], curves[1::2], (line.confidence for line in lines), strict=True)
    ]


@attrs.frozen
class LineSettings:
    """The numbers of line assembly. "Body" is the height of the found band, "length" the line's extent in x.

    Every length is relative to the body or to the plane, so that one set fits all page sizes.
    """

    threshold: float = 0.5
    """Probability from which on a pixel belongs to a line."""

    valley_share: float = 0.8
    """Between two lines, pixels under this share of the lower of the two peaks belong to neither."""

    min_body: int = 6
    """Lowest band, in pixels, that can be a line."""

    link_gap: float = 0.5
    """Widest gap inside a line, as a share of the plane's width."""

    link_offset: float = 0.5
    """Farthest that two pieces of one line may be off each other's course, in bodies."""

    link_level: float = 0.4
    """The same in distances between lines (pitches), for pieces that the first round left apart."""

    link_height_ratio: float = 2.2
    """Pieces whose bodies differ by more than this factor are not of one line."""

    min_probability: float = 0.75
    """Least mean probability of a line."""

    min_length: float = 2.0
    """Least length of a line, in bodies."""

    min_ink: float = 0.04
    """Least share of ink in a line's band, long rules not counted."""

    max_ink: float = 0.92
    """Largest share of ink in a line's band: above it is a picture or a dark edge."""

    min_relative_ink: float = 0.3
    """Least share of ink in a line's band, over that of the page's dense lines."""

    min_spread: float = 0.1
    """Least spread of a line's ink over its height (see ``ink_spread``): under it is a drawn line."""

    margin_length: float = 0.12
    """A piece beside the text block that is shorter than this share of the block's width is a margin label."""
