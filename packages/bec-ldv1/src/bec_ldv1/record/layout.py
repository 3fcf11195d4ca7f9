"""How regularly a page's lines lie, from the lines alone; the page may be stored askew, turned or upside down."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt

from bec_ldv1.lines import Line

Doubles = npt.NDArray[np.float64]

_BESIDE = 0.35  # lines that share less than this part of the shorter one's length stand beside each other


@attrs.frozen
class Layout:
    """What is irregular about a page's lines. All lengths are in the page's median line height.

    Attributes:
        height: the lines' median height, as a share of the page's longer side.
        pitch: the median distance from a line to the next one below it; 1 where no two lie below each other.
        gap: the largest such distance, in pitches.
        closest: the smallest such distance, in pitches.
        uneven: how much a line is higher or lower than most, as the largest absolute logarithm of the ratio.
        shortest: the shortest line but the last, over the median length; 1 where there are fewer than three.
        beside: how many lines have another one beside them, as pieces of one line have, and columns.
        ragged: how far the left ends spread, from the 10th to the 90th percentile, over the median length.
    """

    height: float
    pitch: float = 1.0
    gap: float = 1.0
    closest: float = 1.0
    uneven: float = 0.0
    shortest: float = 1.0
    beside: int = 0
    ragged: float = 0.0


def layout_of(lines: Sequence[Line], side: int) -> Layout | None:
    """The layout of lines in reading order, on a page whose longer side is ``side`` pixels; None without lines."""
    if not lines:
        return None
    level = _levelled(lines)
    left, right, middle, height = (np.array(values) for values in zip(*map(_measured, level), strict=True))
    usual = float(np.median(height))
    length = np.maximum(right - left, 1e-6)
    common = np.minimum.outer(right, right) - np.maximum.outer(left, left)
    shared = common / np.minimum.outer(length, length)
    below = middle[None, :] - middle[:, None]
    under = np.where((shared >= _BESIDE) & (below > 0), below, np.inf).min(axis=1)
    steps = under[np.isfinite(under)]
    pitch = float(np.median(steps)) if steps.size else usual
    near = (np.abs(below) < 0.4 * pitch) & (shared < _BESIDE)
    np.fill_diagonal(near, False)
    return Layout(
        height=usual / max(side, 1),
        pitch=pitch / max(usual, 1e-6),
        gap=float(steps.max()) / pitch if steps.size else 1.0,
        closest=float(steps.min()) / pitch if steps.size else 1.0,
        uneven=float(np.abs(np.log(np.maximum(height, 1e-6) / max(usual, 1e-6))).max()),
        shortest=float(length[:-1].min() / np.median(length)) if len(lines) > 2 else 1.0,
        beside=int(near.any(axis=1).sum()),
        ragged=float(np.subtract(*np.percentile(left, [90, 10])) / np.median(length)),
    )


def _levelled(lines: Sequence[Line]) -> list[tuple[Doubles, Doubles]]:
    """The lines' polygons and baselines, turned so that most of them run to the right."""
    ways = np.array([line.baseline[-1] - line.baseline[0] for line in lines], np.float64)
    lengths = np.hypot(ways[:, 0], ways[:, 1])
    longest = ways[lengths >= np.median(lengths)].sum(axis=0)
    size = float(np.hypot(*longest))
    cos, sin = longest / size if size > 0 else (1.0, 0.0)
    turn = np.array([[cos, sin], [-sin, cos]])
    return [(line.polygon @ turn.T, line.baseline @ turn.T) for line in lines]


def _measured(line: tuple[Doubles, Doubles]) -> tuple[float, float, float, float]:
    """A level line's left and right end, its middle's y, and its mean height."""
    polygon, baseline = line
    left, right = float(baseline[:, 0].min()), float(baseline[:, 0].max())
    x, y = polygon[:, 0], polygon[:, 1]
    area = 0.5 * abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))))
    return left, right, float(baseline[:, 1].mean()), area / max(right - left, 1.0)
