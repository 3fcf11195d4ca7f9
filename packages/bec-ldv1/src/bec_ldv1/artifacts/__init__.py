"""The reader of ldv1's artifacts: pages, lines, and the lines' images. No torch, and no database.

What is exported here is what a job that reads ldv1's results may use; docs/ldv1-artifacts.md shows how.
"""

from bec_ldv1.artifacts.bands import body_height
from bec_ldv1.artifacts.cut import cut_line
from bec_ldv1.artifacts.frames import from_rectified, int16_box, line_bbox_rectified, to_rectified
from bec_ldv1.artifacts.image import decode_page, to_upright
from bec_ldv1.artifacts.pages import PageLines, TextLine
from bec_ldv1.artifacts.read import read_lines
from bec_ldv1.errors import PageProblem
from bec_ldv1.page.decode import PageImage
from bec_ldv1.page.flags import Flag

VERSION = 1
"""Of this interface: raised when something that is exported here changes or goes, not when something is added."""

__all__ = [
    "VERSION",
    "Flag",
    "PageImage",
    "PageLines",
    "PageProblem",
    "TextLine",
    "body_height",
    "cut_line",
    "decode_page",
    "from_rectified",
    "int16_box",
    "line_bbox_rectified",
    "read_lines",
    "to_rectified",
    "to_upright",
]
