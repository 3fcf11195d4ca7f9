"""What a volume's artifact says of a page, as its readers see it."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from bec_ldv1.artifacts.frames import check_size
from bec_ldv1.artifacts.pieces import lines_of_pieces
from bec_ldv1.page.contours import Contour
from bec_ldv1.page.decode import PageImage
from bec_ldv1.page.flags import Flag

StoredPoints = npt.NDArray[np.float32]
"""Points, n × 2 (x, y), in pixels of the image as it is stored."""


@attrs.frozen(eq=False)
class TextLine:
    """A line of text.

    Attributes:
        polygon: its region, from the gap above it to the gap below it, clockwise from its upper left corner.
        baseline: its course, from its left to its right, through the middle of the letters' bodies.
        confidence: the detector's, 0 to 1; None where the file has none (see `PageLines.pieces_only`).
    """

    polygon: StoredPoints
    baseline: StoredPoints
    confidence: float | None = None


@attrs.frozen(eq=False)
class PageLines:
    """A page and its lines.

    Attributes:
        image: the file's name, as in the manifest.
        source_etag: of the page's object, without quotes; None when it was never fetched.
        ok: False when detection failed; then there is nothing but the error.
        error_stage, error_type, error_message: of a failed page, else None.
        width, height: of the image as it is stored, in pixels; None where the file doesn't say.
        quarter_turns: how many quarter turns counter-clockwise bring the image upright, after its EXIF orientation.
        orientation: the file's EXIF orientation, 1 to 8: how viewers turn the stored image; None where the file
            doesn't say.
        rotation_angle: what makes the lines level, in degrees, counter-clockwise positive; 0 for none.
        tps_points: what makes them straight, n × 4 (`in_y, in_x, out_y, out_x`) in stored pixels; None for nothing.
        tps_alpha: that spline's regularisation; None without one.
        contours: the contract's pieces of lines, n × 2 (x, y) each, on the rectified page.
        contours_bboxes: the box of each piece, n × 4 (x, y, w, h).
        flags: what is remarkable about the page.
        pieces_only: the file has only the contract's columns. `on` makes lines of the pieces.
    """

    image: str
    source_etag: str | None
    ok: bool = True
    error_stage: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    width: int | None = None
    height: int | None = None
    quarter_turns: int = 0
    orientation: int | None = None
    rotation_angle: float = 0.0
    tps_points: npt.NDArray[np.float32] | None = None
    tps_alpha: float | None = None
    contours: tuple[Contour, ...] = ()
    contours_bboxes: npt.NDArray[np.int32] = attrs.field(factory=lambda: np.empty((0, 4), np.int32))
    flags: frozenset[Flag] = frozenset()
    _lines: tuple[TextLine, ...] | None = ()

    @property
    def pieces_only(self) -> bool:
        """Whether the lines have still to be made, by `on`."""
        return self._lines is None

    @property
    def lines(self) -> tuple[TextLine, ...]:
        """The lines in reading order; none for a failed page.

        Raises:
            ValueError: the file has only the contract's columns and the page was not laid `on` its image.
        """
        if self._lines is None:
            raise ValueError(
                f"the artifact holds only pieces of lines of {self.image}; PageLines.on(image) makes lines of them"
            )
        return self._lines

    def on(self, image: PageImage) -> PageLines:
        """The page, known to be of this image: with its size, and with lines if the file has only pieces.

        Raises:
            PageProblem: the image has not the size that is recorded, so that it is another one; or the
                recorded spline's points admit no spline.
        """
        check_size(image, self)
        if self._lines is not None:
            return self
        width, height = image.stored_size
        placed = attrs.evolve(self, width=width, height=height, lines=())
        lines = lines_of_pieces(self.contours, placed, image)
        return attrs.evolve(placed, lines=tuple(TextLine(line.polygon, line.baseline) for line in lines))
