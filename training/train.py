"""Train the model in the box on pages rendered here: one seeded command.

    python training/train.py --pages 12000 --steps 8500 --seed 1 --out box.pt

Renders the pages into a cache directory (kept for the next run), trains for the given number of steps with a cosine
schedule, writes the weights, and beside the cache a CSV and a PNG of loss and held-out F1.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import attrs
import cv2
import numpy as np
import torch
from torch.nn import functional

from bec_ldv1.network.box import BoxNet
from linepages.cache import NEAR, UNKNOWN, Crops, render_crops
from linepages.curve import draw_curve

ROOT = Path(__file__).resolve().parent
ARCHITECTURE: dict[str, object] = {"widths": [24, 48, 64, 96], "blocks": [0, 2, 2, 0], "reach": 15}
POSTPROCESS = {"threshold": 0.5, "min_area_fraction": 0.0003, "min_height_px": 6}
BETWEEN_WEIGHT = 3.0
HELD_OUT_SEED = 1_000_000_000
"""Held-out pages have seeds from here on, whatever seed trains."""


@attrs.frozen
class Options:
    """The command's arguments."""

    pages: int
    steps: int
    seed: int
    out: Path
    cache: Path
    processes: int
    threads: int
    batch: int
    rate: float


def parse() -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train the model in the box on rendered pages.")
    parser.add_argument("--pages", type=int, default=12000, help="pages to render (default 12000)")
    parser.add_argument("--steps", type=int, default=8500, help="steps to train (default 8500)")
    parser.add_argument("--seed", type=int, default=1, help="first page's seed and the training's")
    parser.add_argument("--out", type=Path, required=True, help="weights file to write")
    parser.add_argument("--cache", type=Path, default=ROOT / "cache", help="rendered pages and the curve")
    parser.add_argument("--processes", type=int, default=3, help="processes that render")
    parser.add_argument("--threads", type=int, default=3, help="threads that train")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--short", action="store_true", help="a try-out: 300 pages, 300 steps")
    args = parser.parse_args()
    if args.short:
        args.pages, args.steps = 300, 300
    return Options(**{field.name: getattr(args, field.name) for field in attrs.fields(Options)})


def load_crops(folder: Path, pages: int, seed: int, processes: int) -> Crops:
    """Render pages, or take them from the cache, into one array of crops."""
    started = time.monotonic()
    parts: list[Crops] = []
    for part in render_crops(folder, pages, seed, processes):
        parts.append(part)
        if len(parts) % 10 == 0:
            print(f"rendered {len(parts)} chunks in {time.monotonic() - started:.0f} s", flush=True)
    return Crops.joined(parts)


