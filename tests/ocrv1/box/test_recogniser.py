"""The engine in the box, with its real weights, on three small rendered lines."""

import json
import sys
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest

from support.places import ROOT

sys.path.insert(0, str(ROOT / "training"))

from bec_ocrv1.box.recogniser import BoxRecogniser
from textlines.score import error_rate

LINES = Path(__file__).parent / "lines"
ROWS = [json.loads(row) for row in (LINES / "lines.jsonl").read_text(encoding="utf-8").splitlines()]
IMAGES = [np.asarray(cv2.imread(str(LINES / row["image"]), cv2.IMREAD_GRAYSCALE), np.uint8) for row in ROWS]


@pytest.fixture(scope="module")
def reader() -> BoxRecogniser:
    return BoxRecogniser.load()


@pytest.mark.parametrize("decoder", ["beam", "greedy"])
def test_it_reads_rendered_lines_with_few_errors(decoder: str) -> None:
    readings = BoxRecogniser.load(decoder=decoder).read(IMAGES)
    pairs = [(row["text"], reading.text) for row, reading in zip(ROWS, readings, strict=True)]
    assert error_rate(pairs) < 0.06, pairs
    assert all(0.5 < reading.confidence <= 1 for reading in readings)
    assert all(unicodedata.is_normalized("NFC", reading.text) for reading in readings)


def test_scale_and_contrast_do_not_matter(reader: BoxRecogniser) -> None:
    image = IMAGES[1]
    bigger = cv2.resize(image, None, fx=2.5, fy=2.5, interpolation=cv2.INTER_LINEAR)
    pale = (120 + image.astype(np.float32) * 0.4).astype(np.uint8)
    plain, *others = (reading.text for reading in reader.read([image, bigger, pale]))
    for other in others:
        assert error_rate([(plain, other)]) < 0.05


def test_a_line_reads_the_same_alone_and_among_others(reader: BoxRecogniser) -> None:
    together = reader.read([*IMAGES, IMAGES[0]])
    assert together[0] == together[3]
    assert reader.read([IMAGES[2]]) == [together[2]]


def test_paper_and_specks_of_images_read_as_nothing(reader: BoxRecogniser) -> None:
    blank = np.full((60, 400), 230, np.uint8)
    readings = reader.read([blank, np.zeros((1, 1), np.uint8), np.full((0, 9), 255, np.uint8)])
    assert [reading.text for reading in readings] == ["", "", ""]
    assert reader.read([]) == []


def test_the_weights_have_a_name_that_changes_with_them(reader: BoxRecogniser) -> None:
    assert reader.name == "box"
    assert len(reader.sha256) == 64
    assert BoxRecogniser.load(decoder="greedy").sha256 == reader.sha256


def test_another_decoder_is_refused() -> None:
    with pytest.raises(ValueError, match="beam or greedy"):
        BoxRecogniser.load(decoder="guess")


def test_the_weights_fit_into_the_wheel() -> None:
    import bec_ocrv1.box as box

    folder = Path(box.__file__).parent / "weights"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 10_000_000
