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

from bec_ocrv1.box.prepare import Gray, stretched

Reals = npt.NDArray[np.float32]

ROWS = 128
"""Rows that a window's image is resampled to."""
FEATURES = 4
WINDOW = 4.0
"""A window's width in heights of the image."""

_BEND = 2  # degree of the course: a cut that wasn't straightened slopes and bows
_ROUNDS = 6


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


def row_features(ink: npt.NDArray[np.bool_]) -> Reals:
    """Return what a window's rows look like: `(FEATURES, ROWS)`.

    Args:
        ink: True where there is ink, height × width.
    """
    height, width = ink.shape
    edged = np.pad(ink, ((1, 1), (1, 0)))
    inner = edged[1:-1, 1:]
    begins = (inner & ~edged[1:-1, :-1]).sum(axis=1) * (height / width / 8)
    above = (inner & ~edged[:-2, 1:]).sum(axis=1) * (4 / width)
    below = (inner & ~edged[2:, 1:]).sum(axis=1) * (4 / width)
    rows = np.stack([inner.mean(axis=1), begins, above, below]).astype(np.float32)
    # Edges are thin: resampled by area they would vanish in high images, so they are scaled with the height.
    rows[2:] *= height / ROWS
    method = cv2.INTER_AREA if height > ROWS else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rows, (ROWS, FEATURES), interpolation=method), np.float32).clip(0, 3)


def windows(ink: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first and last column of windows that cover a line, neighbours overlapping by half."""
    height, width = ink.shape
    size = min(width, round(WINDOW * height))
    count = max(1, round(2 * width / size) - 1)
    starts = np.linspace(0, width - size, count).round().astype(int)
    return [(int(start), int(start) + size) for start in starts]


def find_bodies(image: Gray, net: RowNet) -> Bodies:
    """Return where a line's bodies stand."""
    return find_all([image], net)[0]


def find_all(images: Sequence[Gray], net: RowNet) -> list[Bodies]:
    """Return where the bodies of several lines stand; the network sees all windows at once."""
    parts, spans, shares = [], [], []
    for image in images:
        ink = stretched(image) < 128
        found = windows(ink)
        spans.append(found)
        for first, last in found:
            part = ink[:, first:last]
            parts.append(row_features(part))
            shares.append(float(part.any(axis=0).mean()))
    if not parts:
        return []
    answers = np.asarray(net(np.stack(parts)), np.float64)
    out, at = [], 0
    for image, found in zip(images, spans, strict=True):
        ends = slice(at, at + len(found))
        out.append(_fitted(image.shape, found, answers[ends], np.array(shares[ends])))
        at += len(found)
    return out


def _fitted(
    shape: tuple[int, ...],
    spans: list[tuple[int, int]],
    answers: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
) -> Bodies:
    """Return the course through the windows' answers; those far from it count little."""
    height, width = shape[0], shape[1]
    tops, bottoms = answers[:, 0] * height, answers[:, 1] * height
    weights = weights + 1e-3
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
    return Bodies(np.polyval(course, reach), body)


def levelled(image: Gray, bodies: Bodies) -> tuple[Gray, float, float]:
    """Return the image with its bodies' course level, and the rows of their top and bottom."""
    mean = float(bodies.middle.mean())
    top, bottom = mean - bodies.height / 2, mean + bodies.height / 2
    if float(np.abs(bodies.middle - mean).max()) < 0.04 * bodies.height:
        return image, top, bottom
    rows = (
        np.arange(image.shape[0], dtype=np.float32)[:, None]
        + (bodies.middle - mean).astype(np.float32)[None, :]
    )
    columns = np.broadcast_to(np.arange(image.shape[1], dtype=np.float32)[None, :], rows.shape)
    paper = int(np.percentile(image, 90))
    out = cv2.remap(
        image,
        np.ascontiguousarray(columns),
        rows,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=paper,
    )
    return np.asarray(out, np.uint8), top, bottom
