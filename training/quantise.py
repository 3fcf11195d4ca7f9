"""Make an 8-bit form of the model in the box for OpenVINO, to measure it: weights and activations, by rendered pages.

    pip install -c constraints.txt nncf openvino
    python training/render_pages.py --pages 40 --seed 2400000000 --out calibration
    python training/quantise.py calibration --out box-int8.xml
    python bench/network_ways.py TRUTH.jsonl IMAGES --ways trimmed,int8 --int8 box-int8.xml

The ranges of the activations are those on the tiles of the pages in the folder (post-training quantisation with bias
correction, NNCF). The last convolution stays in float32: a probability is made of one sum. Weights use 7 of the 8
bits, so that processors without VNNI, which add products in 16 bits, get the same sums as others.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nncf
import openvino
import torch

from bec_ldv1.network.checkpoint import load_model
from bec_ldv1.network.line_model import Precision
from bec_ldv1.page.decode import decode
from bec_ldv1.page.prepare import prepare
from bec_ldv1.page.scale import TILE
from bec_ldv1.page.tiles import PAPER, cut


def main() -> None:
    """Quantise and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", type=Path, help="a folder of page images")
    parser.add_argument("--model-path", type=Path, help="default: the model in the box")
    parser.add_argument(
        "--out", type=Path, required=True, help="an .xml file; its weights go beside it (.bin)"
    )
    options = parser.parse_args()
    model = load_model(options.model_path, Precision.FLOAT32)
    planes = [
        prepare(decode(path.read_bytes()), model.preparation).ink
        for path in sorted(options.pages.glob("*"))
        if path.suffix in {".jpg", ".png", ".tif"}
    ]
    tiles = [tile for plane in planes for tile in cut(plane, model.step) if tile.min() < PAPER]
    example = torch.zeros(1, model.inputs, TILE // model.cell, TILE // model.cell)
    floats = openvino.convert_model(model.network, example_input=example, input=[-1, model.inputs, -1, -1])
    last = [op.get_friendly_name() for op in floats.get_ordered_ops() if op.get_type_name() == "Convolution"][
        -1
    ]
    quantised = nncf.quantize(
        floats,
        nncf.Dataset(tiles, lambda tile: model.shown(tile[None]).contiguous().numpy()),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(tiles),
        ignored_scope=nncf.IgnoredScope(names=[last]),
        advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
    )
    openvino.save_model(quantised, options.out, compress_to_fp16=False)
    print(f"{len(tiles)} tiles of {len(planes)} pages -> {options.out}")


if __name__ == "__main__":
    main()
