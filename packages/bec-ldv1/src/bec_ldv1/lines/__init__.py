"""Whole text lines from a network's probability map."""

from bec_ldv1.lines.assemble import Assembled, assemble_lines, assemble_page
from bec_ldv1.lines.outlines import join_outlines
from bec_ldv1.lines.values import Line, LineSettings, Points, map_lines

__all__ = [
    "Assembled",
    "Line",
    "LineSettings",
    "Points",
    "assemble_lines",
    "assemble_page",
    "join_outlines",
    "map_lines",
]
