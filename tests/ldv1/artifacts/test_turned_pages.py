"""Pages that lie on a side or on their head: their lines are cut and measured as those of the upright page."""

import numpy as np
import pytest

from bec_ldv1.artifacts import body_height, cut_line, decode_page, from_rectified, read_lines, to_rectified
from bec_ldv1.page.orientation import stored_angle
from bec_ldv1.record.records import to_parquet
from support.sample_pages import BOOK, PECHA
from support.turned_pages import WAYS, scanned, scanned_record, upright_record


@pytest.mark.parametrize("quarter_turns", range(4))
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("name", [PECHA, BOOK])
def test_the_lines_of_a_turned_page_are_those_of_the_upright_one_in_their_order(
    name, orientation, quarter_turns
):
    plane, record = upright_record(name)
    image, (page,) = decode_page(scanned(plane, 0)), read_lines(to_parquet([record]))
    there = decode_page(scanned(plane, quarter_turns, orientation))
    (turned_page,) = read_lines(to_parquet([scanned_record(record, quarter_turns, orientation)]))
    assert turned_page.quarter_turns == quarter_turns
    assert turned_page.orientation == orientation
    assert len(turned_page.lines) == len(page.lines) > 3
    for line, other in zip(page.lines, turned_page.on(there).lines, strict=True):
        crop, same = cut_line(image, page, line), cut_line(there, turned_page, other)
        assert crop.shape == same.shape
        assert np.abs(crop.astype(int) - same).mean() < 0.5
        assert crop.std() > 20  # there is writing on it
        assert body_height(turned_page, other) == pytest.approx(body_height(page, line), rel=0.02)


def test_the_comparison_of_crops_sees_a_wrong_order_and_a_wrong_side_up():
    plane, record = upright_record(PECHA)
    image, (page,) = decode_page(scanned(plane, 0)), read_lines(to_parquet([record]))
    first, second = (cut_line(image, page, line).astype(int) for line in page.lines[:2])
    rows, columns = np.minimum(first.shape, second.shape)
    assert np.abs(first[:rows, :columns] - second[:rows, :columns]).mean() > 10
    assert np.abs(first - first[::-1, ::-1]).mean() > 10


@pytest.mark.parametrize(("quarter_turns", "orientation"), WAYS)
def test_the_rectified_page_is_the_stored_raster_levelled_not_turned_upright(quarter_turns, orientation):
    """The contract's contours lie where the lines do: only the small rotation is between them."""
    _, record = upright_record(PECHA)
    (upright,) = read_lines(to_parquet([record]))
    (page,) = read_lines(to_parquet([scanned_record(record, quarter_turns, orientation)]))
    mirrored = orientation in (2, 4, 5, 7)
    assert page.rotation_angle == (-0.5 if mirrored else 0.5) == stored_angle(0.5, orientation)
    for line, other in zip(upright.lines, page.lines, strict=True):
        level = to_rectified(page, other.polygon)
        np.testing.assert_allclose(from_rectified(page, level), other.polygon, atol=0.01)
        moved = np.hypot(*(level - other.polygon).T)
        wanted = np.hypot(*(to_rectified(upright, line.polygon) - line.polygon).T)
        np.testing.assert_allclose(moved, wanted, atol=0.05)
        assert moved.max() < 12
