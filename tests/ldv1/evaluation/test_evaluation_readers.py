"""Reading PAGE XML, ALTO and JSON lines, honest and hostile."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from bec_ldv1.evaluation.images import find_images
from bec_ldv1.evaluation.pages import PageLines, TruthError
from bec_ldv1.evaluation.readers import read_pages
from bec_ldv1.evaluation.report import evaluate

PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">
  <Page imageFilename="p1.jpg" imageWidth="1000" imageHeight="500">
    <TextRegion id="r1"><Coords points="0,0 1000,0 1000,500 0,500"/>
      <TextLine id="l1"><Coords points="100,100 900,110 900,150 100,140"/>
        <Baseline points="100,140 900,150"/></TextLine>
      <TextLine id="l2"><Coords points="100,150 900,160 900,200 100,190"/></TextLine>
    </TextRegion>
    <TextRegion id="r2" type="page-number"><Coords points="0,0 10,0 10,10 0,10"/>
      <TextLine id="l3"><Coords points="10,10 50,10 50,40 10,40"/></TextLine>
    </TextRegion>
  </Page>
</PcGts>"""

OLD_PAGE = """<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2010-03-19">
  <Page imageFilename="p1.jpg" imageWidth="1000" imageHeight="500"><TextRegion id="r">
  <TextLine id="l"><Coords><Point x="1" y="2"/><Point x="30" y="2"/><Point x="30" y="9"/></Coords></TextLine>
  </TextRegion></Page></PcGts>"""

ALTO = """<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#">
  <Description><MeasurementUnit>pixel</MeasurementUnit>
    <sourceImageInformation><fileName>p1.jpg</fileName></sourceImageInformation></Description>
  <Layout><Page ID="p" WIDTH="1000" HEIGHT="500">
    <LeftMargin><TextBlock ID="m"><TextLine HPOS="1" VPOS="2" WIDTH="3" HEIGHT="4"/></TextBlock></LeftMargin>
    <PrintSpace><TextBlock ID="b">
      <TextLine ID="l1" HPOS="100" VPOS="100" WIDTH="800" HEIGHT="50"/>
      <TextLine ID="l2" HPOS="0" VPOS="0" WIDTH="1" HEIGHT="1">
        <Shape><Polygon POINTS="100,150 900,160 900,200 100,190"/></Shape></TextLine>
    </TextBlock></PrintSpace></Page></Layout></alto>"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_page_xml(tmp_path: Path) -> None:
    (page,) = read_pages(write(tmp_path, "p1.xml", PAGE))
    assert (page.image, page.size) == ("p1.jpg", (1000, 500))
    assert len(page.regions) == 2
    np.testing.assert_array_equal(page.regions[0], [[100, 100], [900, 110], [900, 150], [100, 140]])
    np.testing.assert_array_equal(page.ignore[0][0], [10, 10])


def test_page_xml_before_2013(tmp_path: Path) -> None:
    (page,) = read_pages(write(tmp_path, "p1.xml", OLD_PAGE))
    np.testing.assert_array_equal(page.regions[0], [[1, 2], [30, 2], [30, 9]])


def test_alto(tmp_path: Path) -> None:
    (page,) = read_pages(write(tmp_path, "p1.xml", ALTO))
    assert (page.image, page.size) == ("p1.jpg", (1000, 500))
    np.testing.assert_array_equal(page.regions[0], [[100, 100], [900, 100], [900, 150], [100, 150]])
    np.testing.assert_array_equal(page.regions[1], [[100, 150], [900, 160], [900, 200], [100, 190]])
    assert len(page.ignore) == 1


def test_a_folder_of_xml_files(tmp_path: Path) -> None:
    write(tmp_path, "b.xml", ALTO)
    write(tmp_path, "a.xml", PAGE.replace("p1.jpg", "p2.jpg"))
    assert [(p.name, len(p.regions)) for p in read_pages(tmp_path)] == [("p2.jpg", 2), ("p1.jpg", 2)]


def test_json_lines_forms(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "t.jsonl",
        '{"image": "d/a.jpg", "size": [10, 20], "boxes": [[1, 2, 3, 4]]}\n\n'
        '{"image": "b.jpg", "polygons": [[[0, 0], [9, 0], [9, 9]]]}\n'
        '{"image": "c.jpg", "line_count": 7}\n'
        '{"image": "d.jpg", "lines": [[1, 2, 3, 4], {"polygon": [[0, 0], [9, 0], [9, 9]]}], '
        '"margin": [[5, 5, 6, 6]], "script": "umeh"}\n'
        '{"image": "e.jpg", "lines": []}\n',
    )
    a, b, c, d, e = read_pages(path)
    assert (a.name, a.size, len(a.regions)) == ("a.jpg", (10, 20), 1)
    np.testing.assert_array_equal(a.regions[0], [[1, 2], [3, 2], [3, 4], [1, 4]])
    assert len(b.regions[0]) == 3
    assert c.line_count == 7
    assert (len(d.regions), len(d.ignore), d.script) == (2, 1, "umeh")
    assert (e.regions, e.line_count) == ((), None)


LAUGHS = """<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<PcGts><Page imageFilename="&b;"/></PcGts>"""
EXTERNAL = """<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>
<PcGts><Page imageFilename="&e;"/></PcGts>"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (LAUGHS, "DOCTYPE"),
        (EXTERNAL, "DOCTYPE"),
        ('<!DOCTYPE alto SYSTEM "http://localhost:1/x.dtd"><alto/>', "DOCTYPE"),
        ("<PcGts>" + "<a>" * 500 + "</a>" * 500 + "</PcGts>", "nested"),
        ("<PcGts><Page>", "not well-formed"),
        ("not xml", "not well-formed"),
        ("<html/>", "neither PAGE"),
        ("<PcGts/>", "no <Page>"),
        ("<PcGts><Page>&undeclared;</Page></PcGts>", "not well-formed"),
        ('<PcGts><Page imageWidth="wide" imageHeight="1"/></PcGts>', "wide"),
        ("<alto><Description><MeasurementUnit>ell</MeasurementUnit></Description></alto>", "unit is 'ell'"),
        (
            "<alto><Description><MeasurementUnit>mm10</MeasurementUnit></Description><Page/></alto>",
            "a page has no size",
        ),
        (
            "<alto><Description><MeasurementUnit>inch1200</MeasurementUnit></Description>"
            "<Page WIDTH='0' HEIGHT='9'/></alto>",
            "a page has no size",
        ),
    ],
)
def test_bad_xml_is_a_named_error(tmp_path: Path, text: str, reason: str) -> None:
    path = write(tmp_path, "bad.xml", text)
    with pytest.raises(TruthError, match=reason) as caught:
        read_pages(path)
    assert "bad.xml" in str(caught.value)


