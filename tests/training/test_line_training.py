"""What the line network is trained on, batch by batch, and how a narrower one begins."""

import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch

from support.places import ROOT

sys.path.insert(0, str(ROOT / "training"))

from bec_ldv1.network.box import BoxNet
from linepages.cache import Crops
from linepages.ink import LINE, PAPER, Gray
from linepages.learn import Wanted, batch_of, batches_of, evaluate, groups_of, shown
from linepages.prune import pruned
from linepages.teacher import Teacher
from train import SHARD, parse, save, shards, started

BLOCKS = (0, 1, 1, 0)


pytestmark = pytest.mark.usefixtures("one_torch_thread")


def crops_of(sizes: list[tuple[int, int]], seed: int = 1) -> Crops:
    """Tiles that hold so much of a page, with bars for lines; ink is where a line is."""
    rng, tiles = np.random.default_rng(seed), []
    for height, width in sizes:
        ink = np.zeros((512, 512), np.uint8)
        for top in range(8 * int(rng.integers(1, 3)), height - 16, 48):
            ink[top : top + 16, :width] = 1
        tiles.append((ink, np.where(ink == 1, LINE, PAPER).astype(np.uint8), (height, width)))
    return Crops.of(tiles)


SIZES = [(512, 512)] * 20 + [(512, 100), (512, 96), (512, 90), (512, 300), (200, 512), (190, 500)] * 3


