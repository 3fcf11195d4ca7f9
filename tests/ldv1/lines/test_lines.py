"""Line assembly on drawn maps and pages whose lines are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bec_ldv1.lines import LineSettings, Points, assemble_lines, map_lines
from bec_ldv1.lines.smoothing import _middle_of_five
from support.drawn_maps import Canvas, Curve, extent, middles


def test_straight_lines_in_reading_order() -> None:
    lines = Canvas().line(300).line(100).line(200).lines()
    assert middles(lines) == pytest.approx([100, 200, 300], abs=2)
    for line in lines:
        assert extent(line) == pytest.approx((200, 1850), abs=10)
        assert line.confidence > 0.8
        assert line.polygon.dtype == line.baseline.dtype == np.float32
        assert (np.diff(line.baseline[:, 0]) > 0).all()


def test_regions_go_half_way_to_the_neighbours() -> None:
    lines = Canvas().line(100).line(140).line(180).lines()
    middle = lines[1].polygon
    assert middle[:, 1].min() == pytest.approx(120, abs=2)
    assert middle[:, 1].max() == pytest.approx(160, abs=2)
    assert lines[0].polygon[:, 1].min() > 70  # no neighbour above: not to the page's edge


def test_skewed_and_curved_lines_get_polygons_along_them() -> None:
    def curve(offset: float) -> Curve:
        return lambda x: offset + 0.04 * x + 18 * np.sin(x / 2048 * np.pi)

    lines = Canvas().line(curve(80)).line(curve(140)).line(curve(200)).lines()
    assert len(lines) == 3
    for line, offset in zip(lines, (80, 140, 200), strict=True):
        expected = [curve(offset)(float(x)) for x in line.baseline[:, 0]]
        np.testing.assert_allclose(line.baseline[:, 1], expected, atol=3)
    assert len(lines[0].polygon) > 8


def test_a_wide_gap_does_not_split_a_line() -> None:
    lines = Canvas().line(100).line(160, 200, 300).line(160, 900, 1850).line(220).lines()
    assert middles(lines) == pytest.approx([100, 160, 220], abs=2)
    assert extent(lines[1]) == pytest.approx((200, 1850), abs=10)


def test_a_gap_on_a_skewed_page_joins_the_right_pieces() -> None:
    slope = 0.06  # over the gap of 900 px the lines sink by more than one line distance of 50

    def course(offset: float) -> Curve:
        return lambda x: offset + slope * x

    canvas = Canvas()
    for offset in (60, 110, 160, 210):
        canvas.line(course(offset), 150, 650).line(course(offset), 1400, 1900)
    lines = canvas.line(course(260), 150, 1900).lines()
    assert len(lines) == 5
    for line, offset in zip(lines, (60, 110, 160, 210, 260), strict=True):
        expected = [course(offset)(float(x)) for x in line.baseline[:, 0]]
        np.testing.assert_allclose(line.baseline[:, 1], expected, atol=4)


def test_a_bridge_between_lines_does_not_merge_them() -> None:
    canvas = Canvas().line(100).line(150).line(200)
    lines = canvas.blob(700, 100, 740, 150).blob(1200, 140, 1210, 200).lines()
    assert middles(lines) == pytest.approx([100, 150, 200], abs=3)
    assert all(extent(line) == pytest.approx((200, 1850), abs=10) for line in lines)


def test_lines_that_touch_faintly_over_their_whole_length_are_parted() -> None:
    canvas = Canvas().blob(200, 90, 1850, 190, value=0.62).line(100).line(140).line(180)
    assert middles(canvas.lines()) == pytest.approx([100, 140, 180], abs=3)


def test_a_band_without_ink_and_a_band_on_a_rule_are_no_lines() -> None:
    canvas = Canvas().line(100).line(200).blob(200, 300, 1850, 324)
    canvas.blob(200, 388, 1850, 412).draw(150, 398, 1900, 402)
    assert middles(canvas.lines()) == pytest.approx([100, 200], abs=2)


def test_a_picture_is_no_line() -> None:
    canvas = Canvas().line(100).line(200).blob(300, 300, 900, 330).draw(290, 280, 910, 350)
    assert len(canvas.lines()) == 2


def test_ends_that_overshoot_are_cut_back_to_the_ink_and_frames_do_not_hold_them() -> None:
    canvas = Canvas().line(100).line(160).line(220)
    canvas.blob(1850, 148, 2000, 172)  # the map runs on to the frame
    canvas.draw(1960, 40, 1966, 300)
    assert extent(canvas.lines()[1]) == pytest.approx((200, 1850), abs=10)


def test_specks_and_faint_bands_are_no_lines() -> None:
    canvas = Canvas().line(100).blob(500, 300, 520, 320).draw(505, 305, 515, 315)
    canvas.line(400, value=0.54)
    assert middles(canvas.lines()) == pytest.approx([100], abs=2)


def test_a_label_beside_the_text_block_is_dropped_but_a_short_last_line_kept() -> None:
    canvas = Canvas().line(100).line(160).line(220).line(280, 200, 330)
    canvas.line(165, 60, 130)
    lines = canvas.lines()
    assert middles(lines) == pytest.approx([100, 160, 220, 280], abs=2)
    assert extent(lines[1])[0] == pytest.approx(200, abs=10)


def test_descenders_that_the_network_takes_for_a_line_are_none() -> None:
    canvas = Canvas().line(200)
    for x in range(210, 1850, 24):
        canvas.draw(x, 205, x + 6, 254)  # long strokes that hang down from the letters
    assert middles(canvas.blob(600, 236, 1500, 254).lines()) == pytest.approx([200], abs=3)


def test_a_short_note_between_two_lines_is_dropped_but_a_short_line_is_kept() -> None:
    canvas = Canvas().line(80).line(160).line(240).line(320, 200, 420)
    lines = canvas.line(122, 700, 900, body=12).lines()
    assert middles(lines) == pytest.approx([80, 160, 240, 320], abs=2)


def test_short_lines_far_apart_as_on_a_form_are_all_kept_and_not_linked() -> None:
    canvas = Canvas(width=768, height=1024).line(150, 250, 460, body=11)
    for y, x0, x1 in ((300, 264, 312), (460, 264, 320), (626, 264, 310), (815, 264, 380), (815, 600, 640)):
        canvas.line(y, x0, x1, body=11)
    lines = canvas.lines()
    assert middles(lines) == pytest.approx([150, 300, 460, 626, 815], abs=2)
    assert extent(lines[1]) == pytest.approx((264, 312), abs=10)


def test_regions_cover_descenders_of_a_single_line() -> None:
    canvas = Canvas().line(200)
    for x in range(210, 1850, 20):
        canvas.draw(x, 205, x + 6, 240)
    (line,) = canvas.lines()
    assert line.polygon[:, 1].max() >= 236
    assert line.polygon[:, 1].min() > 165


def test_what_lies_beyond_an_upright_of_the_frame_is_cut_off() -> None:
    canvas = Canvas().line(100).line(160).line(220).line(160, 1880, 2030)
    canvas.blob(1850, 148, 1880, 172).draw(1862, 60, 1866, 260)
    assert extent(canvas.lines()[1]) == pytest.approx((200, 1850), abs=20)


def test_what_led_to_a_label_beyond_the_frame_goes_with_it() -> None:
    canvas = Canvas().line(100).line(160).line(220).line(280, 200, 1100)
    for y in (100, 160, 220, 280):  # labels at all lines look like the block's end
        canvas.blob(1950, y - 12, 2040, y + 12)
    canvas.draw(1900, 40, 1906, 500)
    for x in range(1300, 1890):  # a guide line, not quite level
        canvas.draw(x, 290 - x // 100, x + 1, 294 - x // 100)
    found = canvas.lines()
    assert middles(found) == [100, 160, 220, 280]
    assert extent(found[3])[1] == pytest.approx(1100, abs=24)


def test_a_wide_gap_that_the_network_marks_makes_a_line_no_fainter() -> None:
    canvas = Canvas().line(160).line(220).line(280).line(340).blob(200, 88, 1850, 112, 0.97)
    for x in (200, 1700):  # an opening mark, and the text after a gap
        canvas.ink[90:110, x : x + 150] = np.where(np.arange(150) // 3 % 3 == 0, 0, 255)
    assert middles(canvas.lines()) == [100, 160, 220, 280, 340]


def test_grain_that_the_network_takes_for_lines_is_too_faint() -> None:
    canvas = Canvas().line(100).line(160).line(220)
    canvas.blob(300, 340, 1700, 364)
    rng = np.random.default_rng(2)
    canvas.ink[340:364, 300:1700][rng.random((24, 1400)) < 0.02] = 0
    assert middles(canvas.lines(LineSettings(min_ink=0.0))) == pytest.approx([100, 160, 220], abs=2)


def test_what_the_network_is_unsure_of_is_no_line() -> None:
    sure = Canvas().line(100).line(200).line(300)
    assert middles(sure.line(400, value=0.75).lines()) == pytest.approx([100, 200, 300], abs=2)
    assert len(sure.line(400, value=0.9).lines()) == 4


def test_mixed_letter_sizes_are_all_kept() -> None:
    lines = Canvas().line(80, body=44).line(160, body=44).line(220, body=14).line(250, body=14).lines()
    assert middles(lines) == pytest.approx([80, 160, 220, 250], abs=2)


def test_small_lines_on_a_page_of_large_ones_stay_apart() -> None:
    canvas = Canvas(2048, 700)
    for y in (80, 170, 260, 350):
        canvas.line(y, body=48)
    canvas.line(425, body=20).line(461, body=20).line(497, body=20)
    assert middles(canvas.lines()) == pytest.approx([80, 170, 260, 350, 425, 461, 497], abs=3)


def test_two_columns_are_read_one_after_the_other() -> None:
    canvas = Canvas(1000, 1000).line(60, 100, 900)
    for y in range(150, 651, 50):
        canvas.line(y, 100, 460).line(y + 4, 540, 900)
    lines = canvas.lines()
    assert len(lines) == 23
    assert extent(lines[0]) == pytest.approx((100, 900), abs=10)
    assert all(extent(line)[1] < 480 for line in lines[1:12])
    assert all(extent(line)[0] > 520 for line in lines[12:])
    assert middles(lines[1:12]) == sorted(middles(lines[1:12]))


def test_a_picture_in_the_middle_of_a_leaf_makes_no_columns() -> None:
    canvas = Canvas()
    for y in range(60, 361, 50):
        canvas.line(y, 100, 860).line(y, 1140, 1900)
    lines = canvas.lines()
    assert len(lines) == 7
    assert all(extent(line) == pytest.approx((100, 1900), abs=10) for line in lines)


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (512, 512), (7, 4096)])
def test_empty_and_tiny_planes(shape: tuple[int, int]) -> None:
    empty = np.zeros(shape, np.float32)
    white, black = np.full(shape, 255, np.uint8), np.zeros(shape, np.uint8)
    assert assemble_lines(empty, white, LineSettings()) == []
    assert assemble_lines(np.ones_like(empty), black, LineSettings()) == []


def test_noise_never_fails() -> None:
    rng = np.random.default_rng(5)
    for width in (15, 333, 1030):
        noise = rng.random((257, width), dtype=np.float32)
        ink: NDArray[np.uint8] = np.where(rng.random((257, width)) < 0.2, 0, 255).astype(np.uint8)
        for line in assemble_lines(noise, ink, LineSettings(threshold=0.3, min_probability=0.1)):
            assert np.isfinite(line.polygon).all()


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        assemble_lines(np.zeros((10, 10), np.float32), np.zeros((10, 11), np.uint8), LineSettings())


def test_mapping_a_line_there_and_back() -> None:
    (line,) = Canvas().line(100).lines()

    def there(points: Points) -> Points:
        return points * np.float32(2) + np.array([10, -5], np.float32)

    def back(points: Points) -> Points:
        return (points - np.array([10, -5], np.float32)) / np.float32(2)

    (mapped,) = map_lines([line], there)
    assert mapped.confidence == line.confidence
    np.testing.assert_allclose(mapped.baseline[:, 0], line.baseline[:, 0] * 2 + 10)
    np.testing.assert_allclose(map_lines([mapped], back)[0].polygon, line.polygon, atol=1e-4)


@pytest.mark.parametrize("size", [3, 4, 8, 9, 40])
def test_a_smooth_course_is_the_mean_of_running_medians(size: int) -> None:
    values = np.random.default_rng(size).normal(0, 10, size)
    padded = np.concatenate([values[[0, 0]], values, values[[-1, -1]]])
    five = [padded[i : i + size] for i in range(5)]
    assert np.array_equal(_middle_of_five(*five), np.median(five, axis=0))
