"""hOCR's straight baselines, and names between its quotes."""

import re
from urllib.parse import unquote
from xml.etree.ElementTree import Element

import pytest
from attrs import frozen

from bec_ldv1.artifacts.writing.hocr import hocr_line, quoted


@frozen
class Line:
    baseline: tuple[tuple[int, int], ...]
    polygon: tuple[tuple[int, int], ...] = ((10, 20), (110, 20), (110, 60), (10, 60))


@pytest.mark.parametrize(
    ("points", "written"),
    [
        (((10, 40), (110, 40)), "0.0000 -20.0"),
        (((10, 40), (110, 45)), "0.0500 -20.0"),
        (((10, 40), (60, 46), (110, 40)), "0.0000 -18.0"),
        (((50, 20), (52, 60)), "0 -20.0"),  # down the page
        (((30, 40), (30, 40)), "0.0000 -20.0"),  # nowhere
    ],
)
def test_the_baseline_is_the_closest_straight_line_from_the_boxs_corner(points, written):
    title = hocr_line(Element("div"), 1, Line(points)).attrib["title"]
    found = re.fullmatch(r"bbox 10 20 110 60; baseline (.+?); poly 10 20 110 20 110 60 10 60", title)
    assert found
    assert found[1] == written


def test_a_name_comes_back_from_between_the_quotes():
    name = 'a "b"; 100%\n.jpg'
    assert not set('";\n') & set(quoted(name))
    assert unquote(quoted(name)) == name
