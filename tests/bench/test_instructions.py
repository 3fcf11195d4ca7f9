"""Five paths of our own code take as many instructions as are kept for this Python; a slower one is seen."""

import sys
from pathlib import Path

import pytest

from support.places import ROOT
from support.services import PostgresServer

sys.path.insert(0, str(ROOT / "bench"))

import instructions
from measuring.paths import NEED_DATABASE, PATHS


@pytest.fixture
def server(request: pytest.FixtureRequest, path: str) -> PostgresServer | None:
    return request.getfixturevalue("postgres") if path in NEED_DATABASE else None


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", PATHS)
def test_a_path_takes_as_many_instructions_as_are_kept(path: str, server: PostgresServer | None) -> None:
    if reason := instructions.why_not():
        pytest.skip(reason)
    expected = instructions.kept().get(path)
    if expected is None:
        pytest.skip(
            f"no count of {path} is kept for {instructions.interpreter()}: python bench/instructions.py --write"
        )

    counted = instructions.count(path, server)

    change = instructions.off(counted, expected)
    assert abs(change) <= instructions.TOLERANCE, (
        f"{path}: {counted:,} instructions, {expected:,} are kept ({change:+.1%});"
        f" if that is meant: python bench/instructions.py --write {path}"
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", ["manifest", "task"])
def test_a_path_that_does_more_is_seen(path: str, server: PostgresServer | None) -> None:
    expected = instructions.kept().get(path)
    if instructions.why_not() or expected is None:
        pytest.skip(instructions.why_not() or f"no count of {path} is kept for this Python")

    twice = instructions.off(instructions.count(path, server, slower=True), expected)

    assert twice > 10 * instructions.TOLERANCE


def test_counts_are_kept_beside_those_of_other_pythons(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(instructions, "KEPT", tmp_path / "kept.json")
    assert instructions.kept() == {}
    instructions.keep({"lines": 10, "manifest": 20})
    mine = instructions.interpreter()
    monkeypatch.setattr(instructions, "interpreter", lambda: "CPython 9.9 x86_64")
    assert instructions.kept() == {}
    instructions.keep({"lines": 1})
    monkeypatch.setattr(instructions, "interpreter", lambda: mine)
    instructions.keep({"manifest": 30})
    assert instructions.kept() == {"lines": 10, "manifest": 30}


def test_without_a_counter_it_says_so_and_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(instructions.shutil, "which", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["instructions.py"])
    with pytest.raises(SystemExit) as ended:
        instructions.main()
    assert ended.value.code == 2
    assert "valgrind is not installed" in capsys.readouterr().err


def test_numpy_is_pinned_to_its_baseline() -> None:
    assert "X86_V3" in instructions.pinned()["NPY_DISABLE_CPU_FEATURES"] or instructions.why_not()
    assert instructions.pinned()["PYTHONHASHSEED"] == "0"
