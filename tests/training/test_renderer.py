"""The page renderer, as far as it goes without Tibetan fonts: geometry, labels, packing, text."""

import sys
from pathlib import Path

import attrs
import cv2
import numpy as np
import pytest

from support.places import ROOT

sys.path.insert(0, str(ROOT / "training"))

import render_pages
from linepages import bend, cache, cursive, curve, fonts, marks, page, pictures, scan, strokes, text
from linepages.ink import BETWEEN, IGNORED, LINE, PAPER, Band, Gray, Hand, Pen, Piece, Sheet, band_of, stamp


def test_missing_fonts_are_named_by_package(tmp_path: Path) -> None:
    assert "fonts-dzongkha" in fonts.missing_packages(tmp_path)
    with pytest.raises(fonts.FontsMissingError, match=r"apt-get install -y .*fonts-monlam"):
        fonts.load_faces(tmp_path)


def test_text_is_seeded_and_ends_phrases_with_a_gap() -> None:
    def stream(seed: int) -> list[text.Token]:
        rng = np.random.default_rng(seed)
        source = text.TextStream(rng, text.vocabulary(rng, 30))
        return [token for _ in range(60) for token in source.next()]

    assert stream(1) == stream(1)
    assert stream(1) != stream(2)
    tokens = stream(3)
    gaps = [index for index, token in enumerate(tokens) if token.gap > 0.3]
    assert gaps
    assert all(tokens[index - 1].text in {text.SHAD, text.GTER_TSHEG} for index in gaps)


def test_syllables_hold_a_root_and_only_tibetan_signs() -> None:
    rng = np.random.default_rng(4)
    for _ in range(300):
        syllable = text.syllable(rng)
        assert syllable
        assert all("\u0f40" <= sign <= "\u0fbc" for sign in syllable)


def test_the_band_reaches_above_the_headline_and_at_most_06_of_the_pitch() -> None:
    points = [(0.0, 100.0, 120.0), (300.0, 103.0, 123.0)]
    roomy = band_of(points, body=20, pitch=80)
    assert roomy.points[0][1] == pytest.approx(100 - 0.12 * 20)
    assert roomy.points[1][2] == pytest.approx(123 + 0.05 * 20)
    tight = band_of(points, body=20, pitch=30)
    assert tight.height() == pytest.approx(0.6 * 30)


def test_labels_separate_neighbouring_lines() -> None:
    sheet = Sheet.blank(100, 200)
    for top in (20.0, 60.0):
        sheet.bands.append(Band([(10.0, top, top + 15), (190.0, top, top + 15)], pitch=40))
    column = sheet.labels()[:, 100]
    assert (column[20:35] == LINE).all()
    assert (column[60:75] == LINE).all()
    assert (column[38:45] == BETWEEN).all()
    assert (column[:8] == PAPER).all()
    assert (sheet.labels()[:, 5] == PAPER).all()


def test_paper_under_foreign_writing_weighs_more_but_never_hides_a_line() -> None:
    sheet = Sheet.blank(100, 200)
    sheet.decoys.append((20.0, 10.0, 120.0, 50.0))
    sheet.bands.append(Band([(10.0, 40.0, 55.0), (190.0, 40.0, 55.0)], pitch=15))
    labels = sheet.labels()
    assert (labels[10:38, 20:120] == BETWEEN).all()
    assert (labels[42:54, 20:120] == LINE).all()
    assert (labels[:35, 130:] == PAPER).all()


def test_a_lines_region_runs_from_gap_to_gap_and_has_its_number() -> None:
    sheet = Sheet.blank(120, 200)
    for top in (20.0, 60.0):
        sheet.bands.append(Band([(10.0, top, top + 20), (190.0, top, top + 20)], pitch=40))
    column = sheet.regions()[:, 100]
    assert (column[12:48] == 1).all()
    assert (column[52:88] == 2).all()
    assert not column[:8].any()
    assert not column[95:].any()