def augment(ink: np.ndarray, goal: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Vary a tile cheaply: mirrored, strokes heavier or thinner, specks."""
    if rng.random() < 0.3:
        ink, goal = np.ascontiguousarray(ink[:, ::-1]), goal[:, ::-1]
    draw = rng.random()
    if draw < 0.1:
        ink = cv2.dilate(ink, np.ones((2, 2), np.uint8))
    elif draw < 0.15:
        ink = cv2.erode(ink, np.ones((1, 2), np.uint8))
    if rng.random() < 0.2:
        specks = rng.integers(0, 512, (2, int(10 ** rng.uniform(1, 3.3))))
        ink[specks[0], specks[1]] = rng.random() < 0.7
    return ink, goal


def batch_of(
    crops: Crops, indices: np.ndarray, rng: np.random.Generator | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return a batch: planes (1 = paper), soft targets and weights at a quarter of the size."""
    pairs = [(np.unpackbits(crops.ink[index], axis=-1), crops.goals[index]) for index in indices]
    if rng is not None:
        pairs = [augment(ink, goal, rng) for ink, goal in pairs]
    planes = 1 - torch.from_numpy(np.stack([ink for ink, _ in pairs])).to(torch.bfloat16).unsqueeze(1)
    goals = torch.from_numpy(np.stack([goal for _, goal in pairs])).unsqueeze(1)
    target = (goals & 31).float() / 16
    weight = torch.where((goals & NEAR) > 0, BETWEEN_WEIGHT, 1.0).where((goals & UNKNOWN) == 0, 0.0)
    return planes, target, weight


def feed_of(
    crops: Crops, batch: int, rng: np.random.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Yield batches for ever, each pass in a new order; the next two are made by a thread meanwhile."""

    def orders() -> Iterator[np.ndarray]:
        while True:
            order = rng.permutation(len(crops))
            yield from (order[first : first + batch] for first in range(0, len(order) - batch + 1, batch))

    with ThreadPoolExecutor(1) as maker:
        waiting: deque[Future[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]] = deque()
        for indices in orders():
            waiting.append(maker.submit(batch_of, crops, indices, rng))
            if len(waiting) > 2:
                yield waiting.popleft().result()


def loss_of(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return weighted cross entropy plus the Dice loss, which doesn't drown short lines in paper."""
    entropy = functional.binary_cross_entropy_with_logits(logits, target, weight, reduction="sum")
    chance = torch.sigmoid(logits)
    both = (chance * target * weight).sum()
    dice = 1 - (2 * both + 1) / (((chance + target) * weight).sum() + 1)
    return entropy / weight.sum().clamp(min=1) + 0.3 * dice


@torch.no_grad()
def evaluate(model: BoxNet, crops: Crops, batch: int) -> tuple[float, float]:
    """Return loss and pixel F1 over held-out crops."""
    model.eval()
    total, hit, said, true = 0.0, 0.0, 0.0, 0.0
    for first in range(0, len(crops), batch):
        indices = np.arange(first, min(first + batch, len(crops)))
        planes, target, weight = batch_of(crops, indices, None)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model.coarse(planes.contiguous(memory_format=torch.channels_last)).float()
        total += float(loss_of(logits, target, weight)) * len(indices)
        line, wanted = (logits > 0) & (weight > 0), (target > 0.5) & (weight > 0)
        hit += float((line & wanted).sum())
        said, true = said + float(line.sum()), true + float(wanted.sum())
    model.train()
    return total / len(crops), 2 * hit / max(said + true, 1)


def save(model: BoxNet, path: Path) -> None:
    """Write the weights in half precision, in the form that the detector loads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        name: value.half() if value.is_floating_point() else value.clone()
        for name, value in model.state_dict().items()
    }
    content = {
        "format": "bec-box",
        "version": 1,
        "architecture": ARCHITECTURE,
        "state_dict": state,
        "postprocess": POSTPROCESS,
    }
    torch.save(content, path)


def train(options: Options, crops: Crops, held_out: Crops) -> None:
    """Train for the given steps; the rate rises for 3 % of them, then falls as a cosine."""
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    model = BoxNet(**ARCHITECTURE)  # type: ignore[arg-type]
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.rate, weight_decay=1e-2)
    started, mean = time.monotonic(), 0.0
    curve: list[dict[str, float]] = []
    check = max(options.steps // 25, 1)
    feed = feed_of(crops, options.batch, rng)
    for step in range(1, options.steps + 1):
        part = (step - 1) / options.steps
        rate = options.rate * min(part / 0.03 + 0.02, 1.0) * 0.5 * (1 + math.cos(math.pi * part))
        for group in optimizer.param_groups:
            group["lr"] = rate
        planes, target, weight = next(feed)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model.coarse(planes.contiguous(memory_format=torch.channels_last))
        loss = loss_of(logits.float(), target, weight)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        value = float(loss.detach())
        mean = value if step == 1 else 0.98 * mean + 0.02 * value
        if step % check == 0 or step in {1, options.steps}:
            _report(model, held_out, options, curve, step, time.monotonic() - started, mean)
    save(model, options.out)


def _report(
    model: BoxNet,
    held_out: Crops,
    options: Options,
    curve: list[dict[str, float]],
    step: int,
    elapsed: float,
    mean: float,
) -> None:
    """Print, and add to the curve's files, how training stands."""
    loss, score = evaluate(model, held_out, options.batch)
    row = {"minutes": elapsed / 60, "step": step, "loss": mean, "held_out_loss": loss, "held_out_f1": score}
    curve.append(row)
    print("  ".join(f"{key} {value:.4g}" for key, value in row.items()), flush=True)
    path = options.cache / f"curve-{options.out.stem}.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, row.keys())
        writer.writeheader()
        writer.writerows(curve)
    draw_curve(curve, path.with_suffix(".png"))
    save(model, options.out.with_suffix(".partial.pt"))


def main() -> None:
    """Render, train, write."""
    options = parse()
    crops = load_crops(options.cache, options.pages, options.seed, options.processes)
    held_out = load_crops(options.cache, max(options.pages // 40, 20), HELD_OUT_SEED, options.processes)
    torch.set_num_threads(options.threads)
    print(f"{len(crops)} crops to train on, {len(held_out)} held out", flush=True)
    train(options, crops, held_out)
    options.out.with_suffix(".partial.pt").unlink(missing_ok=True)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
