"""``bec ldv1 evaluate``, from files to figures."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from bec_ldv1.evaluation.baseline import projection_lines
from bec_ldv1.evaluation.cli import evaluate
from bec_ldv1.evaluation.pages import TruthError
from bec_ldv1.network.box import BoxNet

ROWS = (60, 140, 220, 300, 380)


def text_page(width: int = 900, height: int = 480) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Five lines of stroke pairs under a head line, on white."""
    page = np.full((height, width), 255, np.uint8)
    for y in ROWS:
        page[y : y + 4, 100:800] = 0
        for x in range(100, 800, 12):
            page[y : y + 26, x : x + 4] = 0
        for x in range(160, 800, 120):
            page[y : y + 26, x : x + 16] = 255
    return page


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "pages").mkdir()
    cv2.imwrite(str(tmp_path / "pages" / "a_0001.png"), text_page())
    cv2.imwrite(str(tmp_path / "pages" / "b_0001.png"), np.full((480, 900), 255, np.uint8))
    rows = [
        {"image": "a_0001.png", "size": [900, 480], "lines": [[100, y - 20, 800, y + 50] for y in ROWS]},
        {"image": "b_0001.png", "size": [900, 480], "lines": [], "script": "none"},
    ]
    (tmp_path / "truth.jsonl").write_text("\n".join(json.dumps(r) for r in rows), encoding="utf-8")
    return tmp_path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(evaluate, [str(a) for a in arguments], catch_exceptions=False)


def test_the_projection_profile_finds_level_lines() -> None:
    lines = projection_lines(text_page())
    assert [round(float(p[:, 1].mean())) for p in lines] == pytest.approx([y + 12 for y in ROWS], abs=6)
    assert all(p[:, 0].min() == pytest.approx(100, abs=15) for p in lines)


@pytest.mark.parametrize("shape", [(1, 1), (10, 2000), (300, 300)])
def test_the_projection_profile_of_blank_paper(shape: tuple[int, int]) -> None:
    assert projection_lines(np.full(shape, 255, np.uint8)) == []


def test_the_baseline_from_the_command_line(data: Path) -> None:
    result = run("--truth", data / "truth.jsonl", "--detector", "projection", "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["sets"][0]["f1"] == 1.0
    assert report["sets"][0]["exact_counts"] == 2
    assert [p["matched"] for p in report["pages"]] == [5, 0]


def test_predictions_from_a_file_need_no_images(data: Path) -> None:
    found = data / "found.jsonl"
    boxes = [[110, y, 790, y + 30] for y in ROWS[:4]]
    found.write_text(json.dumps({"image": "x/a_0001.png", "boxes": boxes}), encoding="utf-8")
    result = run("--truth", data / "truth.jsonl", "--predictions", found)
    assert result.exit_code == 0
    assert "0.889" in result.stdout  # 2·4 / (5 + 4)
    assert "a_0001.png" in result.stdout
    assert "b_0001.png" not in result.stdout


def test_a_model_from_a_file(data: Path) -> None:
    """An untrained network: what it finds is noise, that it runs on every page is the point."""
    torch.manual_seed(1)
    network = BoxNet()
    content = {
        "format": "bec-box",
        "version": 1,
        "architecture": {},
        "postprocess": {},
        "state_dict": network.state_dict(),
    }
    torch.save(content, data / "model.pt")
    result = run("--truth", data / "truth.jsonl", "--model-path", data / "model.pt", "--json")
    assert result.exit_code == 0
    assert len(json.loads(result.stdout)["pages"]) == 2


def test_a_missing_image_is_named(data: Path) -> None:
    (data / "pages" / "b_0001.png").unlink()
    with pytest.raises(TruthError, match=r"no image in .* for b_0001\.png"):
        run("--truth", data / "truth.jsonl", "--detector", "projection")


def test_an_image_at_two_places_is_refused(data: Path) -> None:
    (data / "more").mkdir()
    (data / "more" / "a_0001.png").write_bytes((data / "pages" / "a_0001.png").read_bytes())
    with pytest.raises(TruthError, match="at 2 places"):
        run("--truth", data / "truth.jsonl", "--detector", "projection")


def test_an_image_that_is_none_is_named(data: Path) -> None:
    (data / "pages" / "a_0001.png").write_bytes(b"no image")
    with pytest.raises(TruthError, match=r"a_0001\.png can't be processed"):
        run("--truth", data / "truth.jsonl", "--detector", "projection")
