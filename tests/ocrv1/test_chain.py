"""OCR as operators run it: behind line detection, on this machine, and where its engine is missing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bec_ocrv1.artifacts import read_texts
from support.bar_volumes import LATIN
from support.cli import Bec
from support.field_models import write_model
from support.places import ROOT

SAMPLES = ROOT / "samples" / "Works" / "f4" / "W1BEC1" / "images"


@pytest.fixture
def desk() -> Iterator[Path]:
    """A folder that the embedded server's user can reach; pytest's own are for root alone."""
    with tempfile.TemporaryDirectory(prefix="bec-ocr-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.slow
def test_a_folder_of_scans_becomes_text(desk: Path) -> None:
    (desk / "scans").mkdir()
    shutil.copy(SAMPLES / "W1BEC1-0001" / "0002.jpg", desk / "scans")  # four lines of print
    shutil.copy(SAMPLES / "W1BEC1-0002" / "0004.tif", desk / "scans")  # a blank page
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("BEC_", "AWS_"))}

    def bec(*arguments: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", "bec_cli", *arguments],
            cwd=desk,
            env={**clean, "BEC_HOME": str(desk / "home")},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    said = bec("run", "ldv1,ocrv1", "scans", "--out", "out")
    assert "ocrv1: 1 of 1 volumes are done; 0 pages failed" in said
    (parquet,) = (desk / "out" / "ocrv1").rglob("*.parquet")
    page, blank = read_texts(parquet.read_bytes())
    assert len(page.lines) == 4
    assert all(len(line.text) > 20 and "\u0f0b" in line.text for line in page.lines)
    assert blank.ok
    assert blank.lines == ()
    marker = json.loads((parquet.parent / "success.json").read_text())
    assert marker["details"]["engine"] == "box"
    assert [(one["input"], Path(one["artifact"]).suffix) for one in marker["lineage"]] == [
        ("lines", ".parquet")
    ]
    assert marker["metrics"]["lines"] == 4
    (found,) = (path for path in (desk / "out").rglob("success.json") if "ldv1" in path.parts)
    assert json.loads(found.read_text())["details"]["tile_step"] == 32
    assert (desk / "out" / "report" / "ocrv1" / "index.html").is_file()
    bec("ocrv1", "export", "--format", "txt", "out", "--out", "text")
    assert (desk / "text" / parquet.stem / "0002.txt").read_text() == page.text + "\n"

    model = write_model(desk / "Bars", LATIN, steps=400)
    config = json.dumps({"model": "onnx", "resources": {"model": str(model)}})
    said = bec(
        "run", "ldv1,ocrv1", "scans", "--out", "out", "--no-report", "--config-text", f"ocrv1={config}"
    )
    assert "ldv1: 1 of 1 volumes are done (1 were before)" in said
    redone = json.loads((parquet.parent / "success.json").read_text())
    assert redone["details"]["engine"] == "Bars Easter2 2026_1_12_6_10"
    assert redone["recipe_contents"]["resources"]["model"] == redone["details"]["model_sha256"]
    assert redone["recipe"] != marker["recipe"]


def test_without_its_engine_the_worker_ends_before_any_volume(bec: Bec) -> None:
    bec.ok("jobs", "create", "--name", "lines", "--type", "ldv1")
    config = '{"model": "tesseract", "lang": "no_such_language"}'
    bec.ok("jobs", "create", "--name", "ocr", "--type", "ocrv1", "--config-text", config)
    ended = bec("worker", "--job-name", "ocr")
    assert ended.code == 2
    assert "apt install tesseract-ocr tesseract-ocr-no-such-language" in ended.err
