"""Which truth is of which page."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from bec_core import Page, VolumeRef
from bec_ocreval.errors import TruthError
from bec_ocreval.truth.find import Truth
from bec_ocreval.truth.load import load_truth

VOLUME = VolumeRef("W22084", "I0886")


def found(folder: Path, *files: str, pages=("0001.jpg",), volume: VolumeRef = VOLUME) -> dict[str, str]:
    """What is found for the pages' names when these files are the truth; a file's text is its own path."""
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps({"image": name.removesuffix(".jsonl"), "text": name})
            if name.endswith(".jsonl")
            else name
        )
    of = Truth(load_truth(folder)).of(volume, [Page(i, name) for i, name in enumerate(pages)])
    return {pages[index]: truth.source for index, truth in of.items()}


@pytest.mark.parametrize(
    "name",
    [
        "0001.txt",
        "0001.jpg.txt",
        "0001.gt.txt",
        "anything/0001.txt",
        "I0886/0001.txt",
        "W22084/0001.txt",
        "W22084/I0886/0001.txt",
        "W22084-I0886/0001.txt",
        "W22084-0886/0001.txt",
        "W22084-I0886-a1b2c3/0001.txt",
        "W22084/I0886/page/0001.txt",
    ],
)
def test_a_page_is_found_by_its_name(tmp_path, name):
    assert found(tmp_path, name) == {"0001.jpg": name}


@pytest.mark.parametrize(
    "name",
    [
        "0002.txt",
        "W22084/I0887/0001.txt",
        "W1/I0886/0001.txt",
        "W22084-I0887/0001.txt",
        "W22084-0887/0001.txt",
        "I1KG1/0001.txt",
    ],
)
def test_another_pages_truth_is_not_taken(tmp_path, name):
    assert found(tmp_path, name) == {}


def test_the_volumes_own_goes_before_what_lies_about(tmp_path):
    assert found(tmp_path, "I0886/0001.txt", "0001.txt", "I0887/0001.txt") == {"0001.jpg": "I0886/0001.txt"}


def test_a_name_may_have_points(tmp_path):
    assert found(tmp_path, "I1.0001.txt", "I1.0002.txt", pages=("I1.0002.tif",)) == {
        "I1.0002.tif": "I1.0002.txt"
    }


def test_the_pages_may_lie_in_folders(tmp_path):
    assert found(tmp_path, "0001.txt", pages=("part/0001.jpg",)) == {"part/0001.jpg": "0001.txt"}


@pytest.mark.parametrize(("on_disk", "named"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_a_name_may_be_composed_otherwise(tmp_path, on_disk, named):
    name = unicodedata.normalize(named, "Übersicht.jpg")
    file = unicodedata.normalize(on_disk, "Übersicht.txt")
    assert found(tmp_path, file, pages=(name,)) == {name: file}


def test_a_folder_of_ones_own_is_known_by_its_path(tmp_path):
    of_a, of_b = VolumeRef("scans", "a--left"), VolumeRef("scans", "b--left")
    files = ("a/left/0001.txt", "b/left/0001.txt")
    assert found(tmp_path, *files, volume=of_a) == {"0001.jpg": "a/left/0001.txt"}
    assert found(tmp_path, *files, volume=of_b) == {"0001.jpg": "b/left/0001.txt"}


def test_a_row_of_json_lines_is_found_by_the_image_that_it_names(tmp_path):
    rows = [{"image": f"W22084/{book}/0001.jpg", "lines": [book]} for book in ("I0886", "I0887")]
    (tmp_path / "pages.jsonl").write_text("\n".join(map(json.dumps, rows)))
    of = Truth(load_truth(tmp_path)).of(VOLUME, [Page(0, "0001.jpg")])
    assert of[0].lines == ("I0886",)


def test_a_file_of_rows_may_be_named_after_its_volume(tmp_path):
    for book in ("I0886", "I0887"):
        (tmp_path / f"W22084-{book}-a1b2c3.jsonl").write_text(f'{{"image": "0001.jpg", "lines": ["{book}"]}}')
    of = Truth(load_truth(tmp_path)).of(VOLUME, [Page(0, "0001.jpg")])
    assert of[0].lines == ("I0886",)


def test_an_images_whole_name_goes_before_its_stem(tmp_path):
    rows = [{"image": name, "lines": [name]} for name in ("0001.jpg", "0001.tif")]
    (tmp_path / "pages.jsonl").write_text("\n".join(map(json.dumps, rows)))
    of = Truth(load_truth(tmp_path)).of(
        VOLUME, [Page(0, "0001.tif"), Page(1, "0001.jpg"), Page(2, "0001.png")]
    )
    assert {index: truth.lines for index, truth in of.items()} == {0: ("0001.tif",), 1: ("0001.jpg",)}


@pytest.mark.parametrize(
    "files",
    [
        ("0001.txt", "0001.xml.txt", "0001.gt.txt"),
        ("a/0001.txt", "b/0001.txt"),
        ("I0886/a/0001.txt", "I0886/b/0001.txt"),
    ],
)
def test_two_truths_of_a_page_are_named(tmp_path, files):
    with pytest.raises(
        TruthError, match=r"0001\.jpg of W22084/I0886: .*0001\S*\.txt and .*may each be its truth"
    ):
        found(tmp_path, *files)


def test_one_truth_of_two_pages_is_named(tmp_path):
    with pytest.raises(TruthError, match=r"0001\.txt may be the truth of 0001\.jpg and of 0001\.tif"):
        found(tmp_path, "0001.txt", pages=("0001.jpg", "0001.tif"))


def test_what_is_ambiguous_for_other_pages_alone_is_no_error(tmp_path):
    assert found(tmp_path, "a/0002.txt", "b/0002.txt", "0001.txt") == {"0001.jpg": "0001.txt"}
