"""From a training's state to the files that the package ships."""

from __future__ import annotations

import copy
import io
import json
import warnings
from pathlib import Path

import attrs
import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bec_ocrv1.box.body import FEATURES, ROWS
from bec_ocrv1.box.prepare import HEIGHT
from bec_ocrv1.box.recogniser import FINDER, LANGUAGE, NETWORK, SETTINGS, Settings
from bec_ocrv1.ctc import LanguageModel
from textlines.finder import RowFinder
from textlines.network import LineNet

OPSET = 17


def fused(net: LineNet) -> LineNet:
    """Return the network for reading, its norms folded into its convolutions."""
    net = copy.deepcopy(net).eval()
    for stage in (*net.front, net.fold):
        assert isinstance(stage, nn.Sequential)
        stage[0], stage[1] = fuse_conv_bn_eval(stage[0], stage[1]), nn.Identity()  # type: ignore[type-var]
    for block in net.blocks:
        block.along, block.norm = fuse_conv_bn_eval(block.along, block.norm), nn.Identity()  # type: ignore[type-var]
        block.mix, block.norm2 = fuse_conv_bn_eval(block.mix, block.norm2), nn.Identity()  # type: ignore[type-var]
    return net


def onnx_of(net: nn.Module, example: Tensor, name: str, axes: dict[int, str]) -> bytes:
    """Return a network in ONNX's form."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter by tracing is all that these networks need, and its files are small; torch prefers another now.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            net.eval(),
            (example,),
            buffer,
            input_names=[name],
            output_names=["out"],
            dynamic_axes={name: axes, "out": {0: "n", 1: "time"}},
            opset_version=OPSET,
            dynamo=False,
        )
    return halved(buffer.getvalue())


def halved(network: bytes) -> bytes:
    """Return an ONNX network with its large weights stored in half precision; it computes in single all the same."""
    model = onnx.load_model_from_string(network)
    casts = []
    for weights in model.graph.initializer:
        values = onnx.numpy_helper.to_array(weights)
        if values.dtype != np.float32 or values.size < 1000:
            continue
        name = weights.name
        weights.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def write(folder: Path, net: LineNet, finder: RowFinder, model: LanguageModel, settings: Settings) -> None:
    """Write all that the package reads with."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = fused(net).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    lines = onnx_of(plain, torch.zeros(1, 1, HEIGHT, 320), "lines", {0: "n", 3: "width"})
    (folder / NETWORK).write_bytes(lines)
    rows = onnx_of(finder, torch.zeros(2, FEATURES, ROWS), "rows", {0: "n"})
    (folder / FINDER).write_bytes(rows)
    with (folder / LANGUAGE).open("wb") as file:
        model.save(file)
    text = json.dumps(attrs.asdict(settings), ensure_ascii=False, indent=1)
    (folder / SETTINGS).write_text(text + "\n", encoding="utf-8")
