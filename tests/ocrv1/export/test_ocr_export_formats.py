"""Every format: valid by its schema, opened by a program that somebody else wrote, and the texts in it."""

import json
import warnings
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import attrs
import pytest
from lxml import etree, html

from bec_core import Work
from bec_ldv1.artifacts.writing.volume import ExportVolume
from bec_ocrv1.export.alto import to_alto
from bec_ocrv1.export.hocr import to_hocr
from bec_ocrv1.export.jsonl import to_jsonl
from bec_ocrv1.export.page_xml import to_page_xml
from bec_ocrv1.export.pages import ExportLine, ExportPage
from bec_ocrv1.export.text import to_text

with warnings.catch_warnings():  # they are not ours to mend
    warnings.simplefilter("ignore")
    from alto_tools import alto_tools
    from hocr_spec import HocrValidator
    from htrvx.schemas import Validator
    from pagexml.parser import parse_pagexml_file

NOON = datetime(2024, 5, 6, 12, 0, 0, tzinfo=UTC)
HOSTILE = "a \"b\" 'c' <d> & ]]> %20; \n\t\x07\x1f\ufffe བོད་ =1+1,.jpg"
IN_XML = HOSTILE.translate(dict.fromkeys((0x07, 0x1F, 0xFFFE), "\ufffd"))  # XML has no form for these three
MARKUP = "བཀྲ་ཤིས། <b>&amp;\"'་ ]]>"

FIRST = ExportLine(
    MARKUP, 0.875, ((10, 20), (400, 24), (780, 30), (780, 70), (10, 60)), ((12, 40), (400, 44), (778, 50))
)
SECOND = ExportLine("", 0.0, ((15, 70), (770, 80), (770, 120), (15, 110)), ((15, 90), (770, 100)))
PAGE = ExportPage(HOSTILE, 800, 200, (FIRST, SECOND), ("rotated",))
BLANK = ExportPage("0002.jpg", 640, 480, (), ("blank",))
WORK = Work("=1+1 <b>\"'& ]]> བོད་", "https://example.org/1?a=1&b=2")
VOLUME = ExportVolume("W1-I0001-abcdef", (PAGE, BLANK), ("0003.jpg",), WORK)


def page_xml(page: ExportPage) -> bytes:
    return to_page_xml(page, "bec-ocrv1 0", NOON, WORK)


def alto(page: ExportPage) -> bytes:
    return to_alto(page, "bec-ocrv1", "0")


@pytest.mark.parametrize("page", [PAGE, BLANK], ids=["lines", "blank"])
@pytest.mark.parametrize(("schema", "write"), [("page", page_xml), ("alto", alto)])
def test_the_schema_holds(schema, write, page):
    validator = Validator(schema)
    assert validator.validate(etree.ElementTree(etree.fromstring(write(page)))), validator.xmlschema.error_log


def test_the_schema_check_can_fail():
    broken = page_xml(PAGE).replace(b"<Unicode>", b"<Unicodes>").replace(b"</Unicode>", b"</Unicodes>")
    assert not Validator("page").validate(etree.ElementTree(etree.fromstring(broken)))


