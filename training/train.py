"""Train the model in the box on pages rendered here: one seeded command, that goes on where it was stopped.

    python training/train.py --pages 12000 --seed 1 --out training/cache/box-run --weights box.pt [--start box.pt]

Renders pages in shards of four hundred, in processes of their own a little ahead of the training, and trains on shard
after shard, with a rate that rises for 3 % of the steps and then falls as a cosine. Every 50 steps the run's state goes
into --out (state.pt: weights, optimizer, position); the same command goes on from there. Beside it lie a CSV
and a PNG of loss and held-out F1, and at every row of them the weights as they stand.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import torch

from bec_ldv1.network.box import STRIDE, BoxNet
from bec_ldv1.network.checkpoint import BOX_FORMAT, BOX_VERSION
from bec_ldv1.page.scale import TILE
from linepages.cache import CHUNK, Crops, render_crops
from linepages.curve import draw_curve
from linepages.learn import batches_of, evaluate, loss_of, shown
from linepages.page import PREPARATION
from linepages.prune import pruned
from linepages.teacher import Teacher

ROOT = Path(__file__).resolve().parent
REACH = 15
POSTPROCESS = {"threshold": 0.5, "min_area_fraction": 0.0003, "min_height_px": 6}
HELD_OUT_SEED = 1_000_000_000
"""Held-out pages have seeds from here on, whatever seed trains."""

SHARD = 10 * CHUNK
NORM_MOMENTUM = 0.01
"""A batch of small tiles, mostly paper, must not count for much in what batch norms take for usual."""

KEPT_EVERY = 50
CHECKED_EVERY = 150
STEPS_PER_PAGE = 0.29
"""Pages give some 4.7 crops: a step takes 16 of them, and a shard's last few are left."""


@attrs.frozen
class Options:
    """The command's arguments."""

    pages: int
    seed: int
    out: Path
    weights: Path
    start: Path | None
    cache: Path
    processes: int
    threads: int
    batch: int
    rate: float
    held_out: int
    keep: float
    widths: list[int]
    blocks: list[int]
    step: int
    epochs: int
    teacher: Path | None
    teacher_share: float

    @property
    def architecture(self) -> dict[str, Any]:
        """What `BoxNet` is made by."""
        return {"widths": self.widths, "blocks": self.blocks, "reach": REACH}

    @property
    def shards(self) -> int:
        """How many shards all the pages are."""
        return math.ceil(self.pages / SHARD)


def numbers(text: str) -> list[int]:
    """Whole numbers between commas."""
    return [int(part) for part in text.split(",")]


def parse() -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=12000, help="pages to render and train on")
    parser.add_argument("--epochs", type=int, default=1, help="how often each of them is trained on")
    parser.add_argument("--seed", type=int, default=1, help="first page's seed and the training's")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run's state and curve")
    parser.add_argument("--weights", type=Path, required=True, help="weights file to write at the end")
    parser.add_argument(
        "--widths",
        type=numbers,
        default=[24, 48, 64, 96],
        help="channels at 1/4, 1/8, 1/16 and 1/32 of the page",
    )
    parser.add_argument(
        "--blocks", type=numbers, default=[0, 2, 2, 0], help="residual blocks at each of these"
    )
    parser.add_argument(
        "--step",
        type=int,
        default=STRIDE,
        help=f"a page's last tiles are padded to multiples of so many pixels; {TILE}: to whole tiles",
    )
    parser.add_argument(
        "--start",
        type=Path,
        help="begin with the weights of this file instead of new: the channels that count most and the first blocks",
    )
    parser.add_argument("--teacher", type=Path, help="weights of a network whose answers are goals, too")
    parser.add_argument(
        "--teacher-share",
        type=float,
        default=0.5,
        help="the teacher's share in the goals; the rest are labels",
    )
    parser.add_argument("--cache", type=Path, default=ROOT / "cache", help="rendered pages")
    parser.add_argument("--processes", type=int, default=1, help="processes that render")
    parser.add_argument("--threads", type=int, default=1, help="threads that train")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument(
        "--keep",
        type=float,
        default=0.0,
        help="share of --start's weights in what is written: averaging keeps what the new pages would make it forget",
    )
    parser.add_argument("--held-out", type=int, default=300, help="pages to judge the curve by")
    args = parser.parse_args()
    return Options(**{field.name: getattr(args, field.name) for field in attrs.fields(Options)})


def crops_of(options: Options, seed: int, pages: int) -> Iterator[Crops]:
    """The crops of pages by chunks, with the teacher's answers if there is one."""
    teacher = options.teacher and Teacher(options.teacher, options.cache)
    for part in render_crops(options.cache, pages, seed, options.processes):
        yield attrs.evolve(part, taught=teacher.answers(part)) if teacher else part


def shards(options: Options, first: int) -> Iterator[tuple[int, Crops]]:
    """The crops of each four hundred pages with its number, from number ``first`` on, epoch after epoch."""
    number = first
    while number < options.epochs * options.shards:
        begin = number % options.shards * SHARD
        parts: list[Crops] = []
        for part in crops_of(options, options.seed + begin, options.pages - begin):
            parts.append(part)
            if len(parts) * CHUNK >= SHARD:
                yield number, Crops.joined(parts)
                number, parts = number + 1, []
        if parts:
            yield number, Crops.joined(parts)
            number += 1


