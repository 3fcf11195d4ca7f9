import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bec_ldv1.errors import CheckpointError
from bec_ldv1.network.box import BoxNet
from bec_ldv1.network.checkpoint import load_model
from bec_ldv1.network.deeplab import DeepLabV3Plus
from bec_ldv1.network.line_model import BadOutput, Precision
from bec_ldv1.page.contours import Postprocess
from bec_ldv1.page.prepare import Preparation

TILES = np.where(np.random.default_rng(1).random((1, 64, 128)) > 0.2, 255, 0).astype(np.uint8)
SMALL_BOX: dict[str, Any] = {"widths": (8, 8, 8, 8), "blocks": (1, 1, 1, 0)}


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return DeepLabV3Plus().state_dict()


@pytest.fixture(scope="module")
def hollow(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The right names and shapes in a file of a few kilobytes: every tensor repeats one number."""
    return {key: torch.zeros((), dtype=value.dtype).expand(value.shape) for key, value in weights.items()}


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def box_file(path: Path, **changes: object) -> Path:
    network = BoxNet(**SMALL_BOX)
    half = {
        key: value.half() if value.is_floating_point() else value
        for key, value in network.state_dict().items()
    }
    content = {
        "format": "bec-box",
        "version": 3,
        "architecture": SMALL_BOX,
        "state_dict": half,
        "postprocess": {"threshold": 0.5},
        "preparation": {"enlarge": True},
        "step": 32,
    }
    return saved(path, content | changes)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_contracts_format(tmp_path: Path, weights: dict[str, torch.Tensor], prefix: str) -> None:
    content = {"state_dict": {prefix + key: value for key, value in weights.items()}, "epoch": 7}
    path = saved(tmp_path / "ld.pth", content)
    model = load_model(path)
    assert model.channels == 3
    assert model.name == "ld.pth"
    assert model.step == 512
    assert model.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert model.postprocess == Postprocess(0.85, 0.001, 0.01, 10)
    assert model.precision is Precision.FLOAT32
    network = DeepLabV3Plus().eval()
    network.load_state_dict(weights)
    with torch.inference_mode():
        planes = torch.from_numpy(TILES.astype(np.float32) / 255)[:, None].expand(-1, 3, -1, -1)
        expected = torch.sigmoid(network(planes))[:, 0].numpy()
    np.testing.assert_allclose(model.probabilities(TILES), expected, atol=1e-5)


def test_the_box_format(tmp_path: Path) -> None:
    model = load_model(box_file(tmp_path / "box.pt"), Precision.FLOAT32)
    assert model.channels == 1
    assert model.postprocess == Postprocess(threshold=0.5)
    assert model.preparation == Preparation(enlarge=True)
    assert model.step == 32
    result = model.probabilities(TILES)
    assert result.shape == TILES.shape
    assert result.dtype == np.float32
    assert ((result > 0) & (result < 1)).all()


@pytest.mark.parametrize(("version", "preparation"), [(1, Preparation()), (2, Preparation(enlarge=True))])
def test_a_box_of_before_takes_whole_tiles(tmp_path: Path, version: int, preparation: Preparation) -> None:
    model = load_model(box_file(tmp_path / "box.pt", version=version))
    assert model.preparation == preparation
    assert model.step == 512


def test_low_precision_keeps_float32_batch_norms(tmp_path: Path) -> None:
    path = box_file(tmp_path / "box.pt")
    exact = load_model(path, Precision.FLOAT32)
    coarse = load_model(path, Precision.BFLOAT16)
    kinds = {(type(m).__name__, m.weight.dtype) for m in coarse.network.modules() if hasattr(m, "weight")}
    assert kinds == {("Conv2d", torch.bfloat16), ("BatchNorm2d", torch.float32)}
    np.testing.assert_allclose(coarse.probabilities(TILES), exact.probabilities(TILES), atol=0.02)


def test_numbers_that_are_none_are_an_error(tmp_path: Path) -> None:
    model = load_model(box_file(tmp_path / "box.pt"), Precision.FLOAT32)
    model.network.head.bias.data.fill_(float("nan"))
    with pytest.raises(BadOutput, match=r"box\.pt gave values that are not numbers"):
        model.probabilities(TILES)


class Harmful:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.marker,)


def test_code_is_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    plain_pickle = tmp_path / "evil.pkl"
    plain_pickle.write_bytes(pickle.dumps({"state_dict": Harmful(marker)}, protocol=2))
    for path in (plain_pickle, saved(tmp_path / "evil.pth", {"state_dict": Harmful(marker)})):
        with pytest.raises(CheckpointError, match="not a file of weights alone"):
            load_model(path)
    assert not marker.exists()


def test_a_whole_pickled_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a file of weights alone"):
        load_model(saved(tmp_path / "model.pth", BoxNet(**SMALL_BOX)))


def refused(path: Path, *what: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_model(path)
    for part in (str(path), *what):
        assert part in str(caught.value)


def test_wrong_files_say_what_was_expected_and_found(tmp_path: Path, hollow: dict[str, torch.Tensor]) -> None:
    refused(tmp_path / "none.pth", "can't read the model file", "No such file")
    refused(tmp_path, "can't read the model file")
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    refused(text, "expected a torch file {'state_dict': …}", "found")
    empty = tmp_path / "empty.pth"
    empty.write_bytes(b"")
    refused(empty, "no model file")
    cut = tmp_path / "cut.pth"
    cut.write_bytes(saved(tmp_path / "whole.pth", {"state_dict": hollow}).read_bytes()[:20_000])
    refused(cut, "no model file")
    refused(saved(tmp_path / "list.pth", [1, 2]), "found a list")
    refused(saved(tmp_path / "bare.pth", hollow), "no 'state_dict'", "'encoder.conv1.weight'")
    refused(saved(tmp_path / "odd.pth", {"state_dict": {"a": 3}}), "a is a int")


def test_weights_that_do_not_fit_are_named(tmp_path: Path, hollow: dict[str, torch.Tensor]) -> None:
    other = {f"x.{key}": value for key, value in hollow.items()}
    refused(
        saved(tmp_path / "names.pth", {"state_dict": other}),
        "names are missing (encoder.conv1.weight, ",
        "277 names are unknown (x.encoder.conv1.weight, ",
        " …)",
    )
    narrow = hollow | {"encoder.conv1.weight": torch.zeros(64, 1, 7, 7)}
    refused(
        saved(tmp_path / "shape.pth", {"state_dict": narrow}),
        "encoder.conv1.weight is (64, 1, 7, 7) instead of (64, 3, 7, 7)",
    )
    classes = hollow | {"segmentation_head.0.weight": torch.zeros(4, 256, 1, 1)}
    refused(saved(tmp_path / "classes.pth", {"state_dict": classes}), "tells 4 classes apart", "classes=1")
    damaged = hollow | {"encoder.bn1.weight": torch.full((64,), float("nan"))}
    refused(
        saved(tmp_path / "nan.pth", {"state_dict": damaged}), "encoder.bn1.weight holds values that are not"
    )


def test_batch_counters_may_be_absent(tmp_path: Path, hollow: dict[str, torch.Tensor]) -> None:
    old = {key: value for key, value in hollow.items() if not key.endswith("num_batches_tracked")}
    assert load_model(saved(tmp_path / "old.pth", {"state_dict": old})).channels == 3


def test_box_files_that_do_not_fit(tmp_path: Path) -> None:
    refused(box_file(tmp_path / "a.pt", version=4), "has version 4", "reads 1 to 3")
    refused(box_file(tmp_path / "b.pt", architecture={"depth": 3}), "'architecture', 'postprocess'")
    refused(box_file(tmp_path / "c.pt", postprocess={"magic": 3}), "threshold, min_area_fraction")


@pytest.mark.parametrize("step", [0, 16, 48, 1024, 96, "32", None])
def test_a_step_that_no_tile_can_have(tmp_path: Path, step: object) -> None:
    refused(box_file(tmp_path / "a.pt", step=step), "'step' must be a multiple of 32")
