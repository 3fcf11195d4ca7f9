"""Small models in the field's ONNX format that really read, and lines that they can read.

A line of such a writing has a black bar, a step wide, for each character; how high the bar stands says which one. The
graph measures each place's ink.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STEP, BAR = 8, 8
"""Pixels of a step along a line, and of a bar's height."""


def write_model(
    folder: Path,
    charset: str | Sequence[str],
    *,
    steps: int = 100,
    blank: bool = True,
    squeeze: bool = True,
    swap: bool = False,
    classes_last: bool = False,
    batch: int | str = "batch",
    sharpness: float = 20.0,
    drop: Sequence[str] = (),
    keys: Mapping[str, Any] | None = None,
) -> Path:
    """Write a model of ``charset``, with ``blank`` as one class more; ``keys`` and ``drop`` change its description."""
    folder.mkdir(parents=True, exist_ok=True)
    classes = len(charset) + blank
    height, width = classes * BAR, steps * STEP
    plane = ([width, height] if swap else [height, width]) if squeeze else None
    shape = [batch, *(plane or [1, *([width, height] if swap else [height, width])])]
    rows = [0, steps, STEP, classes, BAR] if swap else [0, classes, BAR, steps, STEP]
    turned = classes_last != swap  # with swapped sides the steps come first already
    nodes = [
        helper.make_node("Reshape", ["input", "rows"], ["cells"]),
        helper.make_node("ReduceMean", ["cells"], ["paper"], axes=[2, 4], keepdims=0),
        helper.make_node("Mul", ["paper", "factor"], ["ink"]),
        helper.make_node("Add", ["ink", "bias"], ["scores" if turned else "output"]),
    ]
    if turned:
        nodes.append(helper.make_node("Transpose", ["scores"], ["output"], perm=[0, 2, 1]))
    bias = np.zeros((1, classes) if swap else (classes, 1), np.float32)
    bias.flat[0] = sharpness / 2  # where there is no bar, it is the blank that is seen
    out = [batch, *((steps, classes) if classes_last else (classes, steps))]
    graph = helper.make_graph(
        nodes,
        "bars",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, out)],
        [
            numpy_helper.from_array(np.array(rows, np.int64), "rows"),
            numpy_helper.from_array(bias, "bias"),
            numpy_helper.from_array(np.array(-sharpness, np.float32), "factor"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    (folder / "OCRModel.onnx").write_bytes(model.SerializeToString())
    description: dict[str, Any] = {
        "checkpoint": "OCRModel.pth",
        "onnx-model": "OCRModel.onnx",
        "architecture": "Easter2",
        "input_width": width,
        "input_height": height,
        "input_layer": "input",
        "output_layer": "output",
        "squeeze_channel_dim": "yes" if squeeze else "no",
        "swap_hw": "yes" if swap else "no",
        "encoder": "wylie",
        "charset": charset if isinstance(charset, str) else list(charset),
        "add_blank": "yes" if blank else "no",
        "version": "2026_1_12_6_10",
        **(keys or {}),
    }
    for key in drop:
        del description[key]
    (folder / "model_config.json").write_text(json.dumps(description, ensure_ascii=False), encoding="utf-8")
    return folder


def written(text: Sequence[str], charset: str | Sequence[str], *, blank: bool = True) -> np.ndarray:
    """A line that a model of ``charset`` reads as ``text``, at the size at which the model scales nothing."""
    classes = len(charset) + blank
    line = np.full((classes * BAR, 2 * len(text) * STEP), 230, np.uint8)
    for place, character in enumerate(text):
        row = (list(charset).index(character) + blank) * BAR
        line[row : row + BAR, 2 * place * STEP : (2 * place + 1) * STEP] = 30
    return line