PAGE_LINE = '<TextLine id="l9">{}</TextLine>'
ALTO_LINE = '<TextLine ID="l9" {}/>'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PAGE_LINE.format(""), "l9 has no <Coords>"),
        (PAGE_LINE.format("<Coords/>"), "l9: a polygon needs at least three points"),
        (PAGE_LINE.format('<Coords points=""/>'), "l9: a polygon needs at least three points"),
        (PAGE_LINE.format('<Coords points="1,2 3,4"/>'), "l9: a polygon needs at least three points"),
        (PAGE_LINE.format('<Coords points="1,2 3,nan 5,6"/>'), "l9: a polygon holds a coordinate"),
        (PAGE_LINE.format('<Coords points="1,2 3"/>'), "l9: an odd number"),
        (PAGE_LINE.format('<Coords points="1,2 3,x"/>'), "l9: could not convert"),
        (ALTO_LINE.format('HPOS="1"'), "l9: <TextLine> has no attribute VPOS"),
        (ALTO_LINE.format(""), "l9: <TextLine> has no attribute HPOS"),
    ],
)
def test_a_line_without_an_outline_is_left_out_counted_and_told(
    tmp_path: Path, text: str, reason: str
) -> None:
    """The rest of the file is read."""
    whole, end = (ALTO, "</TextBlock></PrintSpace>") if "ID" in text else (PAGE, "</TextRegion>")
    path = write(tmp_path, "p1.xml", whole.replace(end, text + end, 1))
    told: list[str] = []
    (page,) = read_pages(path, told.append)
    assert (len(page.regions), len(page.ignore), page.line_count) == (2, 1, None)
    assert len(page.without_outline) == len(told) == 1
    assert reason in page.without_outline[0]
    assert reason in told[0]
    assert "p1.xml: left out for want of an outline: lines 1" in told[0]


