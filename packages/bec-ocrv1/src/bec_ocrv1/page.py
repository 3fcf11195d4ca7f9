"""One page: from its image and the lines that ldv1 found to its text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bec_core import PageData, PageError, TaskContext
from bec_ldv1.artifacts import PageLines, cut_line, decode_page, line_bbox_rectified
from bec_ocrv1.artifacts import PageText, Point, ReadLine
from bec_ocrv1.identity import same_image
from bec_ocrv1.reading import Recogniser
from bec_ocrv1.text import recorded


def read_page(ctx: TaskContext, page: PageLines, data: PageData, engine: Recogniser) -> PageText:
    """The page's text, its lines in their reading order.

    Raises:
        PageError: the image is not the one whose lines were found, or can't be decoded; or the engine failed.
    """
    if not same_image(page.source_etag, data.etag):
        raise PageError(
            f"the image has changed since its lines were found: its etag was {page.source_etag}, now {data.etag}",
            stage="lines",
            error_type="ImageChanged",
        )
    with ctx.timed("cut"):
        image = decode_page(data.data)
        placed = page.on(image)
        crops = [cut_line(image, placed, line) for line in placed.lines]
    with ctx.timed("recognise"):
        readings = engine.read(crops) if crops else []
    lines = tuple(
        ReadLine(
            text=recorded(reading.text),
            confidence=min(1.0, max(0.0, float(reading.confidence))),
            bbox=line_bbox_rectified(placed, line),
            polygon=_points(line.polygon),
            baseline=_points(line.baseline),
        )
        for line, reading in zip(placed.lines, readings, strict=True)
    )
    return PageText(
        image=page.image,
        source_etag=data.etag,
        rotation_angle=float(placed.rotation_angle),
        tps_points=None if placed.tps_points is None else _rows(placed.tps_points),
        tps_alpha=None if placed.tps_alpha is None else float(placed.tps_alpha),
        width=placed.width,
        height=placed.height,
        quarter_turns=placed.quarter_turns,
        flags=tuple(sorted(map(str, placed.flags))),
        orientation=image.orientation,
        lines=lines,
    )


def _points(points: npt.NDArray[np.float32]) -> tuple[Point, ...]:
    return tuple((float(x), float(y)) for x, y in points)


def _rows(points: npt.NDArray[np.float32]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(map(float, row)) for row in points)
