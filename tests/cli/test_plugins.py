"""``bec plugins list``: what is there, and what is broken."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from loguru import logger

from bec_cli.main import run
from support.cli import clean_environment
from support.plugin_folders import lay_out

_GOOD = """
from bec_core import JobType, hookimpl
from bec_core.testing.checksum_job import ChecksumConfig

@hookimpl
def bec_job_types():
    return [JobType("{name}", ChecksumConfig, "bec_core.testing.checksum_job:ChecksumWorker", "3", "Good.")]
"""
_BROKEN = {
    "ends": ("import sys\nsys.exit('no licence')", "SystemExit: no licence"),
    "lacks": ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
    "typo": (
        _GOOD.format(name="typo").replace("bec_job_types", "bec_job_typos"),
        "unknown hook 'bec_job_typos'",
    ),
    "noclass": (_GOOD.format(name="noclass").replace("return [JobType", "return [str"), "TypeError"),
    "letters": (
        _GOOD.format(name="letters").replace('"Good."', '"Good.", inputs="ldv1"'),
        "its inputs must be a tuple, not the string 'ldv1'",
    ),
    "one": (_GOOD.format(name="same"), "bec-one and bec-two both bring the job type 'same'"),
    "two": (_GOOD.format(name="same"), "bec-one and bec-two both bring the job type 'same'"),
}


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clean_environment(monkeypatch)
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.chdir(tmp_path)
    for name, (text, _) in {**_BROKEN, "good": (_GOOD.format(name="good"), "")}.items():
        lay_out(tmp_path / "site", f"bec-{name}", {name: f"kit_{name}"}, {f"kit_{name}.py": text})
    monkeypatch.syspath_prepend(str(tmp_path / "site"))


def _run(*arguments: str) -> int:
    try:
        return run(list(arguments))
    finally:
        logger.remove()


def test_what_is_broken_is_listed_with_its_reason(broken: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("plugins", "list") == 0
    said = capsys.readouterr()
    assert said.err == ""  # it stands in the list, and is not logged besides
    rows = {line.split("│")[1].strip(): line for line in said.out.splitlines() if "│" in line}
    assert "ok" in rows["good"]
    assert "ok" in rows["ldv1"]
    for name, (_, reason) in _BROKEN.items():
        assert f"bec-{name}" in rows[name]
        assert "broken" in rows[name]
        assert reason in rows[name]


def test_it_is_listed_as_json_too(broken: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("plugins", "list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert {name for name, row in rows.items() if row["status"] == "broken"} == set(_BROKEN)
    assert rows["good"]["status"] == "ok"
    assert rows["good"]["reason"] is None
    for name, (_, reason) in _BROKEN.items():
        assert reason in rows[name]["reason"]
        assert (rows[name]["distribution"], rows[name]["version"]) == (f"bec-{name}", "0.1")


def test_strict_makes_it_fatal(
    broken: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BEC_STRICT_PLUGINS", "1")
    assert _run("plugins", "list") == 3
    assert "can't be loaded" in capsys.readouterr().err


_SOURCE = """
from attrs import frozen
from bec_core import SourceType, hookimpl, option

@frozen
class Settings:
    pace: int = option(3, "How fast.")

@hookimpl
def bec_sources():
    return [SourceType("shelf", "kit_shelf_source:{factory}", "Books.", in_messages=True, prefixes=("shelf:",),
                       settings=Settings)]
"""
_SHELF = """
class Shelf:
    def __init__(self, setup):
        pass
    def find(self, place):
        return []
    resolve = read_page = find

class Lacking:
    def __init__(self, setup):
        self.pace = setup.settings.pace
    def find(self, place):
        return []

def raising(setup):
    raise ZeroDivisionError("no shelf")
"""


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    clean_environment(monkeypatch)
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.chdir(tmp_path)

    def brought(factory: str, more: str = "") -> None:
        files = {"kit_shelf.py": _SOURCE.format(factory=factory) + more, "kit_shelf_source.py": _SHELF}
        lay_out(tmp_path / "site", "bec-shelf", {"shelf": "kit_shelf"}, files)
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        monkeypatch.delitem(sys.modules, "kit_shelf", raising=False)

    return brought


def test_sources_are_listed_and_shown(
    shelf: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    shelf("Shelf")
    assert _run("plugins", "list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["shelf"]["kind"], rows["shelf"]["distribution"], rows["shelf"]["status"]) == (
        "source", "bec-shelf", "ok",
    )  # fmt: skip
    assert rows["bdrc"]["kind"] == "source"
    assert rows["ldv1"]["kind"] == "job type"
    assert _run("plugins", "show", "shelf") == 0
    said = capsys.readouterr().out
    assert "Takes: shelf:…" in said
    assert "BEC_SHELF_PACE" in said
    assert _run("plugins", "show", "shelf", "--json") == 0
    assert json.loads(capsys.readouterr().out)["settings"][0]["default"] == 3


@pytest.mark.parametrize(
    ("factory", "more", "problem"),
    [
        ("Shelf", "", None),
        ("Lacking", "", "what kit_shelf_source:Lacking makes has no method resolve"),
        ("raising", "", "it can't be opened: kit_shelf_source:raising raised ZeroDivisionError: no shelf"),
        ("nothing", "", "it can't be opened: kit_shelf_source:nothing can't be imported"),
        ("Shelf", "import numpy", "imports numpy"),
    ],
)
def test_a_source_is_checked(
    shelf: Callable[[str, str], None], capsys: pytest.CaptureFixture[str], factory: str, more: str,
    problem: str | None,
) -> None:  # fmt: skip
    shelf(factory, more)
    assert _run("plugins", "check", "shelf") == (6 if problem else 0)
    said = capsys.readouterr().out
    assert (problem or "shelf 0.1 conforms") in said
