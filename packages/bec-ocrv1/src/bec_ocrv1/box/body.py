"""Where letters' bodies stand in a line's image: the course through their middles, and their height.

A small network looks at the image's rows, not at its letters: how much of a row is inked, how often ink begins in it,
how much ink has paper above or below. It does so for windows along the line; a smooth course goes through what it
says of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs
import cv2
import numpy as np
import numpy.typing as npt

from bec_ocrv1.box.prepare import Gray

Reals = npt.NDArray[np.float32]

ROWS = 128
"""Rows that a window's image is resampled to."""
FEATURES = 4
WINDOW = 4.0
"""A window's width in heights of the image."""

_BEND = 2  # degree of the course: a cut that wasn't straightened slopes and bows
_ROUNDS = 6
_LEVEL = 0.04  # bodies by which a course may be off level


class RowNet(Protocol):
    """Windows' rows `(N, FEATURES, ROWS)` → for each its bodies' top and bottom, as shares of the height."""

    def __call__(self, rows: Reals) -> Reals:
        """Return `(N, 2)`."""
        ...


@attrs.frozen(eq=False)
class Bodies:
    """A line's letters' bodies.

    Attributes:
        middle: for each column of the image the row of their middle.
        height: in rows.
    """

    middle: npt.NDArray[np.float64]
    height: float


def row_features(plain: Gray, spans: Sequence[tuple[int, int]]) -> Reals:
    """Return what the rows of windows look like: `(windows, FEATURES, ROWS)`.

    Args:
        plain: a line, its grey values stretched.
        spans: first and last column of each window.
    """
    height, width = plain.shape
    ink = np.asarray(cv2.threshold(plain, 127, 1, cv2.THRESH_BINARY_INV)[1], np.uint8)
    edged = np.zeros((height + 2, width + 1), np.uint8)
    edged[1:-1, 1:] = ink
    begins = cv2.subtract(ink, np.ascontiguousarray(edged[1:-1, :-1]))
    above = cv2.subtract(ink, np.ascontiguousarray(edged[:-2, 1:]))
    below = cv2.subtract(ink, np.ascontiguousarray(edged[2:, 1:]))
    # Edges are thin: resampled they would vanish in high images, so they are scaled with the height.
    shares = (1.0, height / 8, 4 * height / ROWS, 4 * height / ROWS)
    method = cv2.INTER_AREA if height > ROWS else cv2.INTER_LINEAR
    out = np.empty((len(spans), FEATURES, ROWS), np.float32)
    for index, (first, last) in enumerate(spans):
        rows = np.empty((FEATURES, height), np.float32)
        for feature, (plane, share) in enumerate(zip((ink, begins, above, below), shares, strict=True)):
            sums = cv2.reduce(plane[:, first:last], 1, cv2.REDUCE_SUM, dtype=cv2.CV_32F)
            rows[feature] = sums[:, 0] * (share / (last - first))
        out[index] = cv2.resize(rows, (ROWS, FEATURES), interpolation=method)
    return out.clip(0, 3)


def windows(height: int, width: int) -> list[tuple[int, int]]:
    """Return first and last column of windows that cover a line, neighbours overlapping by half."""
    size = min(width, round(WINDOW * height))
    count = max(1, round(2 * width / size) - 1)
    starts = np.linspace(0, width - size, count).round().astype(int)
    return [(int(start), int(start) + size) for start in starts]


def find_bodies(plain: Gray, net: RowNet) -> Bodies:
    """Return where a line's bodies stand.

    Args:
        plain: the line, its grey values stretched (`bec_ocrv1.box.prepare.stretched`).
    """
    spans = windows(*plain.shape)
    rows = row_features(plain, spans)
    # A window counts as much as is written in it: as ink begins in its rows.
    return _fitted(
        plain.shape, spans, np.asarray(net(rows), np.float64), rows[:, 1].sum(axis=1).astype(np.float64)
    )


def _fitted(
    shape: tuple[int, ...],
    spans: list[tuple[int, int]],
    answers: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
) -> Bodies:
    """Return the course through the windows' answers; those far from it count little."""
    height, width = shape[0], shape[1]
    tops, bottoms = answers[:, 0] * height, answers[:, 1] * height
    weights = weights + 1e-3 * (1 + weights.max())
    order = np.argsort(bottoms - tops)
    running = np.cumsum(weights[order])
    body = float((bottoms - tops)[order][np.searchsorted(running, running[-1] / 2)])
    body = float(np.clip(body, 4, height))
    middles = (tops + bottoms) / 2
    places = np.array([(first + last) / 2 for first, last in spans]) / max(width, 1) - 0.5
    degree = min(_BEND, (len(spans) - 1) // 2)
    trust = weights
    course = np.zeros(1)
    for _ in range(_ROUNDS):
        course = np.polyfit(places, middles, degree, w=np.sqrt(trust)) if len(spans) > 1 else middles[:1]
        off = np.abs(middles - np.polyval(course, places)) / (0.15 * body)
        trust = weights / np.maximum(off, 1.0)
    columns = np.arange(width) / max(width, 1) - 0.5
    reach = np.clip(columns, places.min(), places.max())
    return Bodies(np.asarray(np.polyval(course, reach), np.float64), body)


def levelled(plain: Gray, bodies: Bodies) -> tuple[Gray, float, float]:
    """Return a line (paper white) with its bodies' course level, and the rows of their top and bottom."""
    mean = float(bodies.middle.mean())
    top, bottom = mean - bodies.height / 2, mean + bodies.height / 2
    if float(np.abs(bodies.middle - mean).max()) < _LEVEL * bodies.height:
        return plain, top, bottom
    rows = (
        np.arange(plain.shape[0], dtype=np.float32)[:, None]
        + (bodies.middle - mean).astype(np.float32)[None, :]
    )
    columns = np.broadcast_to(np.arange(plain.shape[1], dtype=np.float32)[None, :], rows.shape)
    out = cv2.remap(
        plain,
        np.ascontiguousarray(columns),
        rows,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=255,
    )
    return np.asarray(out, np.uint8), top, bottom
