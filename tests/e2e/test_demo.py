"""`./run demo`, the first thing that a person types (here with .venv in place)."""

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


def test_the_demo_shows_lines_and_says_where_and_a_second_one_finds_them_done(place):
    # A real installation's settings must not lead it there.
    environment = {**os.environ, "BEC_HOME": str(place / "home"), "BEC_SQL_HOST": "nowhere.invalid"}
    command = [sys.executable, ROOT / "run", "demo", "--out", place / "out"]
    said = []
    for _ in range(2):
        ended = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        said.append(ended.stdout + ended.stderr)
        assert "┃ Status" in ended.stdout
        assert "bec run ldv1 FOLDER" in ended.stdout
    assert (place / "out" / "report" / "index.html").is_file()
    assert len(list(place.glob("out/artifacts/demo/W1BEC1/*/*/success.json"))) == 2
    assert "Enqueued 2 volumes" in said[0]
    assert "Enqueued 2 volumes" not in said[1]
