"""What each way of running the network costs and changes: processor time, masks and lines, page by page.

    python bench/network_ways.py TRUTH.jsonl IMAGES [--ways padded,trimmed] [--against padded] [--first 0]
        [--pages 68] [--model-path FILE] [--precision float32]

The ways, held against the first that is named or against those that are asked for, a table for each:

    every-tile  the contract's tiles, each of them run, also where the page is white
    padded      white tiles are answered without running
    trimmed     the last tiles of a row or column hold no more than they must (not for contract checkpoints)
    as-shipped  as a worker runs the model with torch: its tiles are as its file says
    FILE.pt     another model, as its file says
    int8        trimmed, in 8 bits, by OpenVINO (`training/quantise.py` makes it, and says what to install)
    bfloat16    as shipped, in bfloat16
    openvino    as shipped, by OpenVINO in float32
    openvino-bfloat16

Every page goes through each way in turn, one page at a time and one tile at a time, so that all ways meet the same
machine. The network's time is the processor time (user and system) while it runs. A mask is what the first look at the
page finds more probable than the model's threshold; its IoU is over all pages. "Changed" are the pages on which another
number of lines is found than by the way that all are held against.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bec_ldv1.evaluation.detect import Seen
from bec_ldv1.evaluation.images import find_images
from bec_ldv1.evaluation.pages import PageLines
from bec_ldv1.evaluation.readers import read_pages
from bec_ldv1.evaluation.report import evaluate
from bec_ldv1.network.box import STRIDE
from bec_ldv1.network.by_openvino import by_openvino, openvino_module
from bec_ldv1.network.checkpoint import load_model
from bec_ldv1.network.line_model import LineModel, Precision, traced
from bec_ldv1.page.contours import Postprocess
from bec_ldv1.page.detect import detect_page
from bec_ldv1.page.prepare import Preparation
from bec_ldv1.page.scale import TILE
from bec_ldv1.page.tiles import PAPER, cut, join
from bec_ldv1.record.whole_lines import page_details

SO_FAR = 10
"""After so many pages the table is printed as it is by then."""

Plane = NDArray[np.uint8]
Probabilities = NDArray[np.float32]


@attrs.define(eq=False)
class Way:
    """A model run tile by tile, and what was seen meanwhile."""

    model: LineModel
    runs_white: bool = False
    seconds: float = 0.0
    tiles: int = 0
    found: list[PageLines] = attrs.Factory(list)
    looks: list[Probabilities] = attrs.Factory(list)
    blanks: dict[tuple[int, ...], Probabilities] = attrs.Factory(dict)

    @property
    def postprocess(self) -> Postprocess:
        """The model's."""
        return self.model.postprocess

    @property
    def preparation(self) -> Preparation:
        """The model's."""
        return self.model.preparation

    def infer(self, ink: Plane) -> Probabilities:
        """The plane's probabilities."""
        whole = join([self._tile(tile) for tile in cut(ink, self.model.step)], *ink.shape)
        self.looks.append(whole)
        return whole

    def _tile(self, tile: Plane) -> Probabilities:
        if not self.runs_white and tile.min() == PAPER:
            if tile.shape not in self.blanks:
                self.blanks[tile.shape] = self.model.probabilities(tile[None])[0]
            return self.blanks[tile.shape]
        self.tiles += 1
        began = time.process_time()
        (result,) = self.model.probabilities(tile[None])
        self.seconds += time.process_time() - began
        return result

    def page(self, truth: PageLines, data: bytes) -> Probabilities:
        """Detect a page; the first look's probabilities."""
        self.looks.clear()
        details = page_details(detect_page(data, self))
        lines = tuple(line.polygon for line in details.lines)
        self.found.append(Seen((details.width, details.height), lines, details.orientation or 1).on(truth))
        return self.looks[0]


def as_shipped(path: Path | None, precision: Precision) -> LineModel:
    """As a worker runs it with torch."""
    return traced(load_model(path, precision))


def openvino(path: Path | None, precision: Precision = Precision.FLOAT32) -> LineModel:
    """As a worker runs it with OpenVINO."""
    return by_openvino(as_shipped(path, Precision.FLOAT32), precision, passes=1)


class EightBit(nn.Module):
    """A quantised network of OpenVINO's, run by one thread."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        self._request = openvino_module().Core().compile_model(path, "CPU", settings).create_infer_request()

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Planes to logits."""
        (logits,) = self._request.infer({0: batch.contiguous().numpy()}).values()
        return torch.from_numpy(logits.copy())


