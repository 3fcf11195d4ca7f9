"""Ground truth of marked pages: what the evaluation reads back."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest

from bec_ldv1.evaluation.marked import MarkedPages
from bec_ldv1.evaluation.readers import read_jsonl
from bec_ldv1.record.records import PageRecord, to_parquet
from ldv1.record.test_figures import Stored
from ldv1.record.test_volume_file import page

PAGE_XML = b"""<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">
<Page imageFilename="other.jpg" imageWidth="1000" imageHeight="400"><TextRegion id="r">
<TextLine id="a"><Coords points="100,0 900,0 900,40 100,40"/></TextLine>
<TextLine id="b"><Coords points="100,50 900,50 900,90 100,90"/></TextLine>
</TextRegion></Page></PcGts>"""


def test_right_pages_and_corrected_ones_are_truth(tmp_path: Path) -> None:
    failed = PageRecord.failed("2.jpg", None, stage="decode", error_type="X", message="y")
    stored = Stored(to_parquet([page(0, 3), page(1, 2), failed]))
    rows = MarkedPages().predicted(stored, {"1.jpg", "2.jpg", "9.jpg"})
    assert list(rows) == ["1.jpg"]
    corrected = MarkedPages().corrected(PAGE_XML, "0.jpg")
    truth = tmp_path / "truth.jsonl"
    truth.write_text("".join(json.dumps(row) + "\n" for row in (corrected, rows["1.jpg"])))
    first, second = read_jsonl(truth)
    assert (first.image, first.size, len(first.regions)) == ("0.jpg", (1000, 400), 2)
    assert first.regions[1].tolist() == [[100, 50], [900, 50], [900, 90], [100, 90]]
    assert (second.image, second.size) == ("1.jpg", (1000, 400))
    assert second.regions[1].tolist() == [[100, 50], [900, 50], [900, 90], [100, 90]]


def test_pieces_of_lines_are_no_truth() -> None:
    old = to_parquet([attrs.evolve(page(0, 3), details=None)])
    with pytest.raises(ValueError, match="no whole lines"):
        MarkedPages().predicted(Stored(old), {"0.jpg"})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"no XML", "XML"),
        (b"<html/>", "<html>, neither"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><PcGts/>', "DOCTYPE|document type"),
        (
            PAGE_XML.replace(b'<Coords points="100,0 900,0 900,40 100,40"/>', b""),
            "1 of its lines have no outline",
        ),
    ],
)
def test_a_file_that_corrects_nothing_is_told(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MarkedPages().corrected(data, "0.jpg")
