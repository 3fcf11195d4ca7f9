"""The whole way from a probability map to the page's lines."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.band import (
    BandInk,
    ink_ends,
    ink_height,
    ink_reach,
    ink_spread,
    one_below_the_other,
    running_mean,
    straightened_ink,
)
from bec_ldv1.lines.block import without_labels
from bec_ldv1.lines.columns import barriers_of, gutters, reading_order
from bec_ldv1.lines.drafts import Course, Doubles, Draft, draft_of
from bec_ldv1.lines.extension import extended
from bec_ldv1.lines.fragments import ROW, STATION, find_fragments, reduce_map
from bec_ldv1.lines.frames import uprights, within_frame
from bec_ldv1.lines.gutters import parted, white_gutters
from bec_ldv1.lines.linking import joined_alone, link
from bec_ldv1.lines.ranks import median, percentile
from bec_ldv1.lines.scraps import pitch_of, usual_body, without_crowding, without_ink_twins
from bec_ldv1.lines.shape import HALF, half_ink, outline, regions, smoothed, without_rules
from bec_ldv1.lines.short import Extent, long_enough
from bec_ldv1.lines.signs import lines_and_signs, reach_over
from bec_ldv1.lines.tail import Row, tails
from bec_ldv1.lines.values import Line, LineSettings

_LEAST_HEIGHT = 0.6  # bodies of ink in a short line: specks are lower
_AROUND = 3.0  # how far around its centre a line's ink is looked at, in bodies
_GAP = 3.0  # bodies from which on white in a line is a wide gap …
_LITTLE = 1e-6  # … with less than this share of columns that have ink
_BODY_OF_PITCH = 0.5  # a band's usual height, in distances between lines


@attrs.frozen(eq=False)
class Assembled:
    """The lines of a page in reading order, and how many last syllables are beside them: see `tail`."""

    lines: list[Line]
    unread_tails: int = 0


def assemble_lines(
    probability: NDArray[np.float32], ink: NDArray[np.uint8], settings: LineSettings
) -> list[Line]:
    """The text lines of a page in reading order: those of `assemble_page`."""
    return assemble_page(probability, ink, settings).lines


def assemble_page(
    probability: NDArray[np.float32], ink: NDArray[np.uint8], settings: LineSettings
) -> Assembled:
    """The text lines of a page, and what looks like one more.

    ``probability`` is the network's map (float32 H×W, 0 to 1), ``ink`` the binarised plane that it was made from
    (uint8 H×W, 0 ink, 255 paper). Coordinates of the lines are pixels of that plane. Raises ``ValueError``
    when the two differ in shape.
    """
    if probability.shape != ink.shape:
        raise ValueError(f"map and plane differ in shape: {probability.shape} and {ink.shape}")
    shape = (int(ink.shape[0]), int(ink.shape[1]))
    reduced = reduce_map(probability)
    if reduced.size == 0:
        return Assembled([])
    fragments = find_fragments(reduced, settings)
    fragments = [f for f in fragments if f.body * ROW >= settings.min_body]
    if not fragments:
        return Assembled([])
    stripes = white_gutters(fragments, ink)
    fragments = parted(fragments, stripes, ink)
    course = Course(fragments, shape)
    barriers = barriers_of(gutters(fragments, shape), stripes)
    drafts = linked([draft_of(f) for f in fragments], course, barriers, shape[1], settings)
    drafts = without_labels(drafts, barriers, settings)
    if not drafts:
        return Assembled([])
    half = half_ink(ink)
    standing = uprights(drafts, half)
    if standing.any():
        drafts = [within_frame(d, standing) for d in drafts]
    clean = without_rules(half, median([d.body for d in drafts]))
    drafts, signs = lines_and_signs(without_ink_twins(drafts, clean), clean)
    drafts = extended(drafts, course, barriers, pitch_of(drafts), clean)
    kept = _trimmed(drafts, clean, settings)
    kept = _without_faint(_without_short(kept, settings), settings)
    kept, unread = _with_tails(kept, barriers, probability, clean)
    spans = np.array([t.ends for t in kept], np.float64).reshape(-1, 2)
    levels = np.array([level(t.draft, course, shape[1]) for t in kept], np.float64)
    kept = [kept[i] for i in reading_order(spans, levels, barriers)]
    pitch = pitch_of([t.draft for t in kept])
    reaches = [reach_over(t.draft, signs, t.reach) for t in kept]
    bands = regions([t.draft for t in kept], reaches, pitch, reduced.shape[1], shape[0])
    lines = [outline(t.draft, band, t.ends, t.confidence) for t, band in zip(kept, bands, strict=True)]
    return Assembled(lines, unread)


def linked(
    drafts: Sequence[Draft], course: Course, barriers: Sequence[float], width: int, settings: LineSettings
) -> list[Draft]:
    """Link twice: near pieces by their own height first, then the rest by the distance of the lines."""
    max_gap = settings.link_gap * width
    ratio, offset = settings.link_height_ratio, settings.link_offset
    drafts = link(drafts, course, barriers, max_gap=max_gap, max_ratio=ratio, offset=offset)
    drafts = without_crowding(drafts)
    pitch = pitch_of(drafts)
    if pitch is not None:
        drafts = link(
            drafts,
            course,
            barriers,
            max_gap=1.5 * max_gap,
            max_ratio=np.inf,
            offset=settings.link_level,
            pitch=pitch,
        )
        drafts = without_crowding(drafts, pitch)
    else:
        drafts = joined_alone(drafts, course, max_gap)
    # Pieces of a line that was found in part are lower than its body: the page's usual body counts, too.
    usual = 0.0 if pitch is None else min(usual_body(drafts), _BODY_OF_PITCH * pitch)
    extents = [_extent(d, d.first * STATION, d.first * STATION + d.found.sum() * STATION) for d in drafts]
    least = [settings.min_length * max(d.body, usual) for d in drafts]
    return [d for d, keep in zip(drafts, long_enough(extents, least, pitch), strict=True) if keep]


def _extent(draft: Draft, left: float, right: float) -> Extent:
    return Extent(left, right, draft.start, draft.body)


def level(draft: Draft, course: Course, width: int) -> float:
    """The y at which the line, carried on along the page's course, crosses the middle of the plane."""
    x = (draft.first + draft.last + 1) / 2 * STATION
    y = float(draft.middle.mean())
    away = width / 2 - x
    return y + course.slope_at(x + away / 2, y) * away


