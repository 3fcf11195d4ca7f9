"""Tesseract: run for real where it is installed, and what is said where it is not."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bec_core import PageError, SettingsError, WorkerSetup
from bec_ocrv1.config import Ocrv1Config
from bec_ocrv1.engines.choose import build_engine
from bec_ocrv1.engines.tesseract import find_tesseract
from support.tibetan_lines import LINE, TEXT, distance

HEAD = (
    "level\\tpage_num\\tblock_num\\tpar_num\\tline_num\\tword_num\\tleft\\ttop\\twidth\\theight\\tconf\\ttext"
)


def installed(language: str) -> bool:
    if shutil.which("tesseract") is None:
        return False
    said = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False).stdout
    return language in said.split()


needs_tesseract = pytest.mark.skipif(
    not installed("bod"), reason="needs the program tesseract with the language bod (apt: tesseract-ocr-bod)"
)


def line() -> np.ndarray:
    with Image.open(LINE) as image:
        return np.asarray(image.convert("L"))


def inked() -> np.ndarray:
    plane = np.full((20, 90), 200, np.uint8)
    plane[8:12, 10:80] = 20
    return plane


def fake_program(folder: Path, monkeypatch: pytest.MonkeyPatch, run: str) -> None:
    """Put a program of this name first on the path: it knows `bod`, and does ``run`` when it is to read."""
    folder.mkdir(exist_ok=True)
    (folder / "bod.traineddata").write_bytes(b"weights")
    program = folder / "tesseract"
    program.write_text(
        "#!/bin/sh\n"
        f"case $1 in --version) echo 'tesseract 5.9.1'; exit;; --list-langs) "
        f"echo 'List of available languages in \"{folder}\" (1):'; echo bod; exit;; esac\n{run}\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@needs_tesseract
def test_it_reads_tibetan() -> None:
    engine = find_tesseract("bod")
    one, nothing, other = engine.read([line(), np.full((60, 400), 255, np.uint8), line()])
    assert one == other
    assert distance(one.text, TEXT) < 0.2 * len(TEXT)
    assert 0.3 < one.confidence <= 1
    assert (nothing.text, nothing.confidence) == ("", 0.0)
    assert engine.read([]) == []
    assert engine.name.startswith("tesseract ")
    assert engine.name.endswith(" bod")
    assert len(engine.sha256) == 64


@needs_tesseract
def test_a_missing_language_is_named_with_what_to_install() -> None:
    with pytest.raises(
        SettingsError, match=r"no language xyz_abc here .*apt install .* tesseract-ocr-xyz-abc;"
    ):
        find_tesseract("bod+xyz_abc")


def test_a_missing_program_ends_the_worker_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    setup = WorkerSetup(Ocrv1Config(model="tesseract", lang="bod"))
    with pytest.raises(
        SettingsError, match=r"no program tesseract here\. .*apt install tesseract-ocr tesseract-ocr-bod;"
    ):
        build_engine(setup)


def test_words_become_lines_and_scraps_are_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        "4\\t1\\t1\\t1\\t1\\t0\\t0\\t0\\t9\\t9\\t-1\\t",
        "5\\t1\\t1\\t1\\t1\\t1\\t0\\t0\\t9\\t9\\t90\\tཀཁ",
    ]
    rows += [
        "5\\t1\\t1\\t1\\t1\\t2\\t0\\t0\\t9\\t9\\t60\\tགང་",
        '5\\t3\\t1\\t1\\t1\\t1\\t0\\t0\\t9\\t9\\t101\\t"',
    ]
    fake_program(
        tmp_path / "bin", monkeypatch, f"cat >/dev/null; printf '{HEAD}\\n" + "\\n".join(rows) + "\\n'"
    )
    engine = find_tesseract("bod")
    assert engine.arithmetic == "tesseract 5.9.1"
    big, scrap = inked(), np.zeros((2, 300), np.uint8)
    found = engine.read([scrap, big, big, big])
    assert [reading.text for reading in found] == ["", "ཀཁ གང་", "", '"']
    assert [reading.confidence for reading in found] == [0, pytest.approx((2 * 0.9 + 3 * 0.6) / 5), 0, 1]


@pytest.mark.parametrize(
    ("run", "said", "retryable"),
    [
        ("cat >/dev/null; echo 'no memory' >&2; exit 3", "ended with 3: no memory", False),
        ("cat >/dev/null; kill -9 $$", "ended with (-9|137): no message", True),
    ],
)
def test_a_program_that_fails_costs_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: str, said: str, retryable: bool
) -> None:
    fake_program(tmp_path / "bin", monkeypatch, run)
    engine = find_tesseract("bod")
    with pytest.raises(PageError, match=said) as caught:
        engine.read([inked()])
    assert caught.value.stage == "recognise"
    assert caught.value.retryable is retryable


def test_a_language_file_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_program(tmp_path / "bin", monkeypatch, "exit 1")
    (tmp_path / "bin" / "bod.traineddata").unlink()
    with pytest.raises(SettingsError, match=r"language file .*bod\.traineddata can't be read"):
        find_tesseract("bod")


def test_require_gpu_and_tesseract_exclude_each_other() -> None:
    setup = WorkerSetup(Ocrv1Config(model="tesseract", require_gpu=True))
    with pytest.raises(SettingsError, match="Tesseract runs on the CPU"):
        build_engine(setup)
