"""Turned images in the formats of other programs: as stored, and as viewers show them. Pillow is the viewer here."""

import io
import json
import warnings

import attrs
import numpy as np
import pytest
from click.testing import CliRunner
from lxml import etree
from PIL import Image, ImageOps

from bec_ldv1.cli import ldv1
from bec_ldv1.lines import Line
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.records import PageRecord, to_parquet
from support.drawn_lines import HEIGHT, WIDTH, course, drawn, outline
from support.sample_pages import PECHA
from support.turned_pages import WAYS, scanned, scanned_record, upright_record

with warnings.catch_warnings():  # they are not ours to mend
    warnings.simplefilter("ignore")
    from hocr_spec import HocrValidator
    from htrvx.schemas import Validator
    from pagexml.parser import parse_pagexml_file
    from pycocotools.coco import COCO


def exported(folder, record, form, *options):
    path = folder / "W1-I0001-abcdef.parquet"
    path.write_bytes(to_parquet([record]))
    result = CliRunner().invoke(
        ldv1, ["export", str(path), "--format", form, "--out", str(folder / form), *options]
    )
    assert result.exit_code == 0, result.output
    (file,) = (one for one in (folder / form).rglob("*") if one.is_file())
    return file


def viewed(plane, quarter_turns, orientation, *, as_shown):
    image = Image.open(io.BytesIO(scanned(plane, quarter_turns, orientation)))
    return ImageOps.exif_transpose(image) if as_shown else image


@pytest.fixture(scope="module")
def sample():
    return upright_record(PECHA)


@pytest.mark.parametrize("as_shown", [False, True])
@pytest.mark.parametrize(("quarter_turns", "orientation"), WAYS)
def test_lines_lie_on_the_writing_of_the_picture_that_was_asked_for(
    sample, quarter_turns, orientation, as_shown, tmp_path
):
    plane, record = sample
    options = ["--upright"] if as_shown else []
    found = scanned_record(record, quarter_turns, orientation)
    row = json.loads(exported(tmp_path, found, "jsonl", *options).read_text())
    seen = np.asarray(viewed(plane, quarter_turns, orientation, as_shown=as_shown))
    assert row["size"] == [seen.shape[1], seen.shape[0]]
    assert (row["orientation"], row["quarter_turns"]) == (1 if as_shown else orientation, quarter_turns)
    scan = COCO(str(exported(tmp_path, found, "coco", *options)))
    (image,) = scan.loadImgs([1])
    assert [image["width"], image["height"]] == row["size"]
    for number, line in enumerate(row["lines"], start=1):
        (annotation,) = scan.loadAnns([number])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inside = scan.annToMask(annotation).astype(bool)
        assert inside.shape == seen.shape
        # Where the line is on the picture there is its writing, as on the upright page.
        ink = np.mean(seen[inside] < 128)
        x, y = record.details.lines[number - 1].polygon.T
        upright = plane[int(y.min()) : int(y.max()), int(x.min()) : int(x.max())] < 128
        assert ink == pytest.approx(np.mean(upright), abs=0.03)
        assert annotation["segmentation"] == [np.ravel(line["polygon"]).tolist()]


@pytest.mark.parametrize("as_shown", [False, True])
@pytest.mark.parametrize(("quarter_turns", "orientation"), WAYS)
def test_page_alto_and_hocr_say_how_the_text_is_turned(
    sample, quarter_turns, orientation, as_shown, tmp_path
):
    plane, record = sample
    options = ["--upright"] if as_shown else []
    found = scanned_record(record, quarter_turns, orientation)
    page, alto = (exported(tmp_path, found, form, *options) for form in ("page", "alto"))
    for form, path in (("page", page), ("alto", alto)):
        validator = Validator(form)
        assert validator.validate(etree.parse(path)), validator.xmlschema.error_log
    hocr = exported(tmp_path, found, "hocr", *options)
    report = HocrValidator("standard").validate(str(hocr))
    assert report.is_valid(), report.format("text")

    (region,) = etree.parse(page).xpath("//*[local-name() = 'TextRegion']")
    (block,) = etree.parse(alto).xpath("//*[local-name() = 'TextBlock']")
    clockwise = int(region.get("orientation", "0"))
    turned = int(block.get("ROTATION", "0"))
    titles = etree.parse(hocr).xpath("//*[@class = 'ocr_line']/@title")
    assert -180 < clockwise <= 180
    assert clockwise % 360 == turned
    if turned:
        assert all(f"; textangle {turned}; " in title and "baseline" not in title for title in titles)
    else:
        assert all("; baseline " in title and "textangle" not in title for title in titles)
    picture = viewed(plane, quarter_turns, orientation, as_shown=as_shown)
    if not as_shown and orientation in (2, 4, 5, 7):
        assert clockwise == 0  # no turn makes a mirrored text readable
    else:
        np.testing.assert_array_equal(np.asarray(picture.rotate(-clockwise, expand=True)), plane)


@pytest.mark.parametrize("quarter_turns", range(4))
def test_pagexml_tools_gives_the_lines_of_a_turned_page_in_their_order(sample, quarter_turns, tmp_path):
    _, record = sample
    found = scanned_record(record, quarter_turns)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scan = parse_pagexml_file(str(exported(tmp_path, found, "page")))
    assert [line.baseline.points[0] for line in scan.get_lines()] == [
        tuple(np.rint(line.baseline[0]).astype(int)) for line in found.details.lines
    ]


def test_crops_of_a_turned_page_are_upright(tmp_path):
    points = course(2, 30)
    details = PageDetails(WIDTH, HEIGHT, 0.1, [Line(outline(points), points, 0.9)], orientation=1)
    record = PageRecord(
        "1.png", "ff", contours=[], contours_bboxes=np.empty((0, 4), np.int32), details=details
    )
    crops = []
    for quarter_turns in range(4):
        folder = tmp_path / str(quarter_turns)
        (folder / "images").mkdir(parents=True)
        (folder / "images" / "1.png").write_bytes(scanned(drawn(points), quarter_turns, 6))
        path = folder / "W1-I0001-abcdef.parquet"
        path.write_bytes(to_parquet([scanned_record(record, quarter_turns, 6)]))
        arguments = ["export", path, "--crops", folder / "lines", "--images", folder / "images"]
        result = CliRunner().invoke(ldv1, list(map(str, arguments)))
        assert result.exit_code == 0, result.output
        (crop,) = (folder / "lines").rglob("*.png")
        crops.append(np.asarray(Image.open(crop)).astype(int))
    for crop in crops[1:]:
        assert crop.shape == crops[0].shape
        assert np.abs(crop - crops[0]).mean() < 1


def test_a_file_that_does_not_know_how_viewers_turn_its_images_says_so(sample, tmp_path):
    _, record = sample
    old = attrs.evolve(record, details=attrs.evolve(record.details, orientation=None))
    assert exported(tmp_path, old, "csv").read_text().startswith("volume,")
    path = tmp_path / "W1-I0001-abcdef.parquet"
    result = CliRunner().invoke(
        ldv1, ["export", str(path), "--format", "csv", "--out", str(tmp_path / "out"), "--upright"]
    )
    assert result.exit_code == 1
    assert "whether viewers turn 1.png (its EXIF orientation) is not recorded" in result.output


def test_upright_is_not_for_crops(tmp_path):
    result = CliRunner().invoke(
        ldv1, ["export", "x", "--crops", str(tmp_path), "--images", str(tmp_path), "--upright"]
    )
    assert result.exit_code == 2
    assert "line images are always upright" in result.output
