"""``bec plugins new``: a package that is clean and passes its tests at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from loguru import logger

from bec_cli.main import run
from bec_cli.plugin_files import PluginName, render
from support.cli import clean_environment
from support.plugin_folders import installed, lay_out

_LONGEST = "a23456789-b23456789-c234567890"


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clean_environment(monkeypatch)
    monkeypatch.chdir(tmp_path)


def _new(*arguments: str) -> int:
    try:
        return run(["plugins", "new", *arguments])
    finally:
        logger.remove()


def _run(package: Path, *module: str) -> str:
    paths = [str(package / "src"), *sys.path]
    ended = subprocess.run(
        [sys.executable, "-m", *module],
        cwd=package, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "MYPYPATH": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.parametrize(
    ("arguments", "next_command"),
    [
        (["stamps"], "bec run stamps FOLDER"),
        (["line-count", "--input", "ldv1", "--report"], "bec run ldv1,line-count FOLDER"),
    ],
)
def test_a_new_plugin_passes_its_tests_ruff_and_mypy(
    arguments: list[str],
    next_command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    assert _new(*arguments) == 0
    name = arguments[0]
    said = capsys.readouterr().out
    assert f"  python -m pip install -e bec-{name} pytest && python -m pytest bec-{name}\n" in said
    assert f"  bec plugins check {name}\n  {next_command}\n" in said
    package = installed(tmp_path / f"bec-{name}")
    assert "passed" in _run(package, "pytest", "-q", "-W", "error", "-p", "no:cacheprovider")
    _run(package, "mypy", "--cache-dir", str(tmp_path / "mypy"))
    _run(package, "ruff", "check", "--no-cache", ".")
    _run(package, "ruff", "format", "--no-cache", "--check", ".")


@pytest.mark.parametrize("kind", ["pages", "lines"])
@pytest.mark.parametrize("name", ["x", _LONGEST, "with_both-1"])
@pytest.mark.parametrize("parts", [(), ("report",)])
def test_names_of_any_length_give_clean_files(
    kind: str, name: str, parts: tuple[str, ...], tmp_path: Path
) -> None:
    for path, text in render(kind, PluginName(name), parts).items():
        assert "@" not in text.replace("@frozen", "").replace("@hookimpl", "").replace("@pytest", ""), path
        assert "#if" not in text
        assert "#end" not in text
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    assert (tmp_path / "src" / PluginName(name).module / "report.py").exists() is bool(parts)
    _run(tmp_path, "ruff", "check", "--no-cache", ".")
    _run(tmp_path, "ruff", "format", "--no-cache", "--check", ".")


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("Stamps", 2, "use small letters and digits"),
        ("2nd", 2, "use small letters and digits"),
        ("a/../b", 2, "use small letters and digits"),
        ("stämps", 2, "use small letters and digits"),
        ("a--b", 2, "use small letters and digits"),
        (f"{_LONGEST}x", 2, "30 characters at most"),
        ("class", 2, "it is a word of Python's"),
        ("jobs", 4, "'jobs' is a command of bec"),
        ("ldv1", 4, "bec-ldv1 brings the job type 'ldv1' already"),
        ("core", 4, "there is a Python package bec_core already"),
        ("hurt", 4, "bec-other brings the job type 'hurt' already"),
    ],
)
def test_a_name_that_cant_be_is_refused(
    name: str,
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lay_out(
        tmp_path / "site", "bec-other", {"hurt": "kit_hurt"}, {"kit_hurt.py": "import nothing_of_this_name"}
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert _new(name) == code
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "packages" / "bec-stamps").mkdir(parents=True)
    assert _new("stamps", "--directory", "packages") == 4
    assert "packages/bec-stamps is there already; nothing was written" in capsys.readouterr().err
    assert list((tmp_path / "packages" / "bec-stamps").iterdir()) == []
    assert _new("stamps", "--directory", "nowhere") == 2
    assert _new("seals", "--directory", "packages") == 0
    assert (tmp_path / "packages" / "bec-seals" / "src" / "bec_seals" / "worker.py").is_file()


def test_programs_of_another_environment_are_not_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("python", "bec"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _new("stamps") == 0
    folder = Path(sys.executable).parent
    assert f"  {folder}/bec plugins check stamps\n" in capsys.readouterr().out
