"""Line masks to outlines: numerics 6, and the boxes of the records."""

from collections.abc import Sequence

import attrs
import cv2
import numpy as np
import numpy.typing as npt

from bec_ldv1.page.decode import Plane

Contour = npt.NDArray[np.int32]
"""One outline: points × 2, each x, y."""

Points = npt.NDArray[np.float64]
"""Any points: points × 2, each x, y."""


@attrs.frozen
class Postprocess:
    """What turns a network's probabilities into contours; the defaults are the contract's values.

    Attributes:
        threshold: a pixel is line when its probability is greater.
        min_area_fraction: of the frame; contours must have more.
        min_width_fraction: of the frame's width; contours' boxes must have at least this.
        min_height_px: contours' boxes must be at least so high, detection pixels.
    """

    threshold: float = 0.85
    min_area_fraction: float = 0.001
    min_width_fraction: float = 0.01
    min_height_px: int = 10


def find_contours(
    mask: Plane | npt.NDArray[np.bool_],
    *,
    min_area_fraction: float,
    min_width_fraction: float,
    min_height_px: int,
) -> list[Contour]:
    """The outlines of a mask's regions, holes included, as OpenCV's compressed chains and in its order.

    Kept are those whose area is more than `min_area_fraction` of the mask's and whose box is at least
    `min_width_fraction` of the mask's width wide and `min_height_px` high.
    """
    height, width = mask.shape
    chains, _ = cv2.findContours(
        np.ascontiguousarray(mask, dtype=np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE
    )
    kept = []
    for chain in chains:
        if cv2.contourArea(chain) <= min_area_fraction * height * width:
            continue
        _, _, box_width, box_height = cv2.boundingRect(chain)
        if box_width >= min_width_fraction * width and box_height >= min_height_px:
            kept.append(np.asarray(chain, dtype=np.int32).reshape(-1, 2))
    return kept


def scale_points(points: npt.NDArray[np.number], scale: tuple[float, float]) -> Points:
    """Points with x and y multiplied by their factors, unrounded."""
    return np.asarray(np.multiply(points, np.asarray(scale)), dtype=np.float64)


def rounded(points: Points) -> Contour:
    """Points at whole pixels, rounded half to even."""
    return np.rint(points).astype(np.int32)


def bounding_boxes(contours: Sequence[Contour]) -> npt.NDArray[np.int32]:
    """The axis-aligned box x, y, w, h of each contour's minimum-area rectangle (corners rounded): n × 4."""
    boxes = np.empty((len(contours), 4), dtype=np.int32)
    for row, contour in zip(boxes, contours, strict=True):
        corners = np.rint(cv2.boxPoints(cv2.minAreaRect(contour))).astype(np.int32)
        row[:] = cv2.boundingRect(corners)
    return boxes
