"""Points of arrays and of tuples are boxed and written alike."""

import json

import numpy as np
import pytest

from bec_ldv1.artifacts.writing.outlines import box, numbers, pairs

POINTS = ((3, 9), (-1, 4), (7, 5))


@pytest.mark.parametrize("points", [POINTS, np.array(POINTS, np.int32)])
def test_points_are_boxed_and_written(points):
    assert box(points) == (-1, 4, 7, 9)
    assert json.dumps(box(points, [(8, 0)])) == "[-1, 0, 8, 9]"
    assert (pairs(points), numbers(points)) == ("3,9 -1,4 7,5", "3 9 -1 4 7 5")