def test_trimmed_tiles_come_in_batches_of_one_size_and_each_crop_once() -> None:
    crops = crops_of(SIZES)
    groups = groups_of(crops, 4, 32, np.random.default_rng(3))
    chosen = np.concatenate([group.indices for group in groups])
    assert len(set(chosen)) == len(chosen) > 0.7 * len(crops)
    assert {part % 32 for group in groups for part in group.size} == {0}
    whole = [group for group in groups if (crops.held[group.indices] == 512).all()]
    assert 3 <= len(whole) <= 5, "whole tiles are seldom cut to fill batches of small ones"
    for group in groups:
        room = -(-crops.held[group.indices].astype(int) // 32) * 32
        assert (room >= group.size).all()


def test_whole_tiles_are_never_trimmed_where_the_step_is_a_tile() -> None:
    groups = groups_of(crops_of(SIZES), 4, 512, np.random.default_rng(3))
    assert {group.size for group in groups} == {(512, 512)}
    assert len(groups) == len(SIZES) // 4


def test_a_part_of_a_tile_keeps_goals_and_teacher_in_place() -> None:
    crops = crops_of([(512, 512), (512, 400)])
    crops = attrs.evolve(crops, taught=(np.asarray(crops.goals & 31) * 15).astype(np.uint8))
    wanted = Wanted(np.array([0, 1]), (256, 128), 32)
    for seed in range(5):
        planes, target, _ = batch_of(crops, wanted, np.random.default_rng(seed), taught_share=0.5)
        assert planes.shape == (2, 1, 256, 128)
        assert target.shape == (2, 1, 64, 32)
        ink = (1 - planes.float()).reshape(2, 64, 4, 32, 4).mean((2, 4))
        assert ((target[:, 0] > 0.25) == (ink > 0.4)).float().mean() > 0.98


def test_goals_are_labels_and_teacher_by_their_shares() -> None:
    crops = crops_of([(512, 512)])
    crops = attrs.evolve(crops, taught=np.full((1, 128, 128), 51, np.uint8))
    wanted = Wanted(np.array([0]), (512, 512), 32)
    labels = batch_of(crops, wanted, None)[1]
    mixed = batch_of(crops, wanted, None, taught_share=0.75)[1]
    torch.testing.assert_close(mixed, 0.25 * labels + 0.75 * 0.2)


def test_a_pass_goes_on_at_any_batch() -> None:
    crops = crops_of(SIZES)
    whole = list(batches_of(crops, 4, 32, 0.0, (1, 2), 0))
    rest = list(batches_of(crops, 4, 32, 0.0, (1, 2), 3))
    assert len(rest) == len(whole) - 3
    for one, other in zip(whole[3:], rest, strict=True):
        for left, right in zip(one, other, strict=True):
            torch.testing.assert_close(left, right)


def test_held_out_crops_are_judged_at_their_own_sizes() -> None:
    torch.manual_seed(1)
    model = BoxNet((16, 32, 32, 32), (0, 0, 0, 0)).train()
    seen: list[tuple[int, ...]] = []
    model.stem.register_forward_hook(lambda module, inputs, output: seen.append(tuple(inputs[0].shape)))
    loss, score = evaluate(model, crops_of([(512, 512)] * 3 + [(100, 512)]), 2, 32)
    assert sorted(seen) == [(1, 16, 32, 128), (1, 16, 128, 128), (2, 16, 128, 128)]
    assert loss > 0
    assert 0 <= score <= 1
    assert model.training


def test_a_network_pruned_to_its_own_widths_is_itself() -> None:
    torch.manual_seed(1)
    wide = BoxNet((8, 16, 16, 24), BLOCKS)
    same = pruned(wide, BoxNet((8, 16, 16, 24), BLOCKS))
    for name, value in wide.state_dict().items():
        torch.testing.assert_close(same.state_dict()[name], value)


def test_channels_that_say_nothing_are_the_first_to_go() -> None:
    torch.manual_seed(1)
    narrow = BoxNet((8, 16, 16, 24), BLOCKS).eval()
    wide = BoxNet((12, 20, 16, 24), BLOCKS).eval()
    silent(wide, narrow)
    planes = shown((torch.rand(1, 1, 64, 96) > 0.2).float())
    result = pruned(wide, BoxNet((8, 16, 16, 24), BLOCKS)).eval()
    with torch.no_grad():
        torch.testing.assert_close(wide(planes), narrow(planes), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(result(planes), narrow(planes), rtol=1e-4, atol=1e-4)


def test_of_more_blocks_the_first_are_kept() -> None:
    torch.manual_seed(1)
    wide = BoxNet((8, 16, 16, 24), (0, 2, 1, 0)).eval()
    spare = wide.encoders[1][1].second[1]
    torch.nn.init.zeros_(spare.weight)
    torch.nn.init.zeros_(spare.bias)
    narrow = pruned(wide, BoxNet((8, 16, 16, 24), BLOCKS)).eval()
    assert [len(encoder) for encoder in narrow.encoders] == [0, 2, 2, 1]
    planes = shown((torch.rand(1, 1, 64, 96) > 0.2).float())
    with torch.no_grad():
        torch.testing.assert_close(narrow(planes), wide(planes))


def silent(wide: BoxNet, narrow: BoxNet) -> None:
    """Give a wide network a narrow one's weights in its last channels; the others stay nearly silent."""
    state = wide.state_dict()
    for name, value in narrow.state_dict().items():
        if not value.ndim:
            continue
        room = state[name]
        room.fill_(1.0 if name.endswith("running_var") else 1e-12)
        room[tuple(slice(-part, None) for part in value.shape)] = value
    wide.load_state_dict(state)


def test_a_network_is_not_pruned_to_more_channels_or_other_blocks() -> None:
    wide = BoxNet((8, 8, 8, 8), BLOCKS)
    with pytest.raises(ValueError, match="has 8 channels, 16 are wanted"):
        pruned(wide, BoxNet((16, 8, 8, 8), BLOCKS))
    with pytest.raises(ValueError, match="different blocks"):
        pruned(wide, BoxNet((8, 8, 8, 8), (0, 1, 2, 0)))


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    words = [
        "train.py",
        "--pages",
        "450",
        "--epochs",
        "2",
        "--widths",
        "16,32,32,32",
        "--cache",
        str(tmp_path),
    ]
    monkeypatch.setattr(
        sys, "argv", [*words, "--out", str(tmp_path / "out"), "--weights", str(tmp_path / "w.pt")]
    )
    return parse()


def test_a_teacher_is_asked_once(tmp_path: Path, options) -> None:
    torch.manual_seed(1)
    save(BoxNet(**options.architecture), options, tmp_path / "teacher.pt")
    crops = crops_of([(512, 512), (512, 200)])
    answers = Teacher(tmp_path / "teacher.pt", tmp_path).answers(crops)
    assert answers.shape == (2, 128, 128)
    assert answers.dtype == np.uint8
    assert len(np.unique(answers)) > 1
    again = Teacher(tmp_path / "teacher.pt", tmp_path)
    again._network = None  # it isn't needed any more
    np.testing.assert_array_equal(again.answers(crops), answers)


def test_weights_that_were_written_begin_another_training(tmp_path: Path, options) -> None:
    torch.manual_seed(1)
    model = BoxNet(**options.architecture)
    save(model, options, tmp_path / "w.pt")
    for name, value in started(tmp_path / "w.pt").state_dict().items():
        torch.testing.assert_close(value.float(), model.state_dict()[name].float(), atol=1e-3, rtol=1e-3)


def test_epochs_take_the_same_pages_and_go_on_in_their_midst(
    options, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    def rendered(folder: Path, pages: int, seed: int, processes: int) -> Iterator[Crops]:
        asked.append((seed, pages))
        for first in range(0, pages, 40):
            yield crops_of([(512, 512)] * (min(40, pages - first) // 10))

    monkeypatch.setattr("train.render_crops", rendered)
    full: Gray | int = SHARD // 10
    assert [(number, len(crops)) for number, crops in shards(options, 0)] == [
        (0, full),
        (1, 5),
        (2, full),
        (3, 5),
    ]
    assert asked == [(1, 450), (1, 450)]
    asked.clear()
    assert [number for number, _ in shards(options, 3)] == [3]
    assert asked == [(401, 50)]
