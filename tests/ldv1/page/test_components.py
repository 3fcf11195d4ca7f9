import cv2
import numpy as np
import pytest

from bec_ldv1.page.components import components, ink_pieces, median


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.5, 0.7, 1.0])
def test_labels_boxes_and_areas_are_those_of_opencvs_usual_way(share: float) -> None:
    random = np.random.default_rng(3)
    for height, width in ((1, 1), (1, 50), (40, 1), (37, 53), (64, 200)):
        mask = np.where(random.random((height, width)) < share, 255, 0).astype(np.uint8)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        found, boxes = components(mask)
        assert np.array_equal(found, labels)
        assert np.array_equal(boxes, stats)


def test_the_median_is_numpys() -> None:
    random = np.random.default_rng(4)
    for size in (1, 2, 3, 4, 101, 1000):
        for most in (1, 2, 40, 256):
            plane = random.integers(0, most, (size, 7)).astype(np.uint8)
            assert median(plane) == np.median(plane)
    assert median(np.array([[0, 255]], np.uint8)) == 127.5


def test_the_pieces_of_ink_are_those_of_what_is_black() -> None:
    ink = np.full((9, 12), 255, np.uint8)
    ink[2:4, 1:6] = 0
    ink[6, 8] = 0
    assert ink_pieces(ink).tolist() == [[1, 2, 5, 2, 10], [8, 6, 1, 1, 1]]
