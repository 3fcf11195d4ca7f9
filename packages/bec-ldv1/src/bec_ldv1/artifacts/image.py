"""A page's image as its lines want it: grey and upright."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bec_ldv1.page.contours import Points
from bec_ldv1.page.decode import PageImage, decode
from bec_ldv1.page.orientation import to_upright as upright_of
from bec_ldv1.page.orientation import turned_page


def decode_page(data: bytes, quarter_turns: int = 0) -> PageImage:
    """Decode an image file (JPEG, TIFF, PNG, JPEG 2000, GIF, BMP or WebP) to 8-bit grey.

    Grey is the luma of ITU-R 601. Of samples of more than 8 bits the highest ones in use count, transparency is laid
    on white, of several pages or frames the first one is read (`flags` says so), and the EXIF orientation is applied.

    Args:
        data: the file.
        quarter_turns: turn the page by so many quarter turns counter-clockwise more: `PageLines.quarter_turns`, to
            look at a page that lies on a side. `cut_line` takes both images alike.

    Raises:
        PageProblem: the bytes are no image of a known kind or of one that can't be read, truncated or damaged, or hold
            too many pixels.
    """
    return turned_page(decode(data), quarter_turns)


def to_upright(points: npt.ArrayLike, image: PageImage) -> Points:
    """Points of the stored raster, n × 2 (x, y), in pixels of the upright image, as float64."""
    stored = np.asarray(points, np.float64).reshape(-1, 2)
    return upright_of(stored, image.orientation, image.width, image.height)