def started(path: Path) -> BoxNet:
    """A network with the weights of a file of this training."""
    content = torch.load(path, weights_only=True)
    model = BoxNet(**content["architecture"])
    model.load_state_dict({name: value.float() for name, value in content["state_dict"].items()})
    return model


class Run:
    """A training that can be stopped at any moment: its network, optimizer and place."""

    def __init__(self, options: Options) -> None:
        self.options = options
        torch.manual_seed(options.seed)
        model = BoxNet(**options.architecture)
        if options.start is not None:
            model = pruned(started(options.start), model)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = NORM_MOMENTUM
        self.model: BoxNet = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=options.rate, weight_decay=1e-2)
        self.step, self.shard, self.batch, self.minutes, self.mean = 0, 0, 0, 0.0, 0.0
        self.curve: list[dict[str, float]] = []
        options.out.mkdir(parents=True, exist_ok=True)
        self._state = options.out / "state.pt"
        if self._state.exists():
            self._load(torch.load(self._state, weights_only=True))

    def _load(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for name in ("step", "shard", "batch", "minutes", "mean", "curve"):
            setattr(self, name, state[name])

    def keep(self) -> None:
        """Write the state."""
        partial = self._state.with_suffix(".partial")
        place = {name: getattr(self, name) for name in ("step", "shard", "batch", "minutes", "mean", "curve")}
        torch.save(
            {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), **place}, partial
        )
        partial.replace(self._state)

    def learn(self, crops: Crops, held_out: Crops) -> None:
        """Train on the rest of a shard."""
        options, began = self.options, time.monotonic()
        steps = max(round(options.epochs * options.pages * STEPS_PER_PAGE), 1)
        place = (options.seed, self.shard)
        for planes, target, weight in batches_of(
            crops, options.batch, options.step, options.teacher_share, place, self.batch
        ):
            part = min(self.step / steps, 1.0)
            rate = options.rate * min(part / 0.03 + 0.02, 1.0) * (0.5 * (1 + math.cos(math.pi * part)) + 1e-3)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            with torch.autocast("cpu", torch.bfloat16):
                logits = self.model(shown(planes))
            loss = loss_of(logits.float(), target, weight)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            value = float(loss.detach())
            self.mean = value if self.step == 0 else 0.98 * self.mean + 0.02 * value
            self.step, self.batch = self.step + 1, self.batch + 1
            self.minutes, began = self.minutes + (time.monotonic() - began) / 60, time.monotonic()
            if self.step % CHECKED_EVERY == 0 or self.step == 1:
                self.report(held_out)
            if self.step % KEPT_EVERY == 0:
                self.keep()
        self.shard, self.batch = self.shard + 1, 0
        self.keep()

    def report(self, held_out: Crops) -> None:
        """Print, and add to the curve's files, how training stands."""
        loss, score = evaluate(self.model, held_out, self.options.batch, self.options.step)
        row = {
            "minutes": self.minutes,
            "step": self.step,
            "loss": self.mean,
            "held_out_loss": loss,
            "held_out_f1": score,
        }
        self.curve.append(row)
        print("  ".join(f"{key} {value:.4g}" for key, value in row.items()), flush=True)
        path = self.options.out / "curve.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, row.keys())
            writer.writeheader()
            writer.writerows(self.curve)
        draw_curve(self.curve, path.with_suffix(".png"))
        save(self.model, self.options, self.options.out / "now.pt")


def save(model: BoxNet, options: Options, path: Path) -> None:
    """Write the weights in half precision, in the form that the detector loads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        name: value.half() if value.is_floating_point() else value.clone()
        for name, value in model.state_dict().items()
    }
    content = {
        "format": BOX_FORMAT,
        "version": BOX_VERSION,
        "architecture": options.architecture,
        "state_dict": state,
        "postprocess": POSTPROCESS,
        "preparation": attrs.asdict(PREPARATION),
        "step": options.step,
    }
    torch.save(content, path)


def averaged(model: BoxNet, options: Options) -> BoxNet:
    """The network, averaged weight by weight with the one it began as (Wortsman et al. 2022, WiSE-FT)."""
    if options.start is None or not options.keep:
        return model
    result = pruned(started(options.start), BoxNet(**options.architecture))
    before, now = result.state_dict(), model.state_dict()
    mean = {
        name: options.keep * before[name] + (1 - options.keep) * value if value.is_floating_point() else value
        for name, value in now.items()
    }
    result.load_state_dict(mean)
    return result


def main() -> None:
    """Render, train, write."""
    options = parse()
    torch.set_num_threads(options.threads)
    run = Run(options)
    held_out = Crops.joined(
        list(render_crops(options.cache, options.held_out, HELD_OUT_SEED, options.processes))
    )
    print(f"{len(held_out)} crops held out; going on at step {run.step}", flush=True)
    for number, crops in shards(options, run.shard):
        print(f"shard {number}: {len(crops)} crops", flush=True)
        run.learn(crops, held_out)
    run.report(held_out)
    save(averaged(run.model, options), options, options.weights)
    print(f"wrote {options.weights}")


if __name__ == "__main__":
    main()
