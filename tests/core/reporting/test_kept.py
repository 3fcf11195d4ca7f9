"""A volume is drawn again when its marker, its records or the report's code differ, or its page is gone."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bec_core import Work, keep_row, kept_row, made_of

ROW = {"title": "W1", "pages": 2}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a report's package of a name, with a template that holds a text."""

    def make(name: str, template: str) -> str:
        (tmp_path / name / "assets").mkdir(parents=True)
        (tmp_path / name / "__init__.py").write_text('"""A report."""\n')
        (tmp_path / name / "assets" / "page.html").write_text(template)
        return name

    monkeypatch.syspath_prepend(tmp_path)
    yield make
    for name in [name for name in sys.modules if name.startswith("drawn_")]:
        del sys.modules[name]


def reported(marker: dict[str, Any], title: str | None = None, served_at: str | None = None) -> Any:
    """A volume of a report with nothing but what a report is made of."""
    return SimpleNamespace(marker=marker, work=Work(title), served_at=served_at)


def test_each_ingredient_counts(package):
    one, other = package("drawn_one", "<p>"), package("drawn_other", "<b>")
    made = [
        made_of(one, reported({"a": 1}), b"x"),
        made_of(other, reported({"a": 1}), b"x"),
        made_of(one, reported({"a": 2}), b"x"),
        made_of(one, reported({"a": 1}, title="The Jewel"), b"x"),
        made_of(one, reported({"a": 1}), b"y"),
        made_of(one, reported({"a": 1}, served_at="https://bec.example/jobs/j/volumes/W/I"), b"x"),
    ]
    assert len(set(made)) == 6
    assert made_of(one, reported({"a": 1}), b"x") == made[0]
    assert made_of(one, reported({"a": 1, "b": 2}), b"") == made_of(one, reported({"b": 2, "a": 1}), b"")


def test_a_row_is_had_again_while_its_page_is_there(tmp_path):
    keep_row(tmp_path, "same", ROW)
    assert kept_row(tmp_path, "same", dict) is None
    (tmp_path / "index.html").touch()
    assert kept_row(tmp_path, "same", dict) == ROW
    assert kept_row(tmp_path, "other", dict) is None
    assert kept_row(tmp_path / "none", "same", dict) is None


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"made_of": "same"}', "\udcff"])
def test_a_note_that_is_none_of_ours_is_no_row(tmp_path, note):
    (tmp_path / "index.html").touch()
    (tmp_path / "volume.json").write_bytes(note.encode("utf-8", "surrogateescape"))
    assert kept_row(tmp_path, "same", dict) is None


def test_a_row_of_another_form_is_no_row(tmp_path):
    def row_of(noted: dict[str, Any]) -> Any:
        return noted["verdict"]

    (tmp_path / "index.html").touch()
    keep_row(tmp_path, "same", ROW)
    assert kept_row(tmp_path, "same", row_of) is None
