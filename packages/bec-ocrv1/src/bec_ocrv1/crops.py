"""The images of a page's lines, as every engine gets them.

Detection ends a line within the width of a letter, often before its last tsheg. So a line's outline is drawn out at
both ends by a third of its height, yet at most half the way to another line: what stands there is read, and nothing
twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from attrs import frozen

from bec_ldv1.artifacts import PageImage, PageLines, cut_line
from bec_ocrv1.reading import GreyLine

Points = npt.NDArray[np.float32]

MORE = 1 / 3
"""By how much of its height a line is drawn out at each end."""
_END = 0.5  # of the height: outline points so near to the end move with it
_INNER = 5  # points of the course that say where its end is heading


@frozen(eq=False)
class Outlined:
    """A line as `cut_line` takes it."""

    polygon: Points
    baseline: Points


def cut_lines(image: PageImage, page: PageLines) -> list[GreyLine]:
    """The lines' images, in reading order: straight, upright, the neighbours painted over.

    Raises:
        PageProblem: the image has not the size that is recorded, or a line has no outline.
    """
    outlines = [line.polygon for line in page.lines]
    return [
        cut_line(
            image, page, drawn_out(line.polygon, line.baseline, outlines[:number] + outlines[number + 1 :])
        )
        for number, line in enumerate(page.lines)
    ]


def drawn_out(polygon: Points, baseline: Points, others: Sequence[Points]) -> Outlined:
    """A line whose outline reaches further at both ends; ``others`` are the outlines of the page's other lines."""
    outline = polygon.astype(np.float32)
    if len(outline) < 3 or len(baseline) < 2:
        return Outlined(outline, baseline)
    height = float(min(cv2.minAreaRect(outline)[1]))
    inner = min(_INNER, len(baseline) - 1)
    for end, before in ((baseline[0], baseline[inner]), (baseline[-1], baseline[-1 - inner])):
        step = (end - before).astype(np.float64)
        length = float(np.hypot(*step))
        if length:
            _move_end(outline, end, step / length, height, others)
    return Outlined(outline, baseline)


def _move_end(
    outline: Points, end: Points, heading: npt.NDArray[np.float64], height: float, others: Sequence[Points]
) -> None:
    """Move an outline's points at one end of its course, in place."""
    along = (outline - end) @ heading
    last = float(along.max())
    more = min(MORE * height, _room(end, heading, height, last, others) / 2)
    outline[along > last - _END * height] += (more * heading).astype(np.float32)


def _room(
    end: Points, heading: npt.NDArray[np.float64], height: float, last: float, others: Sequence[Points]
) -> float:
    """How far it is from the outline's end to the next line ahead; endless where there is none."""
    room = np.inf
    across = np.array([-heading[1], heading[0]])
    for other in others:
        ahead, aside = (other - end) @ heading, (other - end) @ across
        # ahead, and at the same height: its middle lies beyond the end, its outline reaches into the line's band
        if len(other) and ahead.mean() > last and aside.min() < height / 2 and aside.max() > -height / 2:
            room = min(room, max(0.0, float(ahead.min()) - last))
    return float(room)