def eight_bit(path: Path | None, quantised: Path) -> LineModel:
    """The model with its network in 8 bits."""
    return attrs.evolve(load_model(path, Precision.FLOAT32), network=EightBit(quantised), step=STRIDE)


def way_of(name: str, options: argparse.Namespace) -> Way:
    """The way of that name."""
    path = options.model_path
    match name:
        case "int8":
            return Way(eight_bit(path, options.int8))
        case "bfloat16":
            return Way(as_shipped(path, Precision.BFLOAT16))
        case "openvino":
            return Way(openvino(path))
        case "openvino-bfloat16":
            return Way(openvino(path, Precision.BFLOAT16))
        case _ if name.endswith(".pt"):
            return Way(as_shipped(Path(name), options.precision))
    model = as_shipped(path, options.precision)
    steps = {"every-tile": TILE, "padded": TILE, "trimmed": STRIDE, "as-shipped": model.step}
    return Way(attrs.evolve(model, step=steps[name]), runs_white=name == "every-tile")


def main() -> None:
    """Run all pages through all ways, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("truth", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--ways", default="every-tile,padded,trimmed", help="separated by commas")
    parser.add_argument("--against", help="one or more of these; default: the first")
    parser.add_argument("--first", type=int, default=0, help="leave out so many pages")
    parser.add_argument("--pages", type=int, help="only so many")
    parser.add_argument("--model-path", type=Path)
    parser.add_argument("--precision", type=Precision, default=Precision.FLOAT32, choices=list(Precision))
    parser.add_argument("--int8", type=Path, help="what training/quantise.py wrote; only for that way")
    options = parser.parse_args()
    torch.set_num_threads(1)
    truth = list(read_pages(options.truth))[options.first :][: options.pages]
    images = find_images(truth, options.images)
    ways = {name: way_of(name, options) for name in options.ways.split(",")}
    for way in ways.values():
        way.model.probabilities(np.zeros((1, TILE, TILE), np.uint8))  # what is prepared at the first call
    beside = {
        name: Beside(ways) for name in (options.against.split(",") if options.against else list(ways)[:1])
    }
    for number, page in enumerate(truth, 1):
        data = images[page.name].read()
        looks = {name: way.page(page, data) for name, way in ways.items()}
        for measure, one in beside.items():
            one.add(looks, looks[measure])
        if number % SO_FAR == 0 or number == len(truth):
            for measure, one in beside.items():
                print(f"against {measure}\n{table(ways, measure, truth[:number], one)}", flush=True)


class Beside:
    """How the masks of all ways lie beside those of one."""

    def __init__(self, ways: dict[str, Way]) -> None:
        self._thresholds = {name: way.postprocess.threshold for name, way in ways.items()}
        self._common, self._joint = (dict.fromkeys(ways, 0) for _ in range(2))
        self.farthest = dict.fromkeys(ways, 0.0)

    def add(self, looks: dict[str, Probabilities], measure: Probabilities) -> None:
        """A page's first looks."""
        for name, seen in looks.items():
            mask, theirs = (look > self._thresholds[name] for look in (seen, measure))
            self._common[name] += int((mask & theirs).sum())
            self._joint[name] += int((mask | theirs).sum())
            self.farthest[name] = max(self.farthest[name], float(np.abs(seen - measure).max()))

    def iou(self, name: str) -> float:
        """Of a way's masks, over all pages."""
        return self._common[name] / max(1, self._joint[name])


def table(ways: dict[str, Way], measure: str, truth: list[PageLines], beside: Beside) -> str:
    """The table for the pages that were done."""
    rows = [
        "| way | tiles run | ms a tile | network, ms a page | mask IoU | farthest | changed | exact line count | F1 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, way in ways.items():
        pairs = list(zip(ways[measure].found, way.found, strict=True))
        changed = [mine.name for theirs, mine in pairs if len(mine.regions) != len(theirs.regions)]
        score = next(score for score in evaluate(way.found, truth).sets if score.name == "all")
        f1 = "–" if score.f1 is None else f"{score.f1:.4f}"
        rows.append(
            f"| {name} | {way.tiles} | {1000 * way.seconds / max(1, way.tiles):.1f} "
            f"| {1000 * way.seconds / len(truth):.1f} | {beside.iou(name):.4f} | {beside.farthest[name]:.3f} "
            f"| {len(changed)} of {len(truth)} {', '.join(changed)} "
            f"| {100 * (score.exact_share or 0):.1f} % | {f1} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    main()
