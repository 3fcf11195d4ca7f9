"""Against `segmentation_models_pytorch` 0.6.0 itself, run once: its keys and its logits for the same weights.

`golden/deeplab_logits.npy` holds its output [:, 0, 5::16, 7::16] for the weights and the input made here.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from bec_ldv1.network.deeplab import DeepLabV3Plus

GOLDEN = Path(__file__).parent / "golden"
SHAPES: dict[str, list[int]] = json.loads((GOLDEN / "deeplab_keys.json").read_text())


def seeded(key: str, shape: list[int]) -> torch.Tensor:
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    if key.endswith("num_batches_tracked"):
        return torch.tensor(0)
    if key.endswith("running_var"):
        values = rng.uniform(0.5, 1.5, shape)
    elif key.endswith(("running_mean", "bias")):
        values = rng.normal(0, 0.1, shape)
    elif len(shape) == 1:
        values = rng.uniform(0.1, 0.5, shape)
    else:
        values = rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape)
    return torch.from_numpy(values.astype(np.float32))


@pytest.fixture(scope="module")
def network() -> DeepLabV3Plus:
    network = DeepLabV3Plus().eval()
    network.load_state_dict({key: seeded(key, shape) for key, shape in SHAPES.items()})
    return network


def test_keys_and_shapes() -> None:
    state = DeepLabV3Plus().state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == SHAPES


def test_logits(network: DeepLabV3Plus) -> None:
    plane = np.random.default_rng(11).random((2, 1, 256, 512), dtype=np.float32) > 0.7
    tiles = torch.from_numpy(plane.astype(np.float32)).expand(-1, 3, -1, -1)
    with torch.inference_mode():
        logits = network(tiles).numpy()
    assert logits.shape == (2, 1, 256, 512)
    expected = np.load(GOLDEN / "deeplab_logits.npy")
    assert expected.std() > 0.01
    np.testing.assert_allclose(logits[:, 0, 5::16, 7::16], expected, atol=1e-4 * np.abs(expected).max())