def test_a_page_from_a_computer_is_neither_bent_nor_worn() -> None:
    sheet = Sheet.blank(80, 300)
    sheet.lines[20:40, 30:270:4] = 255
    sheet.bands.append(Band([(30.0, 18.0, 42.0), (270.0, 18.0, 42.0)], pitch=60))
    sheet.born_digital = True
    seen = scan.scan(sheet, np.random.default_rng(9), 1.0, 60, bilevel=True)
    assert set(np.unique(seen.plane)) == {0, 255}
    assert ((seen.plane == 0) <= (cv2.dilate(sheet.lines, np.ones((3, 3), np.uint8)) > 0)).all()
    np.testing.assert_array_equal(seen.labels, sheet.labels())


def test_a_stamp_is_cut_at_the_edges_and_the_darker_wins() -> None:
    canvas = np.full((10, 10), 50, np.uint8)
    stamp(canvas, np.full((4, 4), 200, np.uint8), -2, 8)
    assert (canvas[8:, :2] == 200).all()
    assert (canvas[:8] == 50).all()
    stamp(canvas, np.full((4, 4), 10, np.uint8), 3, 3)
    assert (canvas[3:7, 3:7] == 50).all()
    stamp(canvas, np.full((4, 4), 200, np.uint8), 40, 3)


def test_no_bend_leaves_every_pixel_where_it_is() -> None:
    rng = np.random.default_rng(5)
    map_x, map_y = bend.bend_maps(bend.Bend(), 90, 310, rng)
    rows, columns = np.mgrid[0:90, 0:310]
    np.testing.assert_allclose(map_x, columns, atol=0.01)
    np.testing.assert_allclose(map_y, rows, atol=0.01)


def test_a_turn_moves_the_right_end_as_far_as_trigonometry_says() -> None:
    rng = np.random.default_rng(6)
    _, map_y = bend.bend_maps(bend.Bend(angle=2.0), 200, 1001, rng)
    rise = map_y[100, 1000] - map_y[100, 0]
    assert rise == pytest.approx(1000 * np.sin(np.deg2rad(2)), abs=0.5)


def one_line(stroke_distance: int) -> tuple[Gray, Gray, Gray]:
    """Labels, clean ink and the plane of a page with one line."""
    labels = np.full((60, 600), PAPER, np.uint8)
    labels[20:40] = LINE
    ink = np.zeros((60, 600), np.uint8)
    ink[22:38, ::stroke_distance] = 255
    return labels, ink, np.where(ink > 0, 0, 255).astype(np.uint8)


def test_lost_ink_takes_its_label_along() -> None:
    labels, ink, plane = one_line(3)
    np.testing.assert_array_equal(page.forget_lost_ink(labels, ink, plane), labels)
    plane[:, 300:] = 255
    left = page.forget_lost_ink(labels, ink, plane)
    assert (left[25:35, :250] == LINE).all()
    assert (left[25:35, 350:] == PAPER).all()
    assert (left[:18] == PAPER).all()


def test_a_line_drowned_in_black_is_not_asked_for() -> None:
    labels, ink, plane = one_line(6)
    plane[:, 300:] = 0
    left = page.forget_lost_ink(labels, ink, plane)
    assert (left[22:38, :250] == LINE).all()
    assert (left[22:38, 350:] == PAPER).all()


def test_an_outline_goes_along_the_upper_edge_and_back_along_the_lower() -> None:
    region = np.zeros((40, 100), bool)
    region[10:20, 5:95] = True
    points = render_pages.outline(region)
    assert points[0] == [5, 10]
    assert points[-1] == [5, 20]
    assert [94, 10] in points
    assert [94, 20] in points


def test_crops_give_back_ink_and_say_what_to_learn() -> None:
    ink = np.zeros((512, 512), np.uint8)
    ink[100:103, 40:400] = 1
    label = np.full((512, 512), PAPER, np.uint8)
    label[96:112] = LINE
    label[112:120] = BETWEEN
    label[200:204, 8:12] = IGNORED
    crops = cache.Crops.of([(ink, label, (512, 400))])
    np.testing.assert_array_equal(np.unpackbits(crops.ink[0], axis=-1), ink)
    goals = crops.goals[0]
    assert (goals[24:28] == 16).all()
    assert (goals[28:30] == cache.NEAR).all()
    assert goals[50, 2] == cache.UNKNOWN
    assert (goals[31:50] == 0).all()
    joined = cache.Crops.joined([crops, crops])
    assert len(joined) == 2
    assert joined.held.tolist() == [[512, 400]] * 2


