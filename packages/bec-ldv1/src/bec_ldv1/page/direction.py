"""Which way up a page was scanned: seen by where the network finds most writing.

A network that knows writing sees next to none in lines that stand on end, and less, and less surely, in lines
that stand on their heads. So a page is looked at as it is, and only where little or nothing sure is found
is it turned and looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import cv2
import numpy as np
import numpy.typing as npt

from bec_ldv1.page.decode import Plane

UPSIDE_DOWN = 2
ON_A_SIDE = (1, 3)

_SURE = 0.9
_LIKELY = 0.5
_CONFIDENT = 0.935  # mean probability of what is likely: under it a page may stand on its head
_READ = 0.3  # share of the ink that lies in lines: under it lines may have been missed
_HARDLY_READ = 0.15
_LEAST = 0.004  # share of the page that must be surely line in another direction
_BETTER = 1.25  # times as much as upright
_ON_A_SIDE = 8.0  # the same for a side: lines that stand on end show nothing at all
_AROUND_BAND = np.ones(
    (15, 5), np.uint8
)  # a band covers the letters' bodies: their ink goes on above and below


@attrs.frozen
class Evidence:
    """What a look at a page in one direction gives.

    Attributes:
        sure: share of the page's frame that is line with a probability above 0.9.
        confidence: mean probability of what is rather line than not; 0 where nothing is.
        read: share of the page's ink that lies in or close to what is rather line than not.
    """

    sure: float
    confidence: float
    read: float

    @property
    def doubtful(self) -> bool:
        """Whether so little is read, or so unsurely, that the page may lie otherwise."""
        return self.read < _READ or self.confidence < _CONFIDENT

    @property
    def weight(self) -> float:
        """How much writing it shows; upside-down writing is found nearly as often, but less surely."""
        return self.sure * self.confidence**4


def evidence(probabilities: npt.NDArray[np.float32], ink: Plane, pixels: int | None = None) -> Evidence:
    """What probabilities (float32 height × width) say of a page with this ink (same size, 0 is ink).

    ``pixels`` is how many the page's frame has, where they show another part of it.
    """
    likely = (probabilities > _LIKELY).view(np.uint8)
    sure = int(np.count_nonzero(probabilities > _SURE)) / max(1, pixels or probabilities.size)
    if not cv2.countNonZero(likely):
        return Evidence(sure, 0.0, 0.0)
    strokes = (ink == 0).view(np.uint8)
    near = cv2.bitwise_and(strokes, cv2.dilate(likely, _AROUND_BAND))
    read = cv2.countNonZero(near) / max(1, cv2.countNonZero(strokes))
    return Evidence(sure, float(cv2.mean(probabilities, likely)[0]), read)


def turns_to_try(upright: Evidence) -> tuple[int, ...]:
    """The quarter turns, counter-clockwise, that a page should be looked at in besides as it is."""
    if upright.read < _HARDLY_READ:
        return (UPSIDE_DOWN, *ON_A_SIDE)
    return (UPSIDE_DOWN,) if upright.doubtful else ()


def best_turn(looks: Mapping[int, Evidence]) -> int:
    """The quarter turns in which a page is upright: 0 unless another direction shows clearly more.

    Args:
        looks: quarter turns → what was seen; 0 is among them.
    """
    turn = max(looks, key=lambda turns: looks[turns].weight)
    found, upright = looks[turn], looks[0]
    better = _ON_A_SIDE if turn in ON_A_SIDE else _BETTER
    if found.sure < _LEAST or found.weight < better * upright.weight:
        return 0
    return turn
