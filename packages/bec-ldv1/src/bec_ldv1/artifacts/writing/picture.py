"""The picture that an export's coordinates are of: the image as it is stored, or as viewers show it."""

from __future__ import annotations

from typing import Protocol, Self

import attrs
import numpy as np
import numpy.typing as npt

from bec_ldv1.artifacts.writing.errors import ExportError
from bec_ldv1.page.orientation import to_upright


class SizedImage(Protocol):
    """A recorded page, as far as its image goes."""

    @property
    def image(self) -> str:
        """The image's name."""

    @property
    def width(self) -> int | None:
        """Of the stored image, in pixels."""

    @property
    def height(self) -> int | None:
        """Of the stored image, in pixels."""

    @property
    def orientation(self) -> int | None:
        """The file's EXIF orientation, 1 to 8."""

    @property
    def quarter_turns(self) -> int:
        """How many quarter turns counter-clockwise bring the image upright, after its orientation."""


@attrs.frozen
class Picture:
    """A picture of a page.

    Attributes:
        width, height: in pixels.
        orientation: the EXIF orientation, 1 to 8, that has still to be applied to it; 1 also where none is recorded.
        quarter_turns: how many quarter turns counter-clockwise bring it upright after that.
    """

    width: int
    height: int
    orientation: int
    quarter_turns: int
    _applied: int = 1

    @classmethod
    def of(cls, page: SizedImage, *, as_shown: bool = False) -> Self:
        """The stored image of a page; ``as_shown`` by viewers, which apply its EXIF orientation.

        Raises:
            ExportError: the image's size is not recorded; or its orientation is not, and has to be applied.
        """
        if page.width is None or page.height is None:
            raise ExportError(f"the size of {page.image} is not recorded; run the job again over the volume")
        width, height, orientation = page.width, page.height, page.orientation
        if not as_shown:
            return cls(width, height, orientation or 1, page.quarter_turns)
        if orientation is None:
            raise ExportError(
                f"whether viewers turn {page.image} (its EXIF orientation) is not recorded, as in all files of "
                f"earlier versions; run the job again over the volume, or export without --upright"
            )
        if orientation >= 5:
            width, height = height, width
        return cls(width, height, 1, page.quarter_turns, orientation)

    def pixels(self, points: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """Points x, y of the stored image in whole pixels of this picture; what lies beyond it comes to its edge."""
        stored = np.asarray(points, np.float64).reshape(-1, 2)
        shown = to_upright(stored, self._applied, self.width, self.height)
        return np.clip(np.rint(shown), 0, (self.width, self.height)).astype(np.int32)
