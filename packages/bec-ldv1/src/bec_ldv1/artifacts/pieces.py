"""Lines out of the contract's pieces, for files of the earlier system, which hold no lines.

The pieces are joined on the rectified page by the rules by which detection joins them, and the lines taken back to
the stored raster. So a line of such a file is cut and measured like any other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bec_ldv1.artifacts.frames import Rectified, rectification
from bec_ldv1.lines import Line, Points, join_outlines, map_lines
from bec_ldv1.page.contours import Contour
from bec_ldv1.page.decode import PageImage
from bec_ldv1.page.orientation import to_stored, to_upright
from bec_ldv1.page.scale import detection_size

_STEP = 32.0  # detection px between an outline's points


def lines_of_pieces(contours: Sequence[Contour], page: Rectified, image: PageImage) -> list[Line]:
    """The lines that a page's contours make, in reading order, in stored pixels.

    Args:
        contours: on the rectified page.
        page: how it was rectified.
        image: the page's own.

    Raises:
        PageProblem: the recorded spline's points admit no spline.
    """
    pieces = [contour for contour in contours if len(contour) >= 3]
    if not pieces:
        return []
    upright = (image.orientation, image.width, image.height)
    width, height = detection_size(image.width, image.height)
    scale = np.array([width / image.width, height / image.height])
    outlines = [to_upright(piece.astype(np.float64), *upright) * scale for piece in pieces]
    found = join_outlines(outlines, (height, width))
    done = rectification(page)

    def stored(points: Points) -> Points:
        return done.to_page(to_stored(points / scale, *upright)).astype(np.float32)

    dense = [Line(_dense(line.polygon), _dense(line.baseline), line.confidence) for line in found]
    return map_lines(dense, stored)


def _dense(points: Points) -> Points:
    """The polyline with more points: what is straight on the rectified page is bent on the scan."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate(([0.0], np.cumsum(steps)))
    wanted = np.union1d(along, np.arange(0.0, along[-1], _STEP))
    return np.column_stack([np.interp(wanted, along, points[:, axis]) for axis in (0, 1)]).astype(np.float32)