def saved(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "p.xml"
    path.write_bytes(data)
    return path


def test_pagexml_tools_reads_the_texts(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scan = parse_pagexml_file(str(saved(tmp_path, page_xml(PAGE))))
    lines = scan.get_lines()
    assert [line.text or "" for line in lines] == [MARKUP, ""]
    assert lines[0].conf == 0.875
    assert lines[0].coords.points == list(FIRST.polygon)
    assert lines[1].baseline.points == list(SECOND.baseline)


def test_page_xml_keeps_order_and_the_name_to_the_letter():
    root = etree.fromstring(page_xml(PAGE))
    ns = {"p": root.nsmap[None]}
    assert root.xpath("string(p:Page/@imageFilename)", namespaces=ns) == IN_XML
    assert root.xpath("//p:TextLine/@custom", namespaces=ns) == [
        "readingOrder {index:0;}",
        "readingOrder {index:1;}",
    ]
    assert root.xpath("//p:TextLine/p:TextEquiv/@conf", namespaces=ns) == ["0.8750", "0.0000"]
    assert root.xpath("string(//p:TextRegion/p:TextEquiv/p:Unicode)", namespaces=ns) == MARKUP
    assert b'type="blank"' in page_xml(BLANK)
    assert b"TextRegion" not in page_xml(BLANK)


def test_alto_tools_reads_the_texts(tmp_path, capsys):
    with saved(tmp_path, alto(PAGE)).open(encoding="utf-8") as stream:
        _, tree, namespace = alto_tools.alto_parse(stream)
    alto_tools.alto_text(tree, namespace)
    assert capsys.readouterr().out.split("\n")[1:] == [f"{MARKUP} ", " "]
    string = tree.find(f".//{{{namespace}}}String")
    assert (string.get("CONTENT"), string.get("WC")) == (MARKUP, "0.8750")
    item = tree.find(f".//{{{namespace}}}TextLine")
    assert item.get("BASELINE") == "12 40 400 44 778 50"
    assert [item.get(name) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT")] == ["10", "20", "770", "50"]


@pytest.mark.parametrize("page", [PAGE, BLANK], ids=["lines", "blank"])
def test_hocr_is_valid(page, tmp_path):
    path = tmp_path / "p.hocr"
    path.write_bytes(to_hocr(page, "bec-ocrv1 0", WORK))
    report = HocrValidator("standard").validate(str(path))
    assert report.is_valid(), report.format("text")
    assert not [item for item in report.items if item.level == "WARN"]


def test_hocr_in_a_browsers_parser_and_in_an_xml_parser():
    data = to_hocr(PAGE, "bec-ocrv1 0", WORK)
    for root in (html.document_fromstring(data), etree.fromstring(data)):
        (page,) = root.xpath("//*[@class='ocr_page']")
        lines = page.xpath(".//*[@class='ocr_line']")
        words = page.xpath(".//*[@class='ocrx_word']")
        assert [len(line.xpath("./*")) for line in lines] == [1, 1]  # siblings, a word in each
        assert [word.text.strip() for word in words] == [MARKUP, ""]
        assert words[0].get("title") == "bbox 10 20 780 70; x_wconf 88"
        assert "bbox 10 20 780 70; baseline 0.0130 -30.4; poly 10 20 400 24" in lines[0].get("title")
        image, *others = [part.strip() for part in page.get("title").split(";")]
        assert others == ["bbox 0 0 800 200", "ppageno 0"]
        assert unquote(image.removeprefix('image "').removesuffix('"')) == HOSTILE.replace(
            "\ufffe", "\ufffd"
        ).replace("\x07", "\ufffd").replace("\x1f", "\ufffd")


@pytest.mark.parametrize(
    ("baseline", "said"),
    [
        (((10, 90), (40, 90)), b"baseline 0.0000 -110.0;"),
        (((10, 90), (40, 93)), b"baseline 0.1000 -110.0;"),
        (((25, 10), (25, 190)), b"baseline 0 -100.0;"),
        (((25, 90), (25, 90)), b"baseline 0.0000 -110.0;"),
    ],
)
def test_a_baseline_has_a_slope(baseline, said):
    line = ExportLine("x", 1.0, ((10, 60), (40, 60), (40, 200), (10, 200)), baseline)
    assert said in to_hocr(ExportPage("1.jpg", 50, 200, (line,)), "x", WORK)


def test_page_xml_and_hocr_say_title_and_link():
    items = etree.fromstring(page_xml(PAGE)).xpath("//*[local-name() = 'MetadataItem']/@value")
    metas = etree.fromstring(to_hocr(BLANK, "x", WORK)).xpath("//*[starts-with(@name, 'DC.')]/@content")
    assert items == metas == [WORK.title, WORK.link]


def test_text_is_a_row_a_line():
    assert to_text(PAGE).decode() == f"{MARKUP}\n\n"
    assert to_text(BLANK) == b""


def test_jsonl_is_a_row_a_page():
    full, blank = map(json.loads, to_jsonl(VOLUME).decode().splitlines())
    assert (full["image"], full["size"], full["flags"]) == (HOSTILE, [800, 200], ["rotated"])
    assert full["lines"][0] == {
        "text": MARKUP,
        "confidence": 0.875,
        "polygon": [list(point) for point in FIRST.polygon],
        "baseline": [list(point) for point in FIRST.baseline],
    }
    assert (blank["lines"], blank["flags"]) == ([], ["blank"])
    assert (blank["title"], blank["link"]) == (WORK.title, WORK.link)


@pytest.mark.parametrize(("quarter_turns", "angle"), [(0, 0), (1, 270), (2, 180), (3, 90)])
def test_the_text_of_a_turned_page_says_so(quarter_turns, angle):
    page = attrs.evolve(PAGE, quarter_turns=quarter_turns)
    (region,) = etree.fromstring(page_xml(page)).xpath("//*[local-name() = 'TextRegion']")
    (block,) = etree.fromstring(alto(page)).xpath("//*[local-name() = 'TextBlock']")
    titles = etree.fromstring(to_hocr(page, "x", WORK)).xpath("//*[@class = 'ocr_line']/@title")
    assert int(region.get("orientation", "0")) % 360 == int(block.get("ROTATION", "0")) == angle
    assert [f"textangle {angle};" in title for title in titles] == [angle > 0, angle > 0]
    row = json.loads(to_jsonl(ExportVolume("W1-I0001-abcdef", (page,))))
    assert (row["orientation"], row["quarter_turns"]) == (1, quarter_turns)
    for schema, write in (("page", page_xml), ("alto", alto)):
        assert Validator(schema).validate(etree.ElementTree(etree.fromstring(write(page))))
