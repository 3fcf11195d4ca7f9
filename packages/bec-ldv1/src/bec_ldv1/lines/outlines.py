"""Lines from outlines of their pieces alone, where neither the probability map nor the page is at hand."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.assemble import level, linked
from bec_ldv1.lines.block import without_labels
from bec_ldv1.lines.columns import gutters, reading_order
from bec_ldv1.lines.drafts import Course, draft_of
from bec_ldv1.lines.fragments import ROW, STATION, find_fragments, reduce_map
from bec_ldv1.lines.scraps import pitch_of
from bec_ldv1.lines.shape import outline, regions, smoothed
from bec_ldv1.lines.values import Line, LineSettings

_REACH = 1.0  # how far a line's ink is taken to go on above and below its band, in bodies


def join_outlines(
    outlines: Sequence[NDArray[np.float64]], shape: tuple[int, int], settings: LineSettings | None = None
) -> list[Line]:
    """The lines of a plane of ``shape`` (height, width) in reading order; their confidence is 1.

    The outlines (N×2) are drawn as a map that is sure of all that lies inside them; pieces are then joined as
    :func:`assemble_lines` does. What it does by the ink can't be done: ends are the pieces' own, and nothing is
    dropped for being no writing.
    """
    settings = settings or LineSettings()
    plane = np.zeros(shape, np.uint8)
    for points in outlines:
        cv2.fillPoly(plane, [np.rint(points).astype(np.int32)], 1)
    reduced = reduce_map(plane.astype(np.float32))
    if reduced.size == 0:
        return []
    fragments = [f for f in find_fragments(reduced, settings) if f.body * ROW >= settings.min_body]
    if not fragments:
        return []
    course, barriers = Course(fragments, shape), gutters(fragments, shape)
    drafts = linked([draft_of(f) for f in fragments], course, barriers, shape[1], settings)
    drafts = smoothed(without_labels(drafts, barriers, settings))
    ends = [(float(d.first * STATION), float((d.last + 1) * STATION)) for d in drafts]
    levels = np.array([level(draft, course, shape[1]) for draft in drafts], np.float64)
    order = reading_order(np.array(ends, np.float64).reshape(-1, 2), levels, barriers)
    drafts, ends = [drafts[i] for i in order], [ends[i] for i in order]
    bands = regions(drafts, [(_REACH, _REACH)] * len(drafts), pitch_of(drafts), reduced.shape[1], shape[0])
    return [outline(*parts, 1.0) for parts in zip(drafts, bands, ends, strict=True)]
