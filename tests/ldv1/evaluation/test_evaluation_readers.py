"""Reading PAGE XML, ALTO and JSON lines, honest and hostile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bec_ldv1.evaluation.pages import TruthError
from bec_ldv1.evaluation.readers import read_pages

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
    write(tmp_path, "a.xml", PAGE)
    assert [len(p.regions) for p in read_pages(tmp_path)] == [2, 2]


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
        ('<PcGts><Page><TextLine id="l7"/></Page></PcGts>', "l7 has no <Coords>"),
        ('<PcGts><Page><TextLine><Coords points="1,2 3,4"/></TextLine></Page></PcGts>', "at least three"),
        ('<PcGts><Page><TextLine><Coords points="1,2 3,nan 5,6"/></TextLine></Page></PcGts>', "not a finite"),
        ('<PcGts><Page><TextLine><Coords points="1,2 3"/></TextLine></Page></PcGts>', "odd number"),
        ("<alto><Description><MeasurementUnit>mm10</MeasurementUnit></Description></alto>", "mm10"),
        ("<alto><Layout><Page><TextLine HPOS='1'/></Page></Layout></alto>", "no attribute VPOS"),
    ],
)
def test_bad_xml_is_a_named_error(tmp_path: Path, text: str, reason: str) -> None:
    path = write(tmp_path, "bad.xml", text)
    with pytest.raises(TruthError, match=reason) as caught:
        read_pages(path)
    assert "bad.xml" in str(caught.value)


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
