"""The job on whole volumes: rows follow the manifest, errors stay with their page, and it conforms."""

from __future__ import annotations

import io
from pathlib import Path

import attrs
import numpy as np
import pytest
from PIL import Image

from bec_core import VERDICTS, PageLevel, ResourceFile, TerminalTaskError, Volume, WorkerSetup
from bec_core.job_config import structure_config
from bec_core.testing.conformance import check_job_type
from bec_core.testing.local import write_pages
from bec_ldv1.page.flags import Flag
from bec_ldv1.record.contract import SCHEMA as LINES_SCHEMA
from bec_ldv1.record.records import PageRecord, to_parquet
from bec_ocrv1.artifacts import read_texts
from bec_ocrv1.figures import read_figures
from bec_ocrv1.plugin import bec_job_types
from bec_ocrv1.worker import build_worker
from support.bar_volumes import LATIN, LEFT, TOP, drawn_page, etag, found_lines
from support.field_models import write_model
from support.turned_pages import scanned, scanned_record

pytest_plugins = ["bec_core.testing.fixtures"]

(OCRV1,) = bec_job_types()
INPUT = ("lines", ".parquet")
TEXTS = {"leaf1.png": ["bkra shis", "bde les"], "leaf2.png": [], "leaf3.png": ["bde"]}
PAGES = {name: drawn_page(texts) for name, texts in TEXTS.items()}


def record(name: str) -> PageRecord:
    return found_lines(name, PAGES[name], TEXTS[name], flags=() if TEXTS[name] else (Flag.BLANK,))


def records() -> list[PageRecord]:
    return [record(name) for name in PAGES]


@pytest.fixture
def run(bec_task, worker, tmp_path: Path):
    """Runs the job on pages and the lines of them; records of pages as they are get the etags that the folder gives."""

    def run_job(pages: dict[str, bytes], found: list[PageRecord]):
        folder = write_pages(tmp_path / "pages", pages)
        task = bec_task(OCRV1, folder)
        etags = {page.filename: task.read_page(page).etag for page in task.volume.pages}
        given = [
            attrs.evolve(one, source_etag=etags[one.img_file_name])
            if one.source_etag == etag(pages[one.img_file_name])
            else one
            for one in found
        ]
        return bec_task(OCRV1, folder, inputs={INPUT: to_parquet(given)}).run(worker)

    return run_job


@pytest.fixture
def worker(tmp_path: Path):
    """The job's worker with a small model in the field's format."""
    folder = write_model(tmp_path / "model", LATIN)
    config, _ = structure_config({"model": "onnx"}, OCRV1.config)
    resources = {"model": ResourceFile(folder, "5a" * 32, folder.as_uri())}
    built = build_worker(WorkerSetup(config, resources=resources))
    yield built
    built.close()


def test_every_page_has_its_row_in_the_order_of_the_manifest(run, worker):
    outcome = run(PAGES, records())
    assert outcome.failures == ()
    rows = read_texts(outcome.artifact(".parquet"))
    assert [row.image for row in rows] == list(PAGES)
    assert [[line.text for line in row.lines] for row in rows] == [["བཀྲ་ཤིས", "བདེ་ལེས"], [], ["བདེ"]]
    assert [row.ok for row in rows] == [True, True, True]
    assert len({row.source_etag for row in rows} - {None}) == 3
    assert (rows[0].width, rows[0].height, rows[0].quarter_turns) == (700, 504, 0)
    assert rows[1].flags == ("blank",)
    first = rows[0].lines[0]
    assert first.bbox == (LEFT, TOP, 144, 112)
    assert first.polygon[0] == (LEFT, TOP)
    assert first.baseline[0] == (LEFT, TOP + 55.5)
    assert outcome.result.details == {"engine": "model Easter2 2026_1_12_6_10", "model_sha256": "5a" * 32}
    assert worker.ingredients.resources == {"model": "5a" * 32}
    assert worker.ingredients.arithmetic == "float32"


@pytest.mark.parametrize("quarter_turns", range(4))
def test_a_page_that_lies_on_a_side_is_read_as_the_upright_one(run, quarter_turns):
    plane = np.asarray(Image.open(io.BytesIO(PAGES["leaf1.png"])))
    lying = scanned(plane, quarter_turns, 6)
    found = attrs.evolve(
        scanned_record(record("leaf1.png"), quarter_turns, 6),
        source_etag=etag(lying),
        img_file_name="leaf1.png",
    )
    (row,) = read_texts(run({"leaf1.png": lying}, [found]).artifact(".parquet"))
    assert [line.text for line in row.lines] == ["བཀྲ་ཤིས", "བདེ་ལེས"]
    assert (row.quarter_turns, row.orientation) == (quarter_turns, 6)


def test_the_volumes_figures_are_given(run):
    outcome = run(PAGES, records())
    figures = outcome.marker["metrics"]
    assert (figures["lines"], figures["characters"]) == (3, 17)
    assert 0.9 < figures["confidence"] <= 1
    assert (figures["pages"], figures["blank"], figures["suspicious"]) == (3, 1, 0)
    read = read_figures(outcome)
    assert read.metrics == pytest.approx(figures), "what is read later is what the worker said"
    assert [page.level for page in read.pages] == [PageLevel.FINE, PageLevel.BLANK, PageLevel.FINE]