def test_about_a_bare_baseline_detections_are_neither_right_nor_wrong(tmp_path: Path) -> None:
    bare = PAGE.replace('<Coords points="100,150 900,160 900,200 100,190"/>', "")
    bare = bare.replace('<TextLine id="l2">', '<TextLine id="l2"><Baseline points="100,190 900,200"/>')
    (page,) = read_pages(write(tmp_path, "p1.xml", bare), lambda _: None)
    assert len(page.regions) == 1
    margin, about = page.ignore
    np.testing.assert_array_equal(margin[0], [10, 10])
    half = 40  # the lines with an outline are 50 and 30 px high
    np.testing.assert_array_equal(
        about, [[100, 190 - half], [900, 200 - half], [900, 200 + half], [100, 190 + half]]
    )
    report = evaluate([PageLines("p1.jpg", (1000, 500), (page.regions[0], about))], [page])
    (score,) = report.pages
    assert (score.matched, score.ignored, score.spurious, score.without_outline) == (1, 1, 0, 1)
    assert report.notes == ("lines of the truth without an outline, left out: 1",)


def test_a_page_of_bare_lines_is_known_by_their_number_and_is_not_blank(tmp_path: Path) -> None:
    lines = PAGE_LINE.format('<Baseline points="1,2 30,4"/>') * 3
    text = f'<PcGts><Page imageFilename="p.jpg"><TextRegion>{lines}</TextRegion></Page></PcGts>'
    (page,) = read_pages(write(tmp_path, "p.xml", text), lambda _: None)
    assert (page.regions, page.line_count) == ((), 3)
    report = evaluate([PageLines("p.jpg", None, ())], [page])
    assert report.pages[0].count_error == -3
    assert report.sets[0].f1 is None


NAMESPACES = ["2009-03-16", "2010-01-12", "2010-03-19", "2013-07-15", "2016-07-15", "2017-07-15", "2018-07-15",
              "2019-07-15"]  # fmt: skip


@pytest.mark.parametrize("version", NAMESPACES)
def test_page_of_every_version(tmp_path: Path, version: str) -> None:
    text = (
        (OLD_PAGE if version < "2013" else PAGE).replace("2010-03-19", version).replace("2019-07-15", version)
    )
    (page,) = read_pages(write(tmp_path, "p1.xml", text))
    assert len(page.regions) == (1 if version < "2013" else 2)


@pytest.mark.parametrize("name", ["", "\n\t\t\t", " \n ", None])
@pytest.mark.parametrize("whole", [PAGE, ALTO])
def test_a_file_that_does_not_name_its_image_is_called_as_itself(
    tmp_path: Path, whole: str, name: str | None
) -> None:
    if name is None:
        text = whole.replace(' imageFilename="p1.jpg"', "").replace("<fileName>p1.jpg</fileName>", "")
    else:
        text = whole.replace("p1.jpg", name)
    (page,) = read_pages(write(tmp_path, "leaf 7.xml", text))
    assert page.name == "leaf 7"
    found = PageLines("x/leaf 7.tif", (1000, 500), page.regions)
    assert evaluate([found], [page]).pages[0].matched == 2
    assert evaluate([page], [found]).pages[0].matched == 2
    with pytest.raises(ValueError, match=r"leaf 7\.jp2 and leaf 7\.tif may both be for the page leaf 7"):
        evaluate([found, PageLines("leaf 7.jp2", None, ())], [page])


def test_a_name_around_which_there_are_blanks(tmp_path: Path) -> None:
    for whole in (PAGE, ALTO):
        (page,) = read_pages(write(tmp_path, "x.xml", whole.replace("p1.jpg", "\n\t\tp1.jpg \n")))
        assert page.image == "p1.jpg"


