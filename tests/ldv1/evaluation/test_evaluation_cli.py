"""``bec ldv1 evaluate``, from files to figures."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from bec_ldv1.cli import ldv1
from bec_ldv1.evaluation.baseline import projection_lines
from bec_ldv1.evaluation.cli import evaluate
from bec_ldv1.evaluation.pages import TruthError
from bec_ldv1.network.box import BoxNet
from bec_ldv1.page.orientation import to_stored
from support.drawn_lines import stored

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
    tables, _, notes = result.stdout.partition("\n\npages without a prediction")
    assert "a_0001.png" in tables
    assert "b_0001.png" not in tables
    assert notes == ", taken for pages on which nothing was found: 1, the first b_0001.png\n"


def test_predictions_for_other_pages_are_an_error_and_no_f1_of_0(data: Path) -> None:
    found = data / "found.jsonl"
    found.write_text('{"image": "c_0001.png", "lines": []}', encoding="utf-8")
    with pytest.raises(TruthError, match=r"names a_0001\.png, the predictions c_0001\.png; pages are paired"):
        run("--truth", data / "truth.jsonl", "--predictions", found)
    found.write_text("", encoding="utf-8")
    with pytest.raises(TruthError, match="there are no predictions"):
        run("--truth", data / "truth.jsonl", "--predictions", found)


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


def test_the_pages_of_a_tiff_are_each_judged_on_their_own_image(data: Path) -> None:
    blank = Image.new("L", (900, 480), 255)
    blank.save(
        data / "pages" / "book.tif", save_all=True, append_images=[Image.fromarray(text_page()), blank]
    )
    lines = [[100, y - 20, 800, y + 50] for y in ROWS]
    rows = [("book.tif", []), ("book.tif#2", lines), ("book.tif#3", [])]
    truth = [{"image": name, "size": [900, 480], "lines": boxes} for name, boxes in rows]
    (data / "book.jsonl").write_text("\n".join(map(json.dumps, truth)))
    result = run("--truth", data / "book.jsonl", "--detector", "projection", "--json")
    report = json.loads(result.stdout)
    assert [(page["image"], page["matched"]) for page in report["pages"]] == [
        ("book.tif", 0),
        ("book.tif#2", 5),
        ("book.tif#3", 0),
    ]
    (data / "book.jsonl").write_text(json.dumps(truth[1] | {"image": "book.tif#4"}))
    with pytest.raises(TruthError, match=r"no image in .* for book\.tif#4"):
        run("--truth", data / "book.jsonl", "--detector", "projection")


def test_an_image_that_ends_early_costs_that_page_alone(data: Path) -> None:
    whole = (data / "pages" / "b_0001.png").read_bytes()
    (data / "pages" / "b_0001.png").write_bytes(whole[: len(whole) // 2])
    result = run("--truth", data / "truth.jsonl", "--detector", "projection", "--json")
    report = json.loads(result.stdout)
    assert [(page["image"], page["matched"]) for page in report["pages"]] == [("a_0001.png", 5)]
    assert report["notes"] == ["pages that can't be processed, left out of all figures: 1"]
    assert "b_0001.png can't be processed" in result.stderr


def test_images_none_of_which_can_be_read_are_an_error(data: Path) -> None:
    for path in (data / "pages").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(TruthError, match="none of the 2 pages can be processed"):
        run("--truth", data / "truth.jsonl", "--detector", "projection")


def test_the_exit_status_tells_of_pages_that_were_left_out(data: Path) -> None:
    arguments = ["evaluate", "--truth", str(data / "truth.jsonl"), "--detector", "projection"]
    assert CliRunner().invoke(ldv1, arguments, standalone_mode=False).return_value == 0
    (data / "pages" / "b_0001.png").write_bytes(b"no image")
    assert CliRunner().invoke(ldv1, arguments, standalone_mode=False).return_value == 6


@pytest.mark.parametrize("below", ["", "page"])
def test_a_folder_of_truth_has_its_images_inside_or_beside_it(data: Path, below: str) -> None:
    """Transkribus puts a document's images beside its folder of PAGE files, and both into one folder."""
    (data / "pages" / "page").mkdir()
    lines = "".join(
        f'<TextLine id="l{y}"><Coords points="100,{y - 20} 800,{y - 20} 800,{y + 50} 100,{y + 50}"/></TextLine>'
        for y in ROWS
    )
    page = f'<Page imageFilename="a_0001.png" imageWidth="900" imageHeight="480">{lines}</Page>'
    (data / "pages" / "page" / "a_0001.xml").write_text(f"<PcGts>{page}</PcGts>")
    (data / "elsewhere").mkdir()
    (data / "elsewhere" / "a_0001.png").write_bytes(b"another one of that name")
    result = run("--truth", data / "pages" / below, "--detector", "projection", "--json")
    assert json.loads(result.stdout)["sets"][0]["f1"] == 1.0


@pytest.mark.parametrize("as_shown", [False, True])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_that_viewers_turn(data: Path, orientation: int, as_shown: bool) -> None:
    """The truth may be in pixels of the image as it is stored, or, where its size tells, as other programs show it."""
    if as_shown and orientation < 5:
        orientation = 5
    (data / "pages" / "a_0001.png").write_bytes(stored(text_page(), orientation))
    boxes = [np.array([[100, y - 20], [800, y - 20], [800, y + 50], [100, y + 50]], float) for y in ROWS]
    size = [900, 480]
    if not as_shown:
        boxes = [to_stored(box, orientation, 900, 480) for box in boxes]
        size = size[::-1] if orientation >= 5 else size
    row = {"image": "a_0001.png", "size": size, "polygons": [box.tolist() for box in boxes]}
    (data / "turned.jsonl").write_text(json.dumps(row))
    result = run(
        "--truth", data / "turned.jsonl", "--images", data / "pages", "--detector", "projection", "--json"
    )
    (page,) = json.loads(result.stdout)["pages"]
    assert page["matched"] == 5