def test_a_volume_without_a_line_has_no_confidence(run):
    pages = {"leaf2.png": PAGES["leaf2.png"]}
    outcome = run(pages, [record("leaf2.png")])
    assert outcome.marker["metrics"] == {
        "lines": 0, "characters": 0, "pages": 1, "blank": 1, "suspicious": 0, "lines_a_page": 0,
        "verdict": VERDICTS.index("look"),
    }  # fmt: skip
    (row,) = read_texts(outcome.artifact(".parquet"))
    assert (row.ok, row.lines) == (True, ())


def test_a_page_that_failed_in_line_detection_fails_here_once_and_for_the_same_reason(run):
    failed = PageRecord.failed("leaf1.png", "ee", stage="rectify", error_type="PageProblem", message="a fold")
    outcome = run(PAGES, [failed, *records()[1:]])
    (failure,) = outcome.failures
    assert (failure.img_filename, failure.stage, failure.error_type, failure.message) == (
        "leaf1.png",
        "rectify",
        "PageProblem",
        "a fold",
    )
    assert (outcome.marker["total_images"], outcome.marker["nb_errors"]) == (3, 1)
    row, *others = read_texts(outcome.artifact(".parquet"))
    assert (row.image, row.ok, row.error_stage, row.error_message) == (
        "leaf1.png",
        False,
        "rectify",
        "a fold",
    )
    assert row.source_etag == "ee"
    assert [other.ok for other in others] == [True, True]


def test_a_page_without_a_row_fails(run):
    outcome = run(PAGES, records()[:2])
    assert [(one.img_filename, one.stage, one.error_type) for one in outcome.failures] == [
        ("leaf3.png", "lines", "NoLines")
    ]
    assert [row.ok for row in read_texts(outcome.artifact(".parquet"))] == [True, True, False]


def test_an_image_that_changed_since_fails(run):
    changed = drawn_page(["bde"], width=800)
    found = records()
    found[2] = attrs.evolve(found[2], source_etag=etag(changed))  # as if only the size told
    pages = {**PAGES, "leaf3.png": changed}
    found[0] = attrs.evolve(found[0], source_etag="0" * 32)
    outcome = run(pages, found)
    one, other = outcome.failures
    assert (one.img_filename, one.error_type) == ("leaf1.png", "ImageChanged")
    assert "the image has changed since its lines were found" in one.message
    assert other.img_filename == "leaf3.png"
    assert "800 × 332 px" in other.message
    assert outcome.marker["nb_errors"] == 2


def test_an_image_that_cannot_be_decoded_fails_alone(run):
    pages = {**PAGES, "leaf3.png": b"no image"}
    found = [*records()[:2], attrs.evolve(record("leaf3.png"), source_etag=None)]
    outcome = run(pages, found)
    assert [(one.img_filename, one.stage) for one in outcome.failures] == [("leaf3.png", "decode")]


def test_segments_of_the_earlier_system_are_read_as_one_line(bec_task, worker):
    """Two pieces of each line, contract's columns alone: the reader makes one line of them, from left to right."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    wide = ["bkra shis bde les bkra shis", "bde les bkra shis bde les"]
    data = drawn_page(wide)
    contours = []
    for top in (TOP + 30, TOP + 172 + 30):
        for left, right in ((LEFT + 230, LEFT + 430), (LEFT, LEFT + 210)):
            box = [(left, top), (right, top), (right, top + 50), (left, top + 50)]
            contours.append(np.array(box, np.int32))
    boxes = np.array([[*one.min(axis=0), *(np.ptp(one, axis=0) + 1)] for one in contours], np.int32)
    row = PageRecord("leaf1.png", None, contours=contours, contours_bboxes=boxes)
    table = pq.read_table(pa.BufferReader(to_parquet([row]))).select(LINES_SCHEMA.names)
    sink = io.BytesIO()
    pq.write_table(table, sink)
    outcome = bec_task(OCRV1, {"leaf1.png": data}, inputs={INPUT: sink.getvalue()}).run(worker)
    assert outcome.failures == ()
    (page,) = read_texts(outcome.artifact(".parquet"))
    assert len(page.lines) == 2
    left, _, width, _ = page.lines[0].bbox
    assert left <= LEFT + 5
    assert width >= 420
    assert page.lines[0].bbox[1] < page.lines[1].bbox[1]


def test_what_is_no_line_artifact_is_a_terminal_error(bec_task, worker):
    with pytest.raises(TerminalTaskError, match="the lines that lines found can't be read"):
        bec_task(OCRV1, PAGES, inputs={INPUT: b"PAR1"}).run(worker)


def test_it_conforms_with_the_model_in_the_box():
    def lines(volume: Volume) -> bytes:
        """Of whatever pages the volume has; without etags, so that damaged pages are told by their bytes."""
        rows = [
            attrs.evolve(record(page.filename), source_etag=None)
            if page.filename in PAGES
            else PageRecord(page.filename, None, contours=[], contours_bboxes=np.empty((0, 4), np.int32))
            for page in volume.pages
        ]
        return to_parquet(rows)

    check_job_type(OCRV1, pages=PAGES, plugin="bec_ocrv1.plugin", inputs={INPUT: lines})
