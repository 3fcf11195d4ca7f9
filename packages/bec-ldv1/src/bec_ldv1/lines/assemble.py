"""The whole way from a probability map to the page's lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.block import without_labels
from bec_ldv1.lines.columns import gutters, reading_order
from bec_ldv1.lines.fragments import ROW, STATION, find_fragments, reduce_map
from bec_ldv1.lines.linking import Course, Draft, link
from bec_ldv1.lines.shape import HALF, band_ink, half_ink, ink_ends, outline, regions, smoothed, without_rules
from bec_ldv1.lines.values import Line, LineSettings


def assemble_lines(
    probability: NDArray[np.float32], ink: NDArray[np.uint8], settings: LineSettings
) -> list[Line]:
    """The text lines of a page in reading order.

    ``probability`` is the network's map (float32 H×W, 0 to 1), ``ink`` the binarised plane that it was made from
    (uint8 H×W, 0 ink, 255 paper). Coordinates of the lines are pixels of that plane. Raises ``ValueError``
    when the two differ in shape.
    """
    if probability.shape != ink.shape:
        raise ValueError(f"map and plane differ in shape: {probability.shape} and {ink.shape}")
    shape = (int(ink.shape[0]), int(ink.shape[1]))
    reduced = reduce_map(probability)
    if reduced.size == 0:
        return []
    fragments = find_fragments(reduced, settings)
    fragments = [f for f in fragments if f.body * ROW >= settings.min_body]
    if not fragments:
        return []
    course = Course(fragments, shape)
    barriers = gutters(fragments, shape)
    drafts = [d for d in link(fragments, course, shape[1], barriers, settings) if _long_enough(d, settings)]
    drafts = without_labels(_without_scraps(drafts, settings), settings)
    if not drafts:
        return []
    clean = without_rules(half_ink(ink), float(np.median([d.body for d in drafts])))
    kept: list[tuple[Draft, tuple[float, float], float]] = []
    for draft in drafts:
        trimmed = _trim(draft, clean, settings)
        if trimmed is not None:
            kept.append(trimmed)
    spans = np.array([ends for _, ends, _ in kept], np.float64).reshape(-1, 2)
    levels = np.array([_level(draft, course, shape[1]) for draft, _, _ in kept], np.float64)
    kept = [kept[i] for i in reading_order(spans, levels, barriers)]
    stations = reduced.shape[1]
    bands = regions([d for d, _, _ in kept], stations, shape)
    return [outline(d, band, ends, score) for (d, ends, score), band in zip(kept, bands, strict=True)]


def _level(draft: Draft, course: Course, width: int) -> float:
    """The y at which the line, carried on along the page's course, crosses the middle of the plane."""
    x = np.array([(draft.first + draft.last + 1) / 2 * STATION])
    y = np.array([float(draft.middle.mean())])
    away = width / 2 - x
    return float((y + course.slope(x + away / 2, y) * away)[0])


def _long_enough(draft: Draft, settings: LineSettings) -> bool:
    return bool(draft.found.sum() * STATION >= settings.min_length * draft.body)


def _without_scraps(drafts: Sequence[Draft], settings: LineSettings) -> list[Draft]:
    """Drop what lies too near to a heavier line to be one: remains of bridges, halves of tall letters."""
    kept: list[Draft] = []
    for draft in sorted(drafts, key=lambda d: -d.mass.sum()):
        if not any(_crowding(draft, other, settings.min_distance) > 0.5 for other in kept):
            kept.append(draft)
    return kept


def _crowding(draft: Draft, other: Draft, distance: float) -> float:
    """Share of the draft's stations in which its centre is within ``distance`` (in bodies) of the other's."""
    first, last = max(draft.first, other.first), min(draft.last, other.last)
    if first > last:
        return 0.0
    mine = draft.middle[first - draft.first : last - draft.first + 1]
    theirs = other.middle[first - other.first : last - other.first + 1]
    near = np.abs(mine - theirs) < distance * max(draft.body, other.body)
    return float(near.sum()) / draft.top.size


def _trim(
    draft: Draft, ink: NDArray[np.uint8], settings: LineSettings
) -> tuple[Draft, tuple[float, float], float] | None:
    """The draft cut to its ink, its ends' x, and its confidence; None when it is no line of text."""
    columns = band_ink(draft, ink)
    ends = ink_ends(columns, draft.body)
    if ends is None:
        return None
    density = float(columns[ends[0] : ends[1]].mean())
    first = ends[0] * HALF // STATION
    stop = min(draft.top.size, -(-ends[1] * HALF // STATION))
    left = draft.first * STATION + ends[0] * HALF
    right = draft.first * STATION + ends[1] * HALF
    draft = draft.cut(first, stop)
    if not draft.found.any():
        return None
    area = (draft.bottom - draft.top)[draft.found].sum() / ROW
    confidence = float(min(1.0, draft.mass.sum() / max(area, 1e-6)))
    long = right - left >= settings.min_length * draft.body
    inked = settings.min_ink <= density <= settings.max_ink
    if not (long and inked and confidence >= settings.min_probability):
        return None
    return smoothed(draft), (float(left), float(right)), confidence
