"""The classical line finder to compare a network with: peaks of the horizontal projection profile.

Source: the projection-based methods in Likforman-Sulem, Zahour & Taconet, "Text line segmentation of
historical documents: a survey", IJDAR 9 (2007). Ink is counted per row, the profile is smoothed over a
fraction of its own period (found by autocorrelation), and every stretch above a share of the typical peak is
a line; its ends are where the ink of that stretch begins and ends. It knows no skew, no curvature, no
columns, no frames: that is the point of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bec_ldv1.evaluation.pages import Polygon, box_polygon

MIN_PERIOD = 12
"""Smallest distance between lines that is looked for, in rows."""

PEAK_SHARE = 0.35
"""A line's rows hold at least this share of the ink of the profile's 95th percentile row."""

MIN_INK_SHARE = 0.004
"""Pages with less ink than this in all rows (share of the width) have no lines."""


def projection_lines(ink: NDArray[np.uint8]) -> list[Polygon]:
    """The line boxes of a binarised plane (H×W, 0 ink, 255 paper), top to bottom, in the plane's pixels."""
    is_ink = ink == 0
    profile = is_ink.mean(axis=1)
    period = _period(profile)
    width = max(3, period // 4) | 1
    smooth = np.convolve(profile, np.ones(width) / width, mode="same")
    typical = float(np.percentile(smooth, 95)) if smooth.size else 0.0
    if typical < MIN_INK_SHARE:
        return []
    lines = []
    for top, bottom in _runs(smooth > PEAK_SHARE * typical):
        if bottom - top < max(4, period // 4):
            continue
        columns = np.flatnonzero(is_ink[top:bottom].sum(axis=0) > 0)
        left, right = np.percentile(columns, [0.5, 99.5])  # a stray speck shall not stretch the line
        lines.append(box_polygon(float(left), float(top), float(right), float(bottom)))
    return lines


def _period(profile: NDArray[np.float64]) -> int:
    """The distance between lines in rows: the first strong peak of the profile's autocorrelation."""
    centred = profile - profile.mean()
    size = 1 << (2 * len(centred) - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    correlation = np.fft.irfft(spectrum * np.conj(spectrum), size)[: len(centred)]
    upper = len(correlation) // 2
    if upper <= MIN_PERIOD + 1:
        return MIN_PERIOD
    window = correlation[MIN_PERIOD:upper]
    peaks = np.flatnonzero((window[1:-1] > window[:-2]) & (window[1:-1] >= window[2:])) + 1
    strong = [int(p) for p in peaks if window[p] > 0.3 * window[peaks].max()]
    return MIN_PERIOD + (strong[0] if strong else 0)


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The [start, end) of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
