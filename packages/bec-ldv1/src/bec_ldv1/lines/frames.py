"""Drawn frames: what a line holds beyond an upright of the frame is a picture, a label or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.drafts import Draft
from bec_ldv1.lines.fragments import STATION
from bec_ldv1.lines.ranks import median
from bec_ldv1.lines.shape import HALF

_LEAST_HEIGHT = 5.0  # an upright is at least so high, in bodies …
_BLOCK_SHARE = 0.7  # … and this share of the lines' height
_KEPT_SHARE = 0.25  # a part beyond an upright stays when it is at least this share of the longest part


def uprights(drafts: Sequence[Draft], ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pixels of the half-size ink that belong to uprights of a frame, as 0 and 1.

    A lean of a pixel or two doesn't hide an upright, a break does: stacked letters would seem to stand, too.
    """
    body = median([d.body for d in drafts]) / HALF
    block = (max(float(d.bottom.max()) for d in drafts) - min(float(d.top.min()) for d in drafts)) / HALF
    height = max(9, round(_LEAST_HEIGHT * body), round(_BLOCK_SHARE * block))
    leaning = np.asarray(cv2.dilate(ink, np.ones((1, 3), np.uint8)), np.uint8)
    standing = np.zeros_like(leaning)
    high = np.flatnonzero(_can_stand(leaning, height))
    if high.size:  # on most pages none is
        upright = cv2.morphologyEx(leaning[:, high], cv2.MORPH_OPEN, np.ones((height, 1), np.uint8))
        standing[:, high] = upright.reshape(-1, high.size)
    return standing


def _can_stand(ink: NDArray[np.uint8], height: int) -> NDArray[np.bool_]:
    """For each column whether it can hold an upright so high: whether it has as much ink at all.

    At the plane's edges, where an upright may go on beyond, about half of it is enough.
    """
    start, stop = ink[: height - height // 2], ink[-(height // 2) - 1 :]
    enough = _counts(ink) >= height
    return np.asarray(enough | (_counts(start) == len(start)) | (_counts(stop) == len(stop)), dtype=np.bool_)


def _counts(ink: NDArray[np.uint8]) -> NDArray[np.int32]:
    """How many pixels of each column are ink."""
    return np.asarray(cv2.reduce(ink, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0], np.int32)


def within_frame(draft: Draft, standing: NDArray[np.uint8]) -> Draft:
    """The draft without short parts that lie beyond an upright, nor what led to them and the network did not find."""
    height, width = standing.shape
    x = np.arange(draft.first * STATION // HALF, min(width, (draft.last + 1) * STATION // HALF))
    station = np.minimum(x * HALF // STATION - draft.first, draft.top.size - 1)
    crossed = np.ones(x.size, bool)
    for share in (0.25, 0.5, 0.75):
        y = draft.top[station] + share * (draft.bottom - draft.top)[station]
        rows = np.clip(np.rint(y / HALF).astype(np.int64), 0, height - 1)
        crossed &= standing[rows, x] > 0
    places = np.flatnonzero(crossed) * HALF // STATION
    if places.size == 0:
        return draft
    parts = _parts(places, draft.top.size)
    lengths = [stop - start for start, stop in parts]
    kept = [part for part, length in zip(parts, lengths, strict=True) if length >= _KEPT_SHARE * max(lengths)]
    inner = draft.cut(kept[0][0], kept[-1][1])
    found = np.flatnonzero(inner.found)
    return inner.cut(int(found[0]), int(found[-1]) + 1) if found.size else inner


def _parts(places: NDArray[np.int64], size: int) -> list[tuple[int, int]]:
    """The stations between the uprights, which stand in the stations ``places``, as [start, stop)."""
    bounds = sorted({0, size, *places.tolist(), *(p + 1 for p in places.tolist())})
    standing = set(places.tolist())
    parts = [(a, b) for a, b in pairwise(bounds) if not (b - a == 1 and a in standing)]
    return parts or [(0, size)]
