"""The compact network: its shapes, that it can learn, and that the weights in the wheel know lines."""

import json
from importlib.resources import as_file, files

import numpy as np
import pytest
import torch
from torch.nn import functional

from bec_ldv1.lines import LineSettings, assemble_lines
from bec_ldv1.network.box import CELL, STRIDE, BoxNet
from bec_ldv1.network.checkpoint import load_model
from bec_ldv1.page.binarize import binarize
from bec_ldv1.page.decode import decode
from bec_ldv1.page.scale import shrink
from bec_ldv1.page.tiles import cut, join
from support.places import SAMPLES

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def cells(planes: torch.Tensor) -> torch.Tensor:
    return functional.pixel_unshuffle(planes, CELL)


@pytest.mark.parametrize("size", [(32, 32), (64, 160), (512, 512)])
def test_one_logit_per_cell_for_every_multiple_of_the_stride(size: tuple[int, int]) -> None:
    model = BoxNet().eval()
    with torch.no_grad():
        logits = model(cells(torch.rand(2, 1, *size)))
    assert logits.shape == (2, 1, size[0] // CELL, size[1] // CELL)
    assert logits.dtype == torch.float32


def test_a_size_off_the_stride_is_refused_with_the_numbers() -> None:
    with pytest.raises(ValueError, match=f"multiples of {STRIDE} pixels, got 512×500"):
        BoxNet()(cells(torch.ones(1, 1, 512, 500)))


def test_an_even_reach_is_refused() -> None:
    with pytest.raises(ValueError, match="reach must be odd, got 14"):
        BoxNet(reach=14)


def test_it_stays_compact() -> None:
    parameters = sum(parameter.numel() for parameter in BoxNet().parameters())
    assert parameters < 600_000


def test_pages_of_a_batch_do_not_touch_each_other() -> None:
    torch.manual_seed(1)
    model = BoxNet().eval()
    pages = cells((torch.rand(3, 1, 64, 96) > 0.2).float())
    with torch.no_grad():
        together, alone = model(pages), model(pages[1:2])
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-4)


def test_ink_far_along_the_row_matters_and_the_map_follows_a_shift() -> None:
    torch.manual_seed(2)
    model = BoxNet().eval()
    plain = torch.ones(1, 1, 128, 512)
    marked = plain.clone()
    marked[..., 60:68, 480:500] = 0
    with torch.no_grad():
        change = (model(cells(marked)) - model(cells(plain))).abs()[0, 0]
    assert change[:, 200 // CELL : 280 // CELL].max() > 0, "ink 200 pixels away must reach the answer"


def test_it_learns_bands_of_ink() -> None:
    torch.manual_seed(3)
    model = BoxNet(widths=(8, 8, 8, 8), blocks=(0, 1, 0, 0))
    pages = torch.ones(4, 1, 64, 64)
    goal = torch.zeros(4, 1, 64 // CELL, 64 // CELL)
    for index, top in enumerate((4, 16, 28, 40)):
        pages[index, :, top : top + 12] = (torch.rand(12, 64) > 0.5).float()
        goal[index, :, top // CELL : top // CELL + 3] = 1
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        loss = functional.binary_cross_entropy_with_logits(model(cells(pages)), goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_the_weights_in_the_wheel_are_small_and_half_precision() -> None:
    with as_file(files("bec_ldv1.network") / "weights" / "box.pt") as path:
        assert path.stat().st_size < 2_000_000
        content = torch.load(path, weights_only=True)
    assert {value.dtype for value in content["state_dict"].values()} == {torch.float16, torch.int64}


@pytest.mark.parametrize(
    "name", ["0001/0003.jpg", "0001/0004.jpg", "0001/0005.jpg", "0002/0001.tif", "0002/0004.tif"]
)
def test_the_weights_find_every_line_of_a_sample_page(name: str) -> None:
    truth = [json.loads(row) for row in (SAMPLES / "lines.jsonl").read_text(encoding="utf-8").splitlines()]
    expected = next(row for row in truth if row["image"].endswith(name))
    page = decode((SAMPLES / expected["image"]).read_bytes())
    plane = binarize(shrink(page), bilevel=page.bilevel)
    model = load_model()
    tiles = [model.probabilities(tile[None])[0] for tile in cut(plane, model.step)]
    probability = join(tiles, *plane.shape)
    lines = assemble_lines(probability, plane, LineSettings())
    assert len(lines) == len(expected["lines"])
    down = plane.shape[0] / page.height
    for line, wanted in zip(lines, expected["lines"], strict=True):
        ys = [y * down for _, y in wanted["polygon"]]
        assert min(ys) - 2 < float(np.median(line.baseline[:, 1])) < max(ys) + 2
