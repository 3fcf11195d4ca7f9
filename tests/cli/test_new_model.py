"""The guide's safe way to a new model, walked by its own commands: a second job, compare, rebind, and back."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cli import Bec, install_plugin, write_archive_volume
from support.places import ROOT

GUIDE = (ROOT / "docs" / "operators-guide.md").read_text()
SECTION = GUIDE.split("### A new model, the safe way\n")[1].split("\n## ")[0]
STEPS = [
    [line.strip() for line in block.splitlines() if line.strip()]
    for block in re.findall(r"```bash\n(.*?)```", SECTION, re.DOTALL)
]
SOON = ("--poll-wait", "0", "--shutdown-after-empty", "1")
VOLUMES = ("W1,I0001", "W1,I0002", "W1,I0003")


@pytest.fixture
def walk(bec: Bec, tmp_path: Path) -> Callable[[list[str]], str]:
    """Runs commands of the guide, with small jobs in place of ``ldv1`` and ``ocrv1``; returns what they print."""
    install_plugin(tmp_path / "plugins", "finder", "support.two_models:FINDER")
    install_plugin(tmp_path / "plugins", "teller", "support.two_models:TELLER")
    (tmp_path / "new-model.json").write_text('{"model": "new"}')
    for name, page in zip(VOLUMES, (b"easy", b"hard", b"easy"), strict=True):
        write_archive_volume(tmp_path / "archive", *name.split(","), [page])
    bec.ok("jobs", "create", "--name", "ldv1", "--type", "finder")
    bec.ok("jobs", "create", "--name", "ocr", "--type", "teller")
    asked = [word for name in VOLUMES for word in ("--volume", name)]
    bec.ok("queue", "enqueue", "--job-name", "ocr", "--with-inputs", *asked)
    for job in ("ldv1", "ocr"):
        bec.ok("worker", "--job-name", job, *SOON)

    def walked(commands: list[str]) -> str:
        said = ""
        for command in commands:
            program, *words = shlex.split(command.replace("--type ldv1", "--type finder").replace("200", "2"))
            assert program == "bec"
            said += bec.ok(*words, *(SOON if words[0] == "worker" else ())).out
        return said

    return walked


def told(folder: Path) -> dict[str, str]:
    """What the dependant has, by volume."""
    found = (folder / "artifacts" / "ocr").rglob("*.txt")
    return {path.parts[-3]: path.read_text() for path in found}


def files(folder: Path) -> dict[str, bytes]:
    """All that the old model's job has published."""
    return {
        str(path): path.read_bytes() for path in (folder / "artifacts" / "ldv1").rglob("*") if path.is_file()
    }


def test_the_guides_way_to_a_new_model_and_back(
    walk: Callable[[list[str]], str], bec: Bec, tmp_path: Path
) -> None:
    part, compare, rest, rebind, back = STEPS
    old = files(tmp_path)
    before = told(tmp_path)
    assert before == {"I0001": "read: any model", "I0002": "read: old model", "I0003": "read: any model"}

    walk(part)
    assert len(list((tmp_path / "artifacts" / "ldv1-new").rglob("success.json"))) == 2
    assert walk(compare).splitlines()[-1] == str(tmp_path / "compare" / "differ.txt")
    assert (tmp_path / "compare" / "differ.txt").read_text() == "I0002"
    walk(rest)
    assert len(list((tmp_path / "artifacts" / "ldv1-new").rglob("success.json"))) == 3
    assert (files(tmp_path), told(tmp_path)) == (old, before)

    said = walk(rebind)
    assert "I0002" in said
    assert "input: lines" in said
    assert said.count("Successfully processed") == 1, "what is alike is not done again"
    assert told(tmp_path) == {**before, "I0002": "read: new model"}
    assert "Read by: ocr" in bec.ok("jobs", "show", "ldv1-new").out

    assert walk(back).count("Successfully processed") == 1
    assert (files(tmp_path), told(tmp_path)) == (old, before)
    assert bec.ok("jobs", "stale", "ocr").out == "Nothing is out of date\n"
