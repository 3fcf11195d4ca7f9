"""The plugin that docs/plugin-guide.md builds: its own tests pass, and ``bec`` runs it."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from support.cli import Bec, write_archive_volume
from support.places import ROOT

_FILE = re.compile(r"^```(?:python|toml)\n# ([\w./-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The guide's files, and the metadata that installing them would write."""
    folder = tmp_path / "bec-blanks"
    for name, content in _FILE.findall((ROOT / "docs" / "plugin-guide.md").read_text()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = folder / "src" / "bec_blanks-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = "".join(f"{name} = {module}\n" for name, module in project["entry-points"]["bec"].items())
    (info / "entry_points.txt").write_text(f"[bec]\n{points}")
    return folder


def test_its_own_tests_pass(package: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", str(package / "src"), prepend=os.pathsep)
    (package / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    ended = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "8 passed" in ended.stdout


def test_it_passes_the_linter(package: Path):
    ended = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--ignore", "D1", "."],
        cwd=package, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout


def test_bec_runs_it(bec: Bec, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(package / "src"))
    assert "A pixel darker than this is ink." in bec.ok("plugins", "show", "blanks").out
    page = next((ROOT / "samples").rglob("0001.jpg"))
    assert 0 < float(bec.ok("blanks", "ink", str(page)).out) < 1
    refused = bec("jobs", "create", "--name", "bad", "--type", "blanks", "--config-text", '{"darkness": 0}')
    assert refused.code == 2
    assert "allowed: 1 to 255" in refused.err


def test_its_jobs_run_one_after_the_other(
    bec: Bec, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(str(package / "src"))
    pages = [path.read_bytes() for path in sorted((ROOT / "samples").rglob("*.jpg"))[:2]]
    write_archive_volume(tmp_path / "archive", "W1", "I0001", pages)
    for name in ("blanks", "intro"):
        bec.ok("jobs", "create", "--name", name)
        bec.ok("queue", "enqueue", "--job-name", name, "--volume", "W1,I0001")
        bec.ok("worker", "--job-name", name, "--poll-wait", "0", "--shutdown-after-empty", "1")
    (found,) = (tmp_path / "artifacts" / "intro").rglob("W1-*.json")
    assert json.loads(found.read_text()) == {"first": "I00010001.jpg"}
    report = bec.ok("report", "--job-name", "blanks", "--out", str(tmp_path / "report")).out.strip()
    assert Path(report).read_text() == "W1/I0001: 0 of 2 blank: \n"
