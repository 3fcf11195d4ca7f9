"""A page's image as its lines want it: grey and upright."""

from __future__ import annotations

import attrs
import numpy as np

from bec_ldv1.page.decode import PageImage, decode
from bec_ldv1.page.orientation import turned


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
    image = decode(data)
    if quarter_turns % 4 == 0:
        return image
    plane = np.ascontiguousarray(np.rot90(image.plane, quarter_turns))
    return attrs.evolve(image, plane=plane, orientation=turned(image.orientation, quarter_turns))
