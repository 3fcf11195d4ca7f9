"""A picture of one page with its lines drawn over it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import attrs
import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from bec_ldv1.artifacts.image import decode_page
from bec_ldv1.lines import Line
from bec_ldv1.network.setup import start_engine
from bec_ldv1.output.turned import TURNED
from bec_ldv1.page.contours import Points
from bec_ldv1.page.decode import PageImage
from bec_ldv1.page.detect import detect_page
from bec_ldv1.page.flags import Flag
from bec_ldv1.page.orientation import to_upright
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.make import page_record
from bec_ldv1.record.records import PageRecord

LONGEST_SIDE = 2_400
"""The picture is at most so large, in pixels."""

_COLOURS = ((214, 39, 40), (31, 119, 180), (44, 140, 44), (148, 80, 189), (201, 110, 10))
_SHADE = 0.16  # how strongly a line's region is tinted
_SUB = 4  # cv2 draws at 1/16 px when coordinates are given with so many bits after the point

Picture = npt.NDArray[np.uint8]


@attrs.frozen(eq=False)
class Preview:
    """A page that was looked at.

    Attributes:
        picture: uint8, height × width × 3 (RGB), upright.
        record, details: what a job would have recorded.
        model: the model's name.
        seconds: from the image file's bytes to the lines; loading the model is not in it.
    """

    picture: Picture
    record: PageRecord
    details: PageDetails
    model: str
    seconds: float

    def summary(self) -> str:
        """What was found, in one line."""
        angle = self.record.rotation_angle
        facts = [
            f"{len(self.details.lines)} lines",
            *filter(None, [TURNED[self.details.quarter_turns]]),
            f"rotation {angle:+.2f}°" if angle else "no rotation",
            *(flag for flag in sorted(self.details.flags) if flag not in (Flag.ROTATED, Flag.TURNED)),
            f"{self.seconds:.2f} s with the model {self.model}",
        ]
        return ", ".join(facts)


def preview(path: Path, *, model_path: Path | None = None) -> Preview:
    """Detect the lines of an image file and draw them.

    Raises:
        OSError: the file can't be read.
        PageProblem: the page can't be processed.
        CheckpointError: the model can't be used.
    """
    data = path.read_bytes()
    with start_engine(model_path) as engine:
        began = time.perf_counter()
        record = page_record(path.name, "", detect_page(data, engine))
        seconds = time.perf_counter() - began
        name = engine.model.name
    details = record.details
    assert details is not None, "detection records the details of what it saw"
    upright = decode_page(data, details.quarter_turns)
    return Preview(draw(upright, details.lines), record, details, name, seconds)


def draw(page: PageImage, lines: Sequence[Line]) -> Picture:
    """The upright page with every line's region tinted, its outline and course drawn, and its number.

    Args:
        page: the decoded image.
        lines: in pixels of the image as it is stored.
    """
    scale = min(1.0, LONGEST_SIDE / max(page.width, page.height))
    size = (max(1, round(page.width * scale)), max(1, round(page.height * scale)))
    grey = page.plane if scale == 1 else cv2.resize(page.plane, size, interpolation=cv2.INTER_AREA)
    picture = np.repeat(np.asarray(grey, np.uint8)[..., None], 3, axis=2)
    shapes = [[_drawn(part, page, size) for part in (line.polygon, line.baseline)] for line in lines]
    tinted = picture.copy()
    for number, (polygon, _) in enumerate(shapes):
        cv2.fillPoly(tinted, [polygon], _COLOURS[number % len(_COLOURS)], cv2.LINE_AA, _SUB)
    picture = np.asarray(cv2.addWeighted(tinted, _SHADE, picture, 1 - _SHADE, 0), np.uint8)
    thick = max(1, round(max(size) / 1_200))
    for number, (polygon, baseline) in enumerate(shapes):
        colour = _COLOURS[number % len(_COLOURS)]
        cv2.polylines(picture, [polygon], True, colour, thick, cv2.LINE_AA, _SUB)
        cv2.polylines(picture, [baseline], False, colour, thick, cv2.LINE_AA, _SUB)
        _number(picture, number + 1, baseline[0] >> _SUB, colour)
    return picture


def save(picture: Picture, path: Path) -> None:
    """Write the picture as PNG.

    Raises:
        OSError: the file can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, "PNG")


def _drawn(points: npt.NDArray[np.float32], page: PageImage, size: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Points of the stored image as cv2 draws them on the picture: in sixteenths of its pixels."""
    upright: Points = to_upright(points.astype(np.float64), page.orientation, page.width, page.height)
    scale = np.array(size) / (page.width, page.height)
    return np.rint(((upright + 0.5) * scale - 0.5) * (1 << _SUB)).astype(np.int32)


def _number(picture: Picture, number: int, at: npt.NDArray[np.int32], colour: tuple[int, int, int]) -> None:
    """A line's number before its beginning, on white so that it can be read on any page."""
    height = max(picture.shape[:2]) / 2_400
    font, size = cv2.FONT_HERSHEY_SIMPLEX, max(0.4, 0.9 * height)
    thick = max(1, round(2 * height))
    (wide, high), _ = cv2.getTextSize(str(number), font, size, thick)
    x, y = max(2, int(at[0]) - wide - 8), int(at[1]) + high // 2
    cv2.rectangle(picture, (x - 3, y - high - 4), (x + wide + 3, y + 4), (255, 255, 255), cv2.FILLED)
    cv2.putText(picture, str(number), (x, y), font, size, colour, thick, cv2.LINE_AA)
