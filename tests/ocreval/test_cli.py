"""``bec ocreval``: scoring files, counting syllables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bec_ocreval.cli import ocreval
from bec_ocreval.errors import TextsError
from support.ocr_volumes import Read, ocr_parquet


def run(*arguments: object) -> str:
    outcome = CliRunner().invoke(ocreval, [str(one) for one in arguments], catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


@pytest.fixture
def folder(tmp_path) -> Path:
    for book, text in (("I1", "ཀ་ཁ"), ("I2", "ཀ་ག")):
        (tmp_path / f"W1-{book}-abc123.parquet").write_bytes(
            ocr_parquet([Read("1.jpg", ["ཀ་ཁ"]), Read("2.jpg")])
        )
        (tmp_path / "truth" / "W1" / book).mkdir(parents=True)
        (tmp_path / "truth" / "W1" / book / "1.txt").write_text(text)
    return tmp_path


def test_files_are_scored_each_against_its_volumes_truth(folder):
    said = run("score", *sorted(folder.glob("*.parquet")), "--truth", folder / "truth")
    one, two, both = said.splitlines()
    assert one.startswith("W1-I1-abc123: CER 0.0 %, SER 0.0 %")
    assert two.startswith("W1-I2-abc123: CER 33.3 %, SER 50.0 %")
    assert both.startswith("CER 16.7 %, SER 25.0 %")


def test_figures_for_programs(folder):
    said = json.loads(run("score", folder / "W1-I2-abc123.parquet", "--truth", folder / "truth", "--json"))
    assert said["all"]["cer"] == pytest.approx(1 / 3)
    assert said["volumes"]["W1-I2-abc123"] == said["all"]
    assert (said["all"]["pages"], said["all"]["scored"], said["all"]["chars"]) == (2, 1, 3)


def test_without_truth_there_is_no_rate(folder):
    said = run("score", folder / "W1-I1-abc123.parquet")
    assert "CER" not in said
    assert said.startswith("well spelt 100.0 % (2 pages, none with ground truth")


def test_a_report_is_written(folder, tmp_path):
    said = run("score", folder / "W1-I1-abc123.parquet", "--report", tmp_path / "report")
    assert f"report: {tmp_path / 'report' / 'index.html'}" in said
    assert (tmp_path / "report" / "W1-I1-abc123" / "index.html").is_file()


def test_any_name_will_do(folder):
    (folder / "mine.parquet").write_bytes(ocr_parquet([Read("1.jpg", ["ཀ"])]))
    (folder / "mine.txt").write_text("ཀ")
    (folder / "truth.jsonl").write_text('{"image": "1.jpg", "lines": ["ཀ"]}')
    assert run("score", folder / "mine.parquet", "--truth", folder / "truth.jsonl").startswith("CER 0.0 %")


def test_a_file_that_is_none_is_named(folder):
    (folder / "W1-I3-abc123.parquet").write_bytes(b"nothing")
    with pytest.raises(TextsError, match=r"W1-I3-abc123\.parquet: .*can't be read"):
        run("score", folder / "W1-I3-abc123.parquet")


def test_spelling(tmp_path):
    (tmp_path / "a.txt").write_text("བཀྲ་ཤིས། མཁ་མཁ་བཀ་ཨོཾ་༡ ab")
    said = run("spelling", tmp_path / "a.txt", "--most", 1)
    assert [line.split() for line in said.splitlines()] == [
        ["2", "well", "formed"],
        ["1", "sanskrit"],
        ["3", "ill", "formed"],
        ["1", "sign"],
        ["1", "foreign"],
        ["2", "མཁ"],
    ]


def test_spelling_of_what_is_no_text(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xff")
    outcome = CliRunner().invoke(ocreval, ["spelling", str(tmp_path / "a.txt")])
    assert outcome.exit_code == 1
    assert "a.txt is not text in UTF-8" in outcome.output
