import cv2
import numpy as np
import pytest

from bec_ldv1.page import area
from bec_ldv1.page.area import area_resize

RANDOM = np.random.default_rng(7)
KINDS = {
    "grey": lambda height, width: RANDOM.integers(0, 256, (height, width)),
    "bilevel": lambda height, width: RANDOM.integers(0, 2, (height, width)) * 255,
    "halves everywhere": lambda height, width: np.indices((height, width)).sum(axis=0) % 2 * 255,
    "one grey": lambda height, width: np.full((height, width), 201),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("height", "width", "rows", "columns"),
    [
        (2800, 1800, 1024, 658),
        (600, 3001, 128, 640),
        (481, 1999, 128, 401),
        (900, 900, 300, 300),
        (701, 503, 1, 1),
        (700, 40, 3, 39),
        (300, 400, 299, 399),
        (200, 300, 250, 30),
        (1, 900, 1, 17),
    ],
)
def test_area_averaging_is_opencvs_to_the_last_bit(
    kind: str, height: int, width: int, rows: int, columns: int
) -> None:
    plane = KINDS[kind](height, width).astype(np.uint8)
    expected = cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA)
    assert np.array_equal(area_resize(plane, (columns, rows)), expected)


def test_pixels_next_to_a_half_are_added_up_as_opencv_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """All pixels done so: what `_in_order` makes does not hang on how few they are."""
    plane = RANDOM.integers(0, 256, (211, 307)).astype(np.uint8)
    expected = cv2.resize(plane, (67, 43), interpolation=cv2.INTER_AREA)
    monkeypatch.setattr(area, "_by_opencv", lambda *_: pytest.fail("not asked for"))
    monkeypatch.setattr(area, "_MOST_AGAIN", 1)
    monkeypatch.setattr(area, "_ROUNDING", 1.0)
    assert np.array_equal(area_resize(plane, (67, 43)), expected)