@pytest.mark.parametrize(("unit", "per_pixel"), [("mm10", 254 / 300), ("inch1200", 1200 / 300)])
def test_alto_measured_on_paper_is_scaled_to_the_image(tmp_path: Path, unit: str, per_pixel: float) -> None:
    """The page was scanned at 300 dpi; in mm10 its numbers are fewer than its pixels, in inch1200 more."""

    def measured(found: re.Match[str]) -> str:
        return f'{found[1]}="{" ".join(f"{float(n) * per_pixel:.4f}" for n in found[2].split())}"'

    text = re.sub(r'(HPOS|VPOS|WIDTH|HEIGHT|POINTS)="([^"]*)"', measured, ALTO.replace(",", " "))
    (paper,) = read_pages(write(tmp_path, "p1.xml", text.replace(">pixel<", f">{unit}<")))
    (pixels,) = read_pages(write(tmp_path, "p2.xml", ALTO))
    assert not paper.in_pixels
    same = paper.scaled_to((1000, 500))
    assert (same.size, same.in_pixels, len(same.ignore)) == ((1000, 500), True, 1)
    for region, wanted in zip(same.regions, pixels.regions, strict=True):
        np.testing.assert_allclose(region, wanted, atol=1)
    for found, truth in ((pixels, paper), (paper, pixels), (paper, paper)):
        assert evaluate([found], [truth]).pages[0].matched == 2
    unsized = PageLines("p1.jpg", None, pixels.regions)
    with pytest.raises(ValueError, match=r"the page p1\.jpg is measured on paper"):
        evaluate([unsized], [paper])


