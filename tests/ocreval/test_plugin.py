"""What the plugin declares is what the worker does, and what the documentation says."""

from __future__ import annotations

import re
import subprocess
import sys

import attrs
import pytest

from bec_core import JobType, Volume
from bec_core.testing.conformance import check_job_type
from bec_ocreval.config import OcrEvalConfig
from bec_ocreval.evaluate import evaluate_page, evaluate_volume
from bec_ocreval.measures import metrics
from bec_ocreval.plugin import METRICS, bec_job_types
from bec_ocreval.results import Sign
from bec_ocreval.texts import ReadPage
from bec_ocreval.truth.values import TruthPage
from bec_ocreval.worker import INPUT, RESOURCE
from support.ocr_volumes import Read, ocr_parquet
from support.places import ROOT

PAGE = (ROOT / "docs" / "ocr-evaluation.md").read_text()


@pytest.fixture
def job_type() -> JobType:
    (found,) = bec_job_types()
    return found


def test_the_names_are_the_workers(job_type):
    assert [(one.name, one.family, one.artifacts) for one in job_type.inputs] == [
        (INPUT, "ocr", (".parquet",))
    ]
    assert [(one.name, one.folder, one.required) for one in job_type.resources] == [(RESOURCE, True, False)]


def test_every_metric_is_measured_and_every_measure_declared():
    truth = TruthPage(("ཀ",), frozenset(), frozenset(), (), "1.txt")
    page = evaluate_page("1.jpg", ReadPage("1.jpg", ("ཀ",), (0.5,)), truth, OcrEvalConfig())
    measured = metrics(evaluate_volume([page], 1))
    assert set(measured) == {metric.name for metric in METRICS}
    assert {metric.weight for metric in METRICS if metric.weight} <= set(measured)


def test_metrics_and_signs_are_documented():
    for name in (*(metric.name for metric in METRICS), *Sign):
        assert f"`{name}`" in PAGE
    for field in attrs.fields(OcrEvalConfig):
        assert f"`{field.name}`" in PAGE


def test_config_fields_are_in_the_reference():
    reference = (ROOT / "docs" / "reference.md").read_text()
    for field in attrs.fields(OcrEvalConfig):
        meaning, allowed = field.metadata["doc"], field.metadata["allowed"]
        assert f"| `{field.name}` | `{field.default}` | {allowed} | {meaning} |" in reference


def test_thresholds_are_documented_as_they_are():
    for field in attrs.fields(OcrEvalConfig):
        if re.match("m(ax|in)_", field.name):
            assert f"`{field.name}` ({field.default})" in PAGE


def test_listing_job_types_imports_nothing_heavy():
    heavy = "('pyarrow', 'rapidfuzz', 'defusedxml')"
    code = f"import bec_ocreval.plugin, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def texts(volume: Volume) -> bytes:
    return ocr_parquet([Read(page.filename, ["བཀྲ་ཤིས་བདེ་ལེགས།", "མཁ་"], [0.9, 0.4]) for page in volume.pages])


def test_it_conforms(job_type):
    check_job_type(
        job_type,
        pages={"0001.jpg": b"1", "0002.jpg": b"2", "0003.jpg": b"3"},
        bad_page=None,
        plugin="bec_ocreval.plugin",
        inputs={("text", ".parquet"): texts},
    )
