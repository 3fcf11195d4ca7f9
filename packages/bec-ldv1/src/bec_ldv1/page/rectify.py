"""Turning and straightening pages and points: numerics 8."""

from __future__ import annotations

import attrs
import cv2
import numpy as np
import numpy.typing as npt

from bec_ldv1.page.contours import Points
from bec_ldv1.page.decode import Plane
from bec_ldv1.page.tps import ALPHA, ControlPoints, Spline


@attrs.frozen
class Window:
    """The part of a rectified page that a plane shows, in pixels; it may reach beyond the page.

    Attributes:
        left, top: where its upper left pixel lies.
        width, height: of the plane.
    """

    left: int
    top: int
    width: int
    height: int

    def to_page(self, points: npt.NDArray[np.number]) -> Points:
        """Points of the plane on the whole rectified page."""
        return np.asarray(points + np.array([self.left, self.top]), dtype=np.float64)


@attrs.frozen(eq=False)
class Rectification:
    """What makes a page's lines level and straight: a rotation about the centre, then a spline.

    All coordinates are x, y in pixels of a page `width` × `height`, which the rectified page shares.

    Attributes:
        width: of the page.
        height: of the page.
        angle: degrees, counter-clockwise positive (OpenCV's convention), about (width / 2, height / 2).
        spline: fitted in the rotated page's pixels; None is none.
    """

    width: int
    height: int
    angle: float = 0.0
    spline: Spline | None = None

    @classmethod
    def recorded(
        cls,
        width: int,
        height: int,
        angle: float | None,
        tps_points: npt.NDArray[np.float32] | None,
        tps_alpha: float | None,
    ) -> Rectification:
        """What a record says was done to a page, in its pixels.

        Raises:
            PageProblem: the recorded spline's points admit no spline.
        """
        spline = None
        if tps_points is not None:
            alpha = ALPHA if tps_alpha is None else tps_alpha
            spline = Spline.fit(ControlPoints.from_rows(tps_points), alpha)
        return cls(width, height, angle or 0.0, spline)

    def _rotation(self) -> Points:
        """The rotation as OpenCV's 2 × 3 matrix."""
        return np.asarray(cv2.getRotationMatrix2D((self.width / 2, self.height / 2), self.angle, 1.0))

    def to_rotated(self, points: Points) -> Points:
        """Points of the page on the page after the rotation alone."""
        matrix = self._rotation()
        return points @ matrix[:, :2].T + matrix[:, 2]

    def to_rectified(self, points: Points) -> Points:
        """Points of the page on the rectified page; raises PageProblem where the spline folds."""
        turned = self.to_rotated(points)
        return turned if self.spline is None else self.spline.to_output(turned)

    def to_page(self, points: Points) -> Points:
        """Points of the rectified page on the page."""
        turned = points if self.spline is None else self.spline.to_input(points)
        matrix = np.asarray(cv2.invertAffineTransform(self._rotation()))
        return turned @ matrix[:, :2].T + matrix[:, 2]

    @property
    def whole(self) -> Window:
        """The window that shows the page's own frame."""
        return Window(0, 0, self.width, self.height)

    def warp(self, plane: Plane, window: Window | None = None, ground: int = 0) -> Plane:
        """The rectified page, or what a window shows of it: bilinear both times.

        Where nothing of the page lies it has the brightness ``ground``, by default black.
        """
        window = window or self.whole
        size, origin = (window.width, window.height), np.array([window.left, window.top])
        if self.angle or window != self.whole:
            matrix = self._rotation()
            matrix[:, 2] -= origin
            plane = np.asarray(
                cv2.warpAffine(plane, matrix, size, flags=cv2.INTER_LINEAR, borderValue=(ground,))
            )
        if self.spline is not None:
            map_x, map_y = self.spline.input_maps(window.width, window.height, window.left, window.top)
            plane = np.asarray(
                cv2.remap(
                    plane,
                    map_x - np.float32(window.left),
                    map_y - np.float32(window.top),
                    cv2.INTER_LINEAR,
                    borderMode=cv2.BORDER_CONSTANT,
                    borderValue=(ground,),
                )
            )
        return plane