def test_names_composed_and_decomposed_are_the_same(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        name = unicodedata.normalize(form, "Bücher གཱ.jpg")
        (page,) = read_pages(write(tmp_path, "p.xml", PAGE.replace("p1.jpg", name)))
        for other in ("NFC", "NFD"):
            found = PageLines(unicodedata.normalize(other, name), (1000, 500), page.regions)
            assert evaluate([found], [page]).pages[0].matched == 2
            (tmp_path / other).mkdir(exist_ok=True)
            image = tmp_path / other / unicodedata.normalize(other, name)
            image.touch()
            assert find_images([page], tmp_path / other)[page.name].place == image


ZONES = ["NumberingZone", "RunningTitleZone", "MarginTextZone", "MarginTextZone:note#2", "QuireMarksZone",
         "page-number", "marginalia", "catch-word"]  # fmt: skip
TEXT = ["MainZone", "MainZone:column#1", "TitlePageZone", "paragraph", "heading", ""]


@pytest.mark.parametrize(("zone", "is_margin"), [(z, True) for z in ZONES] + [(z, False) for z in TEXT])
def test_zones_of_segmonto_and_of_transkribus_are_margins(tmp_path: Path, zone: str, is_margin: bool) -> None:
    custom = f'custom="readingOrder {{index:0;}} structure {{type:{zone};}}"'
    region = PAGE.replace('<TextRegion id="r1">', f'<TextRegion id="r1" type="paragraph" {custom}>')
    line = PAGE.replace('<TextLine id="l1">', f'<TextLine id="l1" {custom}>')
    tags = f'<Tags><OtherTag ID="T1" LABEL="{zone}"/><LayoutTag ID="T2" LABEL="MainZone"/></Tags><Layout>'
    alto = ALTO.replace("<Layout>", tags)
    block = alto.replace('<TextBlock ID="b">', '<ComposedBlock TAGREFS="T2 T1"><TextBlock ID="b">')
    block = block.replace("</TextBlock></PrintSpace>", "</TextBlock></ComposedBlock></PrintSpace>")
    for text, lines in ((region, 2), (line, 1), (block, 2)):
        (page,) = read_pages(write(tmp_path, "p.xml", text))
        gone = lines if is_margin else 0
        assert (len(page.regions), len(page.ignore)) == (2 - gone, 1 + gone)


def test_indexes_beside_the_pages_are_left_out_with_a_word(tmp_path: Path) -> None:
    """A document that Transkribus exported."""
    (tmp_path / "page").mkdir()
    write(tmp_path / "page", "p1.xml", PAGE)
    write(tmp_path, "mets.xml", '<!DOCTYPE mets><mets xmlns="http://www.loc.gov/METS/"/>')
    write(tmp_path, "metadata.xml", "<trpDocMetadata/>")
    write(tmp_path, "0001_tei.xml", '<TEI xmlns="http://www.tei-c.org/ns/1.0"/>')
    write(tmp_path, "._p1.xml", "\0")
    told: list[str] = []
    (tmp_path / "0001_tei.xml").rename(tmp_path / "page" / "tei.xml")
    (page,) = read_pages(tmp_path, told.append)
    assert page.name == "p1.jpg"
    assert sorted(Path(text.rpartition(": ")[2]).name for text in told) == [
        "._p1.xml",
        "metadata.xml",
        "mets.xml",
        "tei.xml",
    ]
    assert "its root element <TEI>" in next(text for text in told if "tei.xml" in text)


@pytest.mark.parametrize(
    ("folders", "mets"),
    [(["page", "alto"], False), (["page", "alto"], True), (["OCR-D-GT-PAGE", "OCR-D-SEG-LINE"], True)],
)
def test_the_same_pages_in_two_forms_are_asked_about(tmp_path: Path, folders: list[str], mets: bool) -> None:
    book = tmp_path / "book"
    for folder in folders:
        (book / folder).mkdir(parents=True)
        text = ALTO if folder == "alto" else PAGE.replace("p1.jpg", f"{folder}-p1.jpg")
        write(book / folder, "p1.xml", text)
    if mets:
        write(book, "mets.xml", "<mets/>")
    for place in (book, tmp_path):
        with pytest.raises(TruthError, match="same pages in several forms") as caught:
            read_pages(place)
        assert all(str(book / folder) in str(caught.value) for folder in folders)
    assert len(read_pages(book / folders[0])) == 1


def test_folders_of_several_books_are_one_truth(tmp_path: Path) -> None:
    for book in ("one", "two"):
        (tmp_path / book / "page").mkdir(parents=True)
        write(tmp_path / book, "mets.xml", "<mets/>")
        write(tmp_path / book / "page", "p1.xml", PAGE.replace("p1.jpg", f"{book}.jpg"))
    assert [page.name for page in read_pages(tmp_path, lambda _: None)] == ["one.jpg", "two.jpg"]


def test_a_page_in_two_files_is_refused_and_both_are_named(tmp_path: Path) -> None:
    write(tmp_path, "a.xml", PAGE)
    write(tmp_path, "b.xml", ALTO)
    with pytest.raises(TruthError, match=r"the page p1\.jpg twice, in a\.xml and in b\.xml"):
        read_pages(tmp_path)


@pytest.mark.parametrize("text", ["<mets/>", "<trpDocMetadata/>"])
def test_a_folder_or_file_without_pages_is_an_error(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, "index.xml", text)
    with pytest.raises(TruthError, match="holds no PAGE or ALTO file"):
        read_pages(tmp_path, lambda _: None)
    with pytest.raises(TruthError, match="neither PAGE"):
        read_pages(path)


def test_a_name_with_a_line_separator_does_not_end_a_row(tmp_path: Path) -> None:
    (page,) = read_pages(write(tmp_path, "t.jsonl", '{"image": "a\u2028b\x85.jpg", "lines": []}\n'))
    assert page.image == "a\u2028b\x85.jpg"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "line 1"),
        ("[1]", "JSON object"),
        ('{"boxes": []}', "'image' is missing"),
        ('{"image": "a"}', "none of lines"),
        ('{"image": "a", "line_count": "many"}', "whole number"),
        ('{"image": "a", "boxes": [[1, 2, 3]]}', "line 1"),
        ('{"image": "a", "lines": [{"poly": []}]}', "'polygon' is missing"),
    ],
)
def test_bad_json_lines_are_named_errors(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(TruthError, match=reason):
        read_pages(write(tmp_path, "t.jsonl", text))


def test_missing_or_empty_places(tmp_path: Path) -> None:
    with pytest.raises(TruthError, match="does not exist"):
        read_pages(tmp_path / "none.jsonl")
    with pytest.raises(TruthError, match=r"no \.xml file"):
        read_pages(tmp_path)
    (tmp_path / "latin.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(TruthError, match="UTF-8"):
        read_pages(tmp_path / "latin.jsonl")
