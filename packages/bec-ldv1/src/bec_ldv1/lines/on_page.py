"""Whole lines where a person can see them: on the image as it is stored."""

from __future__ import annotations

import numpy as np

from bec_ldv1.lines.assemble import assemble_lines
from bec_ldv1.lines.values import Line, LineSettings, Points, map_line
from bec_ldv1.page import Detection


def lines_on_source(seen: Detection, settings: LineSettings | None = None) -> list[Line]:
    """The lines of a detected page in pixels of its stored image: rotation, spline and scale undone.

    ``seen`` is what ``detect_page`` hands to its ``observe``. Without ``settings`` the defaults count.
    """

    def to_source(points: Points) -> Points:
        return np.asarray(seen.geometry.to_source(points), dtype=np.float32)

    lines = assemble_lines(seen.probabilities, seen.ink, settings or LineSettings())
    return [map_line(line, to_source) for line in lines]
