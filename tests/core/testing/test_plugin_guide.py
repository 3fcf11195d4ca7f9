"""The plugins that docs/plugin-guide.md builds: their own tests pass, ``bec`` runs them, and writes the same files."""

import json
import re
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

import bec_core
from bec_cli.plugin_files import PluginName, render
from support.cli import Bec, write_archive_volume
from support.places import ROOT
from support.plugin_folders import installed

_FILE = re.compile(r"^```(?:python|toml)\n# ([\w./-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CHAPTERS = dict(
    zip(
        ("blanks", "marks"),
        (ROOT / "docs" / "plugin-guide.md").read_text().split("\n## Second chapter"),
        strict=True,
    )
)
_RENDERED = {
    "blanks": render("pages", PluginName("blanks"), {"report", "compare", "commands", "second"}),
    "marks": render("lines", PluginName("marks"), {"report"}),
}


def _write(name: str, folder: Path) -> Path:
    """A chapter's files, and the metadata that installing them would write."""
    for path, content in _FILE.findall(_CHAPTERS[name]):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    return installed(folder)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The first chapter's package."""
    return _write("blanks", tmp_path / "bec-blanks")


def test_every_other_piece_of_its_code_runs():
    """Pieces that are no file use what a job may import, and nothing else."""
    text = (ROOT / "docs" / "plugin-guide.md").read_text()
    pieces = [
        code
        for code in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        if not _FILE.match(f"```python\n{code}```")
    ]
    assert len(pieces) >= 2
    for code in pieces:
        exec(compile(code, "plugin-guide.md", "exec"), {**vars(bec_core), "frozen": attrs.frozen})


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """The second chapter's package."""
    return _write("marks", tmp_path / "bec-marks")


@pytest.mark.parametrize("name", _CHAPTERS)
def test_bec_plugins_new_writes_the_files_that_the_guide_shows(name: str):
    shown = dict(_FILE.findall(_CHAPTERS[name]))
    written = {path: text for path, text in _RENDERED[name].items() if path != "README.md"}
    assert set(shown) == set(written)
    for path, text in written.items():
        assert shown[path] == text, path


@pytest.mark.parametrize(("name", "passed"), [("blanks", 9), ("marks", 6)])
def test_its_own_tests_pass(name: str, passed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = _write(name, tmp_path / name)
    monkeypatch.setenv("PYTHONPATH", str(package / "src"), prepend=":")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "tests"]
    ended = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{passed} passed" in ended.stdout


@pytest.mark.parametrize("name", _CHAPTERS)
def test_it_passes_the_linter(name: str, tmp_path: Path):
    package = _write(name, tmp_path / name)
    for command in (["check"], ["format", "--check", "--diff"]):
        ended = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "."],
            cwd=package,
            capture_output=True,
            text=True,
            check=False,
        )
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


def test_the_second_chapters_job_reads_what_ldv1_wrote(
    bec: Bec, marks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(str(marks / "src"))
    page = (ROOT / "samples/Works/f4/W1BEC1/images/W1BEC1-0002/0001.tif").read_bytes()
    write_archive_volume(tmp_path / "archive", "W1", "I0001", [page])
    shown = bec.ok("plugins", "show", "marks").out
    assert "Input lines: a job of type ldv1; reads .parquet" in shown
    bec.ok("jobs", "create", "--name", "ldv1")
    bec.ok("jobs", "create", "--name", "marks", "--input", "lines=ldv1")
    bec.ok("queue", "enqueue", "--job-name", "marks", "--volume", "W1,I0001", "--with-inputs")
    for name in ("ldv1", "marks"):
        bec.ok("worker", "--job-name", name, "--poll-wait", "0", "--shutdown-after-empty", "1")
    (found,) = (tmp_path / "artifacts" / "marks").rglob("W1-*.jsonl")
    (row,) = [json.loads(line) for line in found.read_text(encoding="utf-8").splitlines()]
    assert row["page"] == "I00010001.jpg"
    assert sum("་" in line["text"] for line in row["lines"]) > 5
    report = bec.ok("report", "--job-name", "marks", "--out", str(tmp_path / "report")).out.strip()
    assert row["lines"][0]["text"] in Path(report).read_text(encoding="utf-8")
