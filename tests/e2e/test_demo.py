"""`./run demo`, the first thing that a person types (here with .venv in place)."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from support.places import ROOT


@pytest.fixture
def place():
    """A folder that the embedded server's user can reach."""
    with tempfile.TemporaryDirectory(prefix="bec-demo-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_the_demo_ends_with_text_and_says_where_and_a_second_one_finds_all_done(place):
    # A real installation's settings must not lead it there.
    environment = {**os.environ, "BEC_HOME": str(place / "home"), "BEC_SQL_HOST": "nowhere.invalid"}
    command = [sys.executable, ROOT / "run", "demo", "--out", place / "out"]
    said = []
    for _ in range(2):
        ended = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        said.append(ended.stdout + ended.stderr)
        assert "┃ Status" in ended.stdout
        assert "bec run ldv1,ocrv1 FOLDER" in ended.stdout
        assert "│ cer " in ended.stdout
    for job in ("demo", "demo-ocr", "demo-eval"):
        assert (place / "out" / "report" / job / "index.html").is_file()
        assert len(list(place.glob(f"out/artifacts/{job}/W1BEC1/*/*/success.json"))) == 2
    assert "Blocked 2 volumes, an input is not done" in said[0]
    assert "Blocked: 2 (text: 2 waiting)" in said[0]
    assert "Skipped 2 volumes, done at this version" in said[1]
    summaries = [
        json.loads(path.read_text()) for path in place.glob("out/artifacts/demo-eval/W1BEC1/*/*/success.json")
    ]
    assert {one["metrics"]["scored"] for one in summaries} == {4, 5}, "every page has its truth"
    assert all(one["metrics"]["cer"] < 0.5 for one in summaries)
