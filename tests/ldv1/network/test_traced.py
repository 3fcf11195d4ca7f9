import numpy as np
import pytest
import torch
from torch.nn import functional

from bec_ldv1.network.box import STRIDE
from bec_ldv1.network.checkpoint import load_model
from bec_ldv1.network.deeplab import DeepLabV3Plus
from bec_ldv1.network.line_model import LineModel, Precision, place, traced
from bec_ldv1.page.contours import Postprocess


def box():
    model = load_model()
    assert model.step == STRIDE
    return model


def deeplab():
    torch.manual_seed(3)
    network = place(DeepLabV3Plus(), torch.device("cpu"), Precision.FLOAT32)
    return LineModel(network, 3, "deeplab", "00", Postprocess(), torch.device("cpu"), Precision.FLOAT32)


@pytest.mark.parametrize("make", [box, deeplab])
def test_the_graph_says_what_the_network_says_for_any_number_of_tiles_of_any_size_it_takes(make):
    model = make()
    graph = traced(model)
    rng = np.random.default_rng(5)
    small = {(model.step, 512), (512, min(512, 2 * model.step)), (model.step, model.step)} - {(512, 512)}
    for count, size in ((1, (512, 512)), (2, (512, 512)), (3, (512, 512)), *((1, size) for size in small)):
        tiles = np.where(rng.random((count, *size)) < 0.1, 0, 255).astype(np.uint8)
        np.testing.assert_allclose(graph.probabilities(tiles), model.probabilities(tiles), atol=0.02)


@pytest.mark.parametrize("size", [(512, 512), (288, 512), (32, 96)])
def test_a_network_of_cells_is_shown_what_pixel_unshuffle_gives_and_its_answers_are_enlarged(size):
    model, rng = box(), np.random.default_rng(6)
    tiles = rng.integers(0, 256, (2, *size), np.uint8)
    planes = torch.from_numpy(tiles).unsqueeze(1).to(model.precision.dtype) / 255
    cells = functional.pixel_unshuffle(planes, model.cell)
    shown = model.shown(tiles)
    torch.testing.assert_close(shown, cells, rtol=0, atol=0)
    assert shown.is_contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        logits = model.network(shown).float()
    whole = functional.interpolate(logits, scale_factor=4.0, mode="bilinear", align_corners=False)
    np.testing.assert_array_equal(model.probabilities(tiles), torch.sigmoid(whole)[:, 0].numpy())
    apart = tiles[:, :, ::-1][:, :, ::-1]  # strides of its own
    np.testing.assert_array_equal(model.probabilities(apart), model.probabilities(tiles))


@pytest.mark.parametrize("make", [box, deeplab])
def test_it_is_traced_by_one_tile_and_without_a_module_for_each_part(make, monkeypatch):
    model, seen, parts = make(), [], []
    model.network.register_forward_pre_hook(lambda _, given: seen.append(tuple(given[0].shape)))
    trace = torch.jit.trace

    def watched(network, *arguments, **keywords):
        parts.append(len(list(network.children())))
        return trace(network, *arguments, **keywords)

    monkeypatch.setattr(torch.jit, "trace", watched)
    traced(model)
    assert seen == [(1, model.inputs, 512 // model.cell, 512 // model.cell)]
    assert parts == [0]
