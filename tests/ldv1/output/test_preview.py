"""``bec ldv1 preview``: a picture of one page with its lines."""

import attrs
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from bec_ldv1.cli import ldv1
from bec_ldv1.lines import Line
from bec_ldv1.output.preview import LONGEST_SIDE, draw, preview
from bec_ldv1.page.decode import PageImage, upright
from bec_ldv1.page.flags import Flag
from bec_ldv1.page.orientation import to_stored, to_upright
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.records import PageRecord
from support.places import ROOT
from support.turned_pages import scanned, scanned_record

LEAF = ROOT / "samples/Works/f4/W1BEC1/images/W1BEC1-0001/0002.jpg"
REGION = np.array([[100, 50], [700, 50], [700, 90], [100, 90]], np.float32)
COURSE = np.array([[100, 70], [700, 70]], np.float32)


def test_the_command_draws_and_tells(tmp_path):
    out = tmp_path / "new" / "p.png"
    result = CliRunner().invoke(ldv1, ["preview", str(LEAF), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("4 lines, no rotation, ")
    assert "s with the model box" in result.output
    with Image.open(out) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (2200, 470))


def test_the_picture_goes_beside_nobodys_scans(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(ldv1, ["preview", str(LEAF)])
    assert [path.name for path in tmp_path.iterdir()] == ["0002-lines.png"]


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (b"no image", [], "p.jpg can't be processed: not an image"),
        (None, ["--model-path", "none.pt"], "can't read the model file none.pt"),
    ],
)
def test_what_goes_wrong_is_one_sentence(tmp_path, data, options, message):
    page = tmp_path / "p.jpg"
    page.write_bytes(LEAF.read_bytes() if data is None else data)
    result = CliRunner().invoke(ldv1, ["preview", str(page), "--out", str(tmp_path / "o.png"), *options])
    assert (result.exit_code, message in result.output) == (1, True), result.output


@pytest.mark.parametrize("orientation", range(1, 9))
def test_lines_are_drawn_where_they_are(orientation):
    plane = np.full((200, 800), 255, np.uint8)
    plane[50:90, 100:700] = 200
    stored = [to_stored(part, orientation, 800, 200).astype(np.float32) for part in (REGION, COURSE)]
    picture = draw(PageImage(plane, False, orientation), [Line(stored[0], stored[1], 1.0)])
    coloured = np.ptp(picture.astype(int), axis=2) > 0
    rows, columns = np.nonzero(coloured[:, 90:])
    assert (rows.min(), rows.max()) == pytest.approx((50, 90), abs=1)
    assert columns.max() + 90 == pytest.approx(700, abs=1)
    assert picture[60, 400].tolist() != [200, 200, 200]  # tinted inside
    assert picture[150, 400].tolist() == [255, 255, 255]


@pytest.mark.parametrize("quarter_turns", range(4))
def test_a_turned_page_is_drawn_upright_and_told(tmp_path, monkeypatch, quarter_turns):
    page = tmp_path / "p.png"
    plane = np.array(Image.open(LEAF).convert("L"))
    page.write_bytes(scanned(plane, quarter_turns, 6))
    details = PageDetails(*plane.shape[::-1], 0.1, [Line(REGION, COURSE, 1.0)], orientation=1)
    record = scanned_record(
        PageRecord("p.png", "", contours=[], contours_bboxes=np.empty((0, 4), np.int32), details=details),
        quarter_turns,
        6,
    )
    flagged = attrs.evolve(record.details, flags=frozenset({Flag.TURNED} if quarter_turns else ()))
    monkeypatch.setattr(
        "bec_ldv1.output.preview.page_record", lambda *_: attrs.evolve(record, details=flagged)
    )
    found = preview(page)
    assert found.picture.shape[:2] == plane.shape
    rows, columns = np.nonzero(np.ptp(found.picture[:, 90:].astype(int), axis=2))
    assert (rows.min(), rows.max()) == pytest.approx((50, 90), abs=3)
    assert columns.max() + 90 == pytest.approx(700, abs=3)
    words = [
        "",
        "scanned turned by 90° clockwise, ",
        "scanned upside down, ",
        "scanned turned by 90° counter",
    ]
    assert found.summary().startswith(f"1 lines, {words[quarter_turns]}")
    assert ", turned" not in found.summary()


def test_large_pages_are_shrunk():
    picture = draw(PageImage(np.full((1_000, 6_000), 255, np.uint8), False), [])
    assert picture.shape == (400, LONGEST_SIDE, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_and_stored_undo_each_other(orientation):
    points = np.array([[0.0, 0.0], [9.0, 4.0], [3.0, 1.0]])
    width, height = 10, 5
    there = to_stored(points, orientation, width, height)
    np.testing.assert_array_equal(to_upright(there, orientation, width, height), points)
    raster = np.zeros((5, 10), np.uint8)
    raster[1, 3] = 1
    stored = upright(raster, {6: 8, 8: 6}.get(orientation, orientation))
    x, y = there[2].astype(int)
    assert stored[y, x] == 1
