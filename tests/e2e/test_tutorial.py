"""The tutorial's commands, one block after the other, as a reader types them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bec_cli.exits import Exit
from support.places import ROOT

BLOCKS = re.compile(r"^```(bash|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the embedded server's user can reach too; pytest's own can only be entered by its owner."""
    with tempfile.TemporaryDirectory(prefix="bec-tutorial-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.slow
def test_the_tutorial(place: Path):
    (place / "samples").symlink_to(ROOT / "samples")
    ours = {key: value for key, value in os.environ.items() if not key.startswith(("BEC_", "AWS_"))}
    bin_folder = f"{Path(sys.executable).parent}{os.pathsep}{ours.get('PATH', '')}"
    environment = {**ours, "PATH": bin_folder, "BEC_HOME": str(place / "home"), "COLUMNS": "200"}
    said = ""
    for language, code in BLOCKS.findall((ROOT / "docs" / "tutorial.md").read_text()):
        command = ["bash", "-euc", code] if language == "bash" else [sys.executable, "-c", code]
        ended = subprocess.run(
            command, cwd=place, env=environment, capture_output=True, text=True, check=False, timeout=250
        )
        assert ended.returncode == Exit.OK, code + ended.stdout + ended.stderr
        said += ended.stdout + ended.stderr
        for name, value in re.findall(r"^export (\w+)=(\S+)$", code, re.MULTILINE):
            environment[name] = value.replace("$PWD", str(place))  # each block has a shell of its own
    for promised in (
        "2 of 2 volumes are done; 0 pages failed",
        "2 of 2 volumes are done (2 were before); 0 pages failed",
        "terminal_failed TooManyPageErrors: 1 of 5 pages failed (allowed: 5%)",
        "2 of 2 volumes are done (1 were before); 1 pages failed",
        "✓ Enqueued 3 volumes to bec_lines_tasks",
        "W1BEC1/I0003 has no manifest",
        "Done: 2 (67%)",
        "✓ All fits",
        "Would queue 1 volume again",
    ):
        assert promised in said
    assert re.search(r"^scans-book-one-\w{6} 0003\.jpg \d+ lines \[", said, re.MULTILINE)