def test_tiles_lie_on_the_page_and_pad_with_paper() -> None:
    plane = np.full((300, 1300), 255, np.uint8)
    plane[100:120, :] = 0
    labels = np.where(plane == 0, LINE, PAPER).astype(np.uint8)
    tiles = cache.tiles_of(page.TrainingPage("leaf", plane, labels), np.random.default_rng(7))
    assert len(tiles) == 3
    for ink, label, (rows, columns) in tiles:
        assert ink.shape == label.shape == (512, 512)
        assert rows == 300
        assert columns in (512, 1300 - 1024)
        assert ink[110, :columns].all()
        assert not ink[:, columns:].any()
        np.testing.assert_array_equal(ink == 1, label == LINE)
        assert not ink[300:].any()


def test_bare_wood_renders_without_fonts_and_has_no_lines() -> None:
    rendered = page.render(11, kind="wood")
    again = page.render(11, kind="wood")
    assert set(np.unique(rendered.plane)) <= {0, 255}
    assert (rendered.labels == PAPER).all()
    np.testing.assert_array_equal(rendered.plane, again.plane)


def test_marks_are_never_lines() -> None:
    rng = np.random.default_rng(8)
    sheet = Sheet.blank(300, 900)
    marks.frame(sheet, (50, 40, 850, 260), rng, 1.0)
    pictures.picture(sheet, (60, 50, 260, 250), rng, 1.0)
    marks.scribbles(sheet, rng, 1.0, 5)
    pictures.ornament_row(sheet, (300, 60, 800, 90), rng, 1.0)
    marks.wash(sheet, (300, 150, 500, 180), rng)
    assert sheet.marks[165, 320:480].min() > 30
    assert sheet.marks.max() > 100
    assert not sheet.lines.any()
    assert (sheet.labels() != LINE).all()
    assert (sheet.labels()[60:240, 70:250] == BETWEEN).all()


