"""What is worked out for all lines of a page together is what each alone has."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bec_ldv1.lines.band import BandInk, ink_ends, one_below_the_other, running_mean, straightened_ink
from bec_ldv1.lines.drafts import Draft
from bec_ldv1.lines.fragments import STATION
from bec_ldv1.lines.frames import uprights
from bec_ldv1.lines.scraps import without_crowding
from bec_ldv1.lines.shape import HALF, regions
from bec_ldv1.lines.smoothing import smooth
from bec_ldv1.mapping import mapped

ROUNDS = range(8)


def band(first: int, middle: np.ndarray, height: float) -> Draft:
    """A draft of this centre line and height, found everywhere."""
    size = middle.size
    return Draft(first, middle - height / 2, middle + height / 2, np.full(size, height), np.ones(size, bool))


@pytest.mark.parametrize("seed", ROUNDS)
def test_rows_are_smoothed_as_each_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [rng.normal(0, 10, size) for size in (1, 2, 3, 5, 8, 9, 40, *rng.integers(1, 60, 9).tolist())]
    for row, together in zip(rows, smooth(rows), strict=True):
        np.testing.assert_array_equal(smooth([row])[0], together)
        if row.size >= 3:
            padded = np.concatenate([row[[0, 0]], row, row[[-1, -1]]])
            calm = np.median([padded[i : i + row.size] for i in range(5)], axis=0)
            reach = min(9, row.size) // 2
            whole = np.concatenate(
                [2 * calm[0] - calm[reach:0:-1], calm, 2 * calm[-1] - calm[-2 : -reach - 2 : -1]]
            )
            wanted = [whole[i : i + 2 * reach + 1].mean() for i in range(row.size)]
            np.testing.assert_allclose(together, wanted, atol=1e-12)


@pytest.mark.parametrize("seed", ROUNDS)
def test_ink_is_shifted_column_by_column_also_where_a_course_leaves_the_plane(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ink = (rng.random((60, 8 * 30)) < 0.4).astype(np.uint8)
    drafts = [
        band(
            int(first), rng.uniform(-90, 210) + rng.normal(0, 40) * np.linspace(0, 1, 12), rng.uniform(6, 20)
        )
        for first in rng.integers(0, 18, 5)
    ]
    for draft, seen in zip(drafts, straightened_ink(drafts, ink, [1.5] * 5), strict=True):
        x = np.arange(draft.first * 8, (draft.last + 1) * 8)
        centres = (np.arange(draft.first, draft.last + 1) + 0.5) * STATION / HALF
        course = np.rint(np.interp(x, centres, smooth([draft.middle])[0] / HALF)).astype(int)
        reach = seen.height // 2
        for column, place, level in zip(seen.columns, x, course, strict=True):
            y = np.arange(level - reach, level + reach + 1)
            inside = (y >= 0) & (y < 60)
            np.testing.assert_array_equal(column, np.where(inside, ink[y.clip(0, 59), place], 0))


def test_ends_and_means_of_lines_of_several_lengths() -> None:
    rng = np.random.default_rng(3)
    rows = [np.where(rng.random(size) < 0.5, rng.random(size), 0.0) for size in (40, 9, 70)]
    rows.append(np.zeros(20))
    widths = [3.0, 8.0, 12.5, 4.0]
    bands = [
        BandInk(np.zeros((row.size, 3), np.uint8), width) for row, width in zip(rows, widths, strict=True)
    ]
    table = one_below_the_other(rows)
    means, ends = running_mean(table, widths), ink_ends(table, bands)
    for i, (row, width) in enumerate(zip(rows, widths, strict=True)):
        half = max(1, round(width / 2))
        padded = np.concatenate([np.zeros(half), row, np.zeros(half)])
        wanted = np.array([padded[j : j + 2 * half + 1].mean() for j in range(row.size)])
        np.testing.assert_allclose(means[i, : row.size], wanted, atol=1e-12)
        solid = np.flatnonzero((row > 0) & (wanted > 0.2 * np.percentile(wanted, 75)))
        assert ends[i] == ((int(solid[0]), int(solid[-1]) + 1) if solid.size else None)


@pytest.mark.parametrize("seed", ROUNDS)
def test_a_region_ends_at_the_nearest_band_of_another_line_also_where_lines_meet(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drafts = [
        band(int(first), rng.integers(1, 9, size) * 20.0, float(rng.integers(1, 5) * 4))
        for first, size in zip(rng.integers(0, 10, 12), rng.integers(1, 20, 12), strict=True)
    ]
    found = regions(drafts, [(2.0, 1.5)] * 12, None, 30, 200)
    for draft, (upper, lower) in zip(drafts, found, strict=True):
        for i, station in enumerate(range(draft.first, draft.last + 1)):
            others = [
                (d.middle[at], d.top[at], d.bottom[at])
                for d in drafts
                if 0 <= (at := station - d.first) < d.top.size
            ]
            y, top, bottom = draft.middle[i], draft.top[i], draft.bottom[i]
            above = max((b for middle, _, b in others if middle < y), default=-np.inf)
            below = min((t for middle, t, _ in others if middle > y), default=np.inf)
            assert upper[i] == max(0, top - min(max(0, top - above) / 2, 2.0 * draft.body))
            assert lower[i] == min(200, bottom + min(max(0, below - bottom) / 2, 1.5 * draft.body))


@pytest.mark.parametrize("seed", ROUNDS)
def test_no_upright_is_missed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    draft = band(0, np.full(4, 60.0), 8.0)  # five bodies are 20 rows
    for density in (0.5, 0.8, 0.93):
        ink = (rng.random((int(rng.integers(15, 70)), 32)) < density).astype(np.uint8)
        ink[:, 3::7] = 0
        ink[: int(rng.integers(8, 13)), 10] = 1  # at an edge half of one is enough
        leaning = cv2.dilate(ink, np.ones((1, 3), np.uint8))
        wanted = cv2.morphologyEx(leaning, cv2.MORPH_OPEN, np.ones((20, 1), np.uint8))
        np.testing.assert_array_equal(uprights([draft], ink), wanted)


def test_of_lines_too_near_to_each_other_the_heavier_stays() -> None:
    near = [band(0, np.full(20, y), height) for y, height in ((100.0, 20.0), (112.0, 14.0), (190.0, 20.0))]
    assert [d.level for d in without_crowding(near)] == [100.0, 190.0]
    notes = [band(0, np.full(20, y), 20.0) for y in (100.0, 160.0)] + [band(4, np.full(4, 130.0), 14.0)]
    assert [d.level for d in without_crowding(notes, 60.0)] == [100.0, 160.0]
    assert len(without_crowding(notes)) == 3


def test_outlines_are_mapped_each_as_itself() -> None:
    outlines = [np.arange(2 * size).reshape(-1, 2) for size in (1, 4, 0, 3)]
    made = mapped(outlines, lambda points: points * 0.5 + 1)
    for outline, found in zip(outlines, made, strict=True):
        np.testing.assert_array_equal(found, outline * 0.5 + 1)
    assert mapped([], lambda points: points * 2) == []