@attrs.frozen(eq=False)
class _Trimmed:
    """A draft cut to its ink, with the x of its two ends and how far its ink goes above and below the band.

    ``height`` is that of its ink within the band, in bodies.
    """

    draft: Draft
    ends: tuple[float, float]
    reach: tuple[float, float]
    confidence: float
    density: float
    height: float


def _without_faint(lines: list[_Trimmed], settings: LineSettings) -> list[_Trimmed]:
    """Drop lines with far less ink than the page's dense ones: specks and grain that look like writing."""
    if not lines:
        return lines
    least = settings.min_relative_ink * percentile([t.density for t in lines], 80)
    return [t for t in lines if t.density >= least]


def _without_short(lines: list[_Trimmed], settings: LineSettings) -> list[_Trimmed]:
    """Drop lines whose ink is too short, but for those that stand where a line is expected and are high enough."""
    extents = [_extent(t.draft, *t.ends) for t in lines]
    least = [settings.min_length * t.draft.body for t in lines]
    if all(extent.length >= long for extent, long in zip(extents, least, strict=True)):
        return lines
    keep = long_enough(extents, least, pitch_of([t.draft for t in lines]))
    return [
        t
        for t, kept, extent, long in zip(lines, keep, extents, least, strict=True)
        if kept and (extent.length >= long or t.height >= _LEAST_HEIGHT)
    ]


def _with_tails(
    lines: list[_Trimmed],
    barriers: Sequence[float],
    probability: NDArray[np.float32],
    ink: NDArray[np.uint8],
) -> tuple[list[_Trimmed], int]:
    """The lines with the last syllables that are some, and how many others there are."""
    columns = np.searchsorted(barriers, [(t.draft.first + t.draft.last + 1) / 2 * STATION for t in lines])
    rows = [
        Row(*t.ends, t.draft.start, t.draft.body, int(column))
        for t, column in zip(lines, columns, strict=True)
    ]
    found = [tail for tail in tails(rows, probability, ink) if not any(tail.meets(t.draft) for t in lines)]
    new = [
        _Trimmed(tail.draft(), (tail.left, tail.right), tail.reach, tail.confidence, 1.0, tail.height)
        for tail in found
        if tail.is_line
    ]
    return [*lines, *new], len(found) - len(new)


@attrs.frozen(eq=False)
class _Cut:
    """A draft cut to its ink, not yet smoothed; the rest as in `_Trimmed`."""

    draft: Draft
    band: BandInk
    ends: tuple[float, float]
    confidence: float
    density: float


def _trimmed(drafts: Sequence[Draft], ink: NDArray[np.uint8], settings: LineSettings) -> list[_Trimmed]:
    """The drafts cut to their ink and smoothed, those that are lines of text."""
    if not drafts:
        return []
    bands = straightened_ink(drafts, ink, [_AROUND] * len(drafts))
    shares = one_below_the_other([band.share(-0.5, 0.5) for band in bands])
    words = running_mean((shares > 0).astype(np.float64), [_GAP * band.body for band in bands]) > _LITTLE
    cuts = [
        cut
        for draft, band, share, in_words, ends in zip(
            drafts, bands, shares, words, ink_ends(shares, bands), strict=True
        )
        if ends is not None and (cut := _cut(draft, band, share, in_words, ends)) is not None
    ]
    cuts = [cut for cut in cuts if _is_text(cut, settings)]
    return [
        _Trimmed(draft, cut.ends, ink_reach(cut.band), cut.confidence, cut.density, ink_height(cut.band))
        for draft, cut in zip(smoothed([cut.draft for cut in cuts]), cuts, strict=True)
    ]


def _cut(
    draft: Draft, band: BandInk, share: Doubles, in_words: NDArray[np.bool_], ends: tuple[int, int]
) -> _Cut | None:
    """The draft between its two ``ends``, columns of its band; None when the network found nothing there.

    ``share`` is the share of ink in each column, ``in_words`` tells the columns outside of wide gaps.
    """
    start, stop = ends
    written = np.repeat(draft.found, STATION // HALF)[start:stop] & in_words[start:stop]
    inked = share[start:stop][written]  # wide gaps say nothing about the writing
    if not inked.size:
        return None
    left = draft.first * STATION
    cut = draft.cut(start * HALF // STATION, min(draft.top.size, -(-stop * HALF // STATION)))
    area = float(np.add.reduce((cut.bottom - cut.top)[cut.found])) / ROW
    return _Cut(
        cut,
        band,
        (float(left + start * HALF), float(left + stop * HALF)),
        min(1.0, float(np.add.reduce(cut.mass)) / max(area, 1e-6)),
        float(np.add.reduce(inked)) / inked.size,
    )


def _is_text(cut: _Cut, settings: LineSettings) -> bool:
    """Whether a line is neither faint nor a picture nor a rule, and the network is sure of it."""
    return (
        settings.min_ink <= cut.density <= settings.max_ink
        and ink_spread(cut.band) >= settings.min_spread
        and cut.confidence >= settings.min_probability
    )
