"""Whole lines of a page in source-page coordinates: what the contract's columns don't say."""

from __future__ import annotations

import attrs
import numpy as np

from bec_ldv1.lines import Line, LineSettings, Points, assemble_lines, map_line
from bec_ldv1.model.line_model import LineModel
from bec_ldv1.page import Detection


@attrs.frozen(eq=False)
class PageLines:
    """A page's whole lines in reading order, and the size of the image that they lie on.

    Attributes:
        width, height: of the image as it is stored, pixels.
        lines: polygon and baseline in pixels of the stored image (rotation and spline undone).
    """

    width: int
    height: int
    lines: tuple[Line, ...]


def find_page_lines(detection: Detection, model: LineModel) -> PageLines:
    """Assemble the lines of a detection and take them back to the stored image."""
    settings = LineSettings(threshold=model.postprocess.threshold)
    found = assemble_lines(detection.probabilities, detection.ink, settings)
    page = detection.geometry.page
    width, height = (page.height, page.width) if page.orientation >= 5 else (page.width, page.height)

    def to_source(points: Points) -> Points:
        return detection.geometry.to_source(points).astype(np.float32)

    return PageLines(width, height, tuple(map_line(line, to_source) for line in found))
