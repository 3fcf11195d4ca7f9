"""From the stored image's pixels to those of the upright page, as `bec_ldv1.artifacts.decode_page` gives it."""

from __future__ import annotations

from collections.abc import Iterable

from bec_ldv1.artifacts import PageImage
from bec_ocrv1.artifacts import Point


def to_upright(points: Iterable[Point], image: PageImage) -> list[Point]:
    """Points x, y of the stored image on the upright page."""
    turn, width, height = image.orientation, image.width, image.height
    found = []
    for x, y in points:
        across, down = (y, x) if turn >= 5 else (x, y)
        if turn in (2, 3, 6, 7):
            across = width - 1 - across
        if turn in (3, 4, 7, 8):
            down = height - 1 - down
        found.append((across, down))
    return found
