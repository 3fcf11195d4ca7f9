"""Reading ground truth: every form, what went wrong with others' files, and errors that name the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from bec_ocreval.errors import TruthError
from bec_ocreval.truth.load import load_truth

PAGE_HEAD = '<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">'


def page_xml(body: str, image: str = "0001.tif") -> str:
    return f'<?xml version="1.0"?>{PAGE_HEAD}<Page imageFilename="{image}">{body}</Page></PcGts>'


def line(text: str, coords: str = '<Coords points="0,0 9,0 9,9"/>') -> str:
    return f"<TextLine>{coords}<TextEquiv><Unicode>{text}</Unicode></TextEquiv></TextLine>"


def region(name: str, *lines: str) -> str:
    return f'<TextRegion id="{name}">{"".join(lines)}</TextRegion>'


def alto(lines: str, name: str = "0001.tif") -> str:
    head = f"<Description><sourceImageInformation><fileName>{name}</fileName></sourceImageInformation></Description>"
    body = f"<Layout><Page><PrintSpace><TextBlock>{lines}</TextBlock></PrintSpace></Page></Layout>"
    return f'<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#">{head}{body}</alto>'


def only(path: Path):
    (page,) = load_truth(path)
    return page


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_plain_text_is_a_line_a_line(tmp_path):
    path = written(tmp_path, "0001.txt", b"\xef\xbb\xbf" + "ཀ་\r\nཁ།\n".encode())
    page = only(path)
    assert page.lines == ("ཀ་", "ཁ།")
    assert "0001" in page.stems
    assert page.source == "0001.txt"


@pytest.mark.parametrize("name", ["7.gt.txt", "7.jpg.txt", "7.txt"])
def test_a_text_file_is_named_after_its_image(tmp_path, name):
    page = only(written(tmp_path, name, "ཀ"))
    assert "7" in page.stems or "7.jpg" in page.images


def test_an_empty_file_is_a_page_that_rightly_has_no_text(tmp_path):
    assert only(written(tmp_path, "0001.txt", "")).lines == ()


def test_json_lines(tmp_path):
    rows = '{"image": "W1/I2/0001.jpg", "lines": ["ཀ", "ཁ"]}\n\n{"image": "C:\\\\scans\\\\2.tif", "text": "ག\\nང"}\n'
    first, second = load_truth(written(tmp_path, "pages.jsonl", rows))
    assert (first.lines, first.folders, first.source) == (
        ("ཀ", "ཁ"),
        ("pages", "W1", "I2"),
        "pages.jsonl, line 1",
    )
    assert (second.lines, second.images, second.source) == (("ག", "ང"), {"2.tif"}, "pages.jsonl, line 3")


def test_lines_may_be_objects_with_a_text(tmp_path):
    row = '{"image": "1.jpg", "lines": [{"text": "ཀ", "confidence": 0.5}, {"text": "ཁ"}]}'
    assert only(written(tmp_path, "pages.jsonl", row)).lines == ("ཀ", "ཁ")


def test_page_xml_in_reading_order(tmp_path):
    order = (
        '<ReadingOrder><OrderedGroup id="g"><RegionRefIndexed index="1" regionRef="a"/>'
        '<RegionRefIndexed index="0" regionRef="b"/></OrderedGroup></ReadingOrder>'
    )
    body = order + region("a", line("ཁ"), line("ག")) + region("b", line("ཀ")) + region("c", line("ང"))
    page = only(written(tmp_path, "other.xml", page_xml(body)))
    assert page.lines == ("ཀ", "ཁ", "ག", "ང")
    assert {"0001.tif", "other"} <= page.images | page.stems


def test_page_xml_takes_the_text_wherever_it_is(tmp_path):
    word = "<Word><TextEquiv><Unicode>{}</Unicode></TextEquiv></Word>"
    words = f"<TextLine>{word.format('ཀ')}{word.format('ཁ')}</TextLine>"
    whole = '<TextRegion id="r"><TextEquiv><Unicode>ག\nང</Unicode></TextEquiv></TextRegion>'
    readings = (
        '<TextLine><TextEquiv index="1"><Unicode>ཅ</Unicode></TextEquiv>'
        '<TextEquiv index="0"><Unicode>ཆ</Unicode></TextEquiv></TextLine>'
    )
    page = only(written(tmp_path, "0001.xml", page_xml(region("a", words, readings) + whole)))
    assert page.lines == ("ཀ ཁ", "ཆ", "ག", "ང")


@pytest.mark.parametrize("coords", ["", '<Coords points=""/>', '<Coords points="10,10 20,20"/>', "<Coords/>"])
def test_a_line_without_a_place_has_its_text(tmp_path, coords):
    page = only(written(tmp_path, "0001.xml", page_xml(region("a", line("ཀ", coords), line("ཁ")))))
    assert page.lines == ("ཀ", "ཁ")


def test_lines_without_text_are_left_out(tmp_path):
    bare = "<TextLine><Coords points='0,0 9,0 9,9'/></TextLine>"
    page = only(written(tmp_path, "0001.xml", page_xml(region("a", line("ཀ"), bare))))
    assert page.lines == ("ཀ",)


def test_a_file_of_places_only_is_no_truth(tmp_path):
    bare = "<TextLine><Coords points='0,0 9,0 9,9'/></TextLine>"
    written(tmp_path, "0001.xml", page_xml(region("a", bare)))
    written(tmp_path, "0002.xml", alto('<TextLine><String CONTENT=""/></TextLine>'))
    assert load_truth(tmp_path) == ()


def test_page_xml_without_lines_is_a_page_without_text(tmp_path):
    assert only(written(tmp_path, "0001.xml", page_xml(""))).lines == ()


def test_alto(tmp_path):
    first = '<TextLine><String CONTENT="ཀ་"/><SP/><String CONTENT="ཁ"/></TextLine>'
    lines = first + '<TextLine><String CONTENT="ག"/></TextLine>'
    page = only(written(tmp_path, "x.xml", alto(lines, "scans/0001.tif")))
    assert page.lines == ("ཀ་ ཁ", "ག")
    assert {"0001.tif", "x"} <= page.images


def test_an_image_name_of_white_space_falls_back_to_the_files_own(tmp_path):
    page = only(written(tmp_path, "0001.xml", alto('<TextLine><String CONTENT="ཀ"/></TextLine>', "\n\t\t\t")))
    assert page.images == {"0001"}


def test_a_folder_is_read_with_what_lies_below_it(tmp_path):
    written(tmp_path, "W1/I1/0001.txt", "ཀ")
    written(tmp_path, "W1/I1/0001.jpg", b"\xff\xd8")
    written(tmp_path, "mets.xml", "<mets xmlns='http://www.loc.gov/METS/'/>")
    written(tmp_path, "._0001.txt", b"\x00\x05\x16\x07\xff")
    written(tmp_path, ".cache/0002.txt", "ཁ")
    page = only(tmp_path)
    assert (page.folders, page.source) == (("W1", "I1"), "W1/I1/0001.txt")


DEEP = page_xml("<TextRegion>" * 300 + "</TextRegion>" * 300)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("0001.txt", "ཀ".encode("utf-16"), "UTF-8"),
        ("0001.xml", "<PcGts><Page>", "not well-formed"),
        ("0001.xml", "<!DOCTYPE x [<!ENTITY e 'boom'>]><PcGts><Page/></PcGts>", "DOCTYPE"),
        ("0001.xml", "<!DOCTYPE PcGts><PcGts><Page/></PcGts>", "DOCTYPE"),
        ("0001.xml", b'<?xml version="1.0" encoding="martian"?><PcGts/>', "not well-formed"),
        ("0001.xml", "<TEI/>", "<TEI>"),
        ("0001.xml", "<PcGts/>", "no <Page>"),
        ("0001.xml", "<alto><Page/><Page/></alto>", "2 pages"),
        ("0001.xml", DEEP, "deep"),
        (
            "a.jsonl",
            '{"image": "1.jpg", "lines": ["ཀ"]}\n{"image": "2.jpg", "lines": [[0, 0, 9, 9]]}',
            "line 2: it has no text",
        ),
        ("a.jsonl", '{"image": "1.jpg", "lines": [{"polygon": []}]}', "line 1: it has no text"),
        ("a.jsonl", '{"lines": []}', "line 1: it has no image"),
        ("a.jsonl", '{"image": "/", "lines": []}', "line 1: its image has no name"),
        ("a.jsonl", "[1]", "line 1: a row must be a JSON object"),
        ("a.jsonl", "{", "line 1: "),
        ("a.jsonl", "[" * 100_000, "line 1: "),
    ],
)
def test_what_cant_be_read_is_named(tmp_path, name, content, said):
    written(tmp_path, "0000.txt", "ཀ")
    path = written(tmp_path, name, content)
    with pytest.raises(TruthError) as caught:
        load_truth(tmp_path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_no_truth_is_an_error(tmp_path):
    with pytest.raises(TruthError, match="there is no ground truth at"):
        load_truth(tmp_path / "nothing")
    written(tmp_path, "0001.jpg", b"")
    with pytest.raises(TruthError, match="holds no ground truth"):
        load_truth(tmp_path)