def test_the_curve_is_a_picture(tmp_path: Path) -> None:
    rows = [
        {"minutes": float(minute), "loss": 1 / (minute + 1), "held_out_loss": 0.5, "held_out_f1": 0.9}
        for minute in range(4)
    ]
    curve.draw_curve(rows, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


class BlockPen(Pen):
    """A pen of no font: a syllable is a block from headline to foot with a leg below it."""

    def __init__(self) -> None:
        self.body, self.body_top, self.body_bottom = 20.0, -20.0, 0.0

    def piece(self, text: str) -> Piece:
        mask = np.zeros((40, 12 * len(text)), np.uint8)
        mask[:20] = 255
        mask[20:, :3] = 255
        return Piece(mask, 0.0, -20.0, float(mask.shape[1] + 2))


def written_by(hand: cursive.Flow | strokes.Scribe) -> tuple[Gray, float, cursive.Points]:
    canvas = np.zeros((120, 800), np.uint8)
    tokens = [text.Token("ab"), text.Token("abc"), text.Token(gap=2), text.Token("abcd")]
    end, points = hand.write(
        canvas, BlockPen(), tokens, 20, 780, lambda _: 60, np.random.default_rng(3), Hand()
    )
    return canvas, end, points


@pytest.mark.parametrize("seed", range(6))
def test_fast_hands_say_where_their_bodies_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for hand in (cursive.draw_flow(rng, 1.0), strokes.draw_scribe(rng)):
        canvas, end, points = written_by(hand)
        assert points[0][0] == 20
        assert points[-1][0] == end < 780
        assert {(top, bottom) for _, top, bottom in points} == {(40, 60)}
        inked = np.flatnonzero(canvas[40:60].max(axis=0) > 100)
        assert inked[0] < 60
        assert end - 60 < inked[-1] < end + 30


def test_a_fast_hand_draws_out_tails_and_leaves_the_body_where_it_is() -> None:
    plain, _, _ = written_by(cursive.Flow())
    drawn, _, _ = written_by(cursive.Flow(tail=1.6))
    assert np.flatnonzero(plain.max(axis=1) > 100)[-1] == 79
    assert 82 <= np.flatnonzero(drawn.max(axis=1) > 100)[-1] <= 60 + 20 * 1.9
    assert np.abs(plain[41:59].astype(int) - drawn[41:59]).mean() < 5


def test_turned_writing_is_paper_that_weighs_more() -> None:
    labels, ink, plane = (np.tile(part, (17, 2))[:1024, :1024] for part in one_line(3))
    upright = scan.Scan(plane, True, labels, (labels == LINE).astype(np.uint8), ink)
    assert (page.seen_page("leaf", upright).labels == labels).all()
    for turns in (1, 2, 3):
        seen = page.seen_page("turned", attrs.evolve(upright, turns=turns))
        np.testing.assert_array_equal(seen.plane, np.rot90(plane, turns))
        np.testing.assert_array_equal(seen.labels == BETWEEN, np.rot90(labels == LINE, turns))
        assert (seen.labels != LINE).all()


def test_a_turned_pages_lines_lie_where_the_image_has_them() -> None:
    plane = np.zeros((60, 200), np.uint8)
    plane[10:20, 30:40] = 255
    for turns in range(4):
        upright = scan.Scan(plane, False, plane, plane, plane, turns)
        corners = render_pages.turned([[30, 10], [40, 10], [40, 20], [30, 20]], upright)
        drawn = np.zeros_like(np.ascontiguousarray(np.rot90(plane, turns)))
        (x0, y0), (x1, y1) = np.min(corners, axis=0), np.max(corners, axis=0)
        drawn[y0:y1, x0:x1] = 255
        np.testing.assert_array_equal(drawn, np.rot90(plane, turns))


@pytest.mark.parametrize("skew", [0.0, 10.0, -10.0])
def test_a_page_askew_fits_its_image(skew: float) -> None:
    wide, high = page.spanned(2000, 400, skew)
    map_x, map_y = bend.bend_maps(bend.Bend(angle=skew), high, wide, np.random.default_rng(1))
    left, top = (wide - 2000) / 2, (high - 400) / 2
    for x, y in ((left, top), (left + 2000, top), (left, top + 400), (left + 2000, top + 400)):
        assert np.hypot(map_x - x, map_y - y).min() < 2


def test_small_copies_are_coarser_and_as_large_as_their_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    def scanned(share: float, seed: int) -> scan.Scan:
        monkeypatch.setattr(scan, "SMALL_COPIES", share)
        sheet = Sheet.blank(200, 400)
        sheet.lines[60:140, 50:350:6] = 255
        sheet.bands.append(Band([(50.0, 60.0, 140.0), (350.0, 60.0, 140.0)], pitch=100))
        return scan.scan(sheet, np.random.default_rng(seed), 2.0, 100, bilevel=True)

    def fine(page: scan.Scan) -> float:
        ink = (page.plane == 0).astype(np.uint8)
        return 1 - float(cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)).sum() / ink.sum())

    sizes = set()
    for seed in range(8):
        copy = scanned(1.0, seed)
        assert set(np.unique(copy.plane)) == {0, 255}
        assert copy.plane.shape == copy.labels.shape == copy.regions.shape == copy.ink.shape
        assert 0.1 < (copy.labels == LINE).mean() < 0.5
        sizes.add(copy.plane.shape == (200, 400))
        if copy.plane.shape == (200, 400):
            assert fine(copy) < 0.02
    assert sizes == {True, False}
    assert fine(scanned(0.0, 2)) > 0.02


def test_otsu_makes_the_darker_half_of_a_cover_black() -> None:
    cover = np.full((60, 200), 70, np.float32)
    cover[:, 100:] = 120
    assert (scan.otsu(cover)[:, 100:] == 255).all()
    assert (scan.otsu(cover)[:, :100] == 0).all()
