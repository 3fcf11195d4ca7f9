"""The training loop: each step is a matter of the seed and its number, so that a stopped run goes on as if unbroken."""

from __future__ import annotations

import copy
import csv
import math
import time
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bec_ocrv1.box.prepare import Gray
from textlines import shards
from textlines.curve import draw_curve
from textlines.network import STEP, LineNet, Shape
from textlines.real import RealLines
from textlines.score import collapsed, error_rate
from textlines.texts import ALPHABET

POOL = 12
"""Files that a batch is drawn from."""
ROUND = 320
"""Steps until the next file joins them."""
EASY_STEPS = 600
REAL_EVERY = 4
REAL_BATCH = 4

_INDEX = {char: number for number, char in enumerate(ALPHABET, 1)}


@attrs.frozen
class Plan:
    """What a run is: the same plan and seed give the same steps."""

    steps: int
    seed: int
    batch: int = 16
    rate: float = 3e-3
    real_from: float = 0.2
    """Part of the steps after which real lines come in."""
    still_from: float = 0.6
    """Part of the steps after which the norms' statistics stand still."""


@attrs.define(eq=False)
class State:
    """Where a run stands."""

    net: LineNet
    mean: LineNet
    optimizer: torch.optim.Optimizer
    step: int = 0
    minutes: float = 0.0
    curve: list[dict[str, float]] = attrs.Factory(list)

    @classmethod
    def fresh(cls, plan: Plan, shape: Shape) -> State:
        """Return the state before the first step."""
        torch.manual_seed(plan.seed)
        net = LineNet(shape).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return cls(net, copy.deepcopy(net).eval(), _optimizer(net, plan))

    @classmethod
    def begun(cls, plan: Plan, path: Path) -> State:
        """Return the state before the first step of a run that starts with a kept network."""
        content = torch.load(path, weights_only=True)
        state = cls.fresh(plan, Shape.of(content["shape"]))
        for net in (state.net, state.mean):
            net.load_state_dict(content["net"])
        return state

    def keep(self, path: Path) -> None:
        """Write the mean network alone, in half precision, for `begun`."""
        net = {
            name: value.half() if value.is_floating_point() else value
            for name, value in self.mean.state_dict().items()
        }
        torch.save({"shape": attrs.asdict(self.mean.shape), "net": net}, path)

    def save(self, path: Path) -> None:
        """Write the state whole or not at all."""
        partial = path.with_suffix(".partial")
        torch.save(
            {
                "shape": attrs.asdict(self.net.shape),
                "net": self.net.state_dict(),
                "mean": self.mean.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "minutes": self.minutes,
                "curve": self.curve,
            },
            partial,
        )
        partial.replace(path)

    @classmethod
    def load(cls, path: Path, plan: Plan) -> State:
        """Read a state."""
        content = torch.load(path, weights_only=True)
        state = cls.fresh(plan, Shape.of(content["shape"]))
        state.net.load_state_dict(content["net"])
        state.mean.load_state_dict(content["mean"])
        state.optimizer.load_state_dict(content["optimizer"])
        state.step, state.minutes, state.curve = content["step"], content["minutes"], content["curve"]
        return state


def _optimizer(net: LineNet, plan: Plan) -> torch.optim.Optimizer:
    heavy = [p for p in net.parameters() if p.ndim > 1]
    light = [p for p in net.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": heavy, "weight_decay": 1e-2}, {"params": light, "weight_decay": 0.0}], lr=plan.rate
    )


def rate_at(plan: Plan, step: int) -> float:
    """Return the learning rate: rising for 2 % of the steps, then a cosine down to a hundredth."""
    part = step / plan.steps
    return (
        plan.rate
        * min(part / 0.02 + 0.02, 1.0)
        * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(part, 1.0))))
    )


def planes(lines: Gray) -> Tensor:
    """Return lines as the network takes them: ink 1, paper 0."""
    ink = torch.from_numpy(255 - lines).to(torch.float32).mul_(1 / 255).unsqueeze(1)
    return ink.contiguous(memory_format=torch.channels_last)


def varied(line: Gray, rng: np.random.Generator) -> Gray:
    """Return a line with what is cheap to vary: height, contrast, blots, lost spots."""
    shift = int(rng.integers(-2, 3))
    line = np.roll(line, shift, axis=0)
    if shift > 0:
        line[:shift] = 255
    elif shift < 0:
        line[shift:] = 255
    if rng.random() < 0.3:
        gain = float(rng.uniform(0.6, 1.6))
        line = np.clip(255 - (255 - line.astype(np.float32)) * gain, 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(0, 7)) if rng.random() < 0.4 else 0):
        y, x = int(rng.integers(0, line.shape[0])), int(rng.integers(0, line.shape[1]))
        h, w = rng.integers(1, 6, 2)
        line[y : y + h, x : x + w] = 255 if rng.random() < 0.7 else 0
    return line


def batch_at(
    plan: Plan, step: int, pool: Callable[[int], list[shards.Shard]], real: RealLines | None
) -> tuple[Tensor, list[str]]:
    """Return the lines and labels of a step."""
    rng = np.random.default_rng([plan.seed, 7, step])
    if real is not None and step >= plan.real_from * plan.steps and step % REAL_EVERY == 0:
        lines, labels = real.batch(rng, REAL_BATCH)
        return planes(np.stack([varied(line, rng) for line in lines])), labels
    sources = pool(step)
    count = plan.batch * (2 if step < EASY_STEPS else 1)
    drawn = [(int(rng.integers(len(sources))), int(rng.integers(shards.SIZE))) for _ in range(count)]
    lines = [varied(sources[k].lines[i % len(sources[k].labels)].copy(), rng) for k, i in drawn]
    return planes(np.stack(lines)), [sources[k].labels[i % len(sources[k].labels)] for k, i in drawn]


def numbers_at(step: int) -> range:
    """Return the numbers of the files that a step draws from."""
    if step < EASY_STEPS:
        return range(min(step * shards.EASY // EASY_STEPS + 1, shards.EASY))
    newest = shards.EASY + (step - EASY_STEPS) // ROUND
    return range(max(shards.EASY, newest - POOL + 1), newest + 1)


class Pool:
    """The files in memory that steps draw from."""

    def __init__(self, fetch: Callable[[int], shards.Shard]) -> None:
        self._fetch = fetch
        self._held: dict[int, shards.Shard] = {}

    def __call__(self, step: int) -> list[shards.Shard]:
        """Return the files of a step."""
        wanted = numbers_at(step)
        for number in [number for number in self._held if number not in wanted]:
            del self._held[number]
        for number in wanted:
            if number not in self._held:
                self._held[number] = self._fetch(number)
        return [self._held[number] for number in wanted]


def loss_of(logits: Tensor, labels: list[str]) -> Tensor:
    """Return the CTC loss per character of the labels."""
    targets = torch.tensor([_INDEX[char] for label in labels for char in label])
    lengths = torch.tensor([len(label) for label in labels])
    chances = logits.float().log_softmax(-1).transpose(0, 1)
    frames = torch.full((len(labels),), chances.shape[0])
    losses = functional.ctc_loss(chances, targets, frames, lengths, reduction="none", zero_infinity=True)
    return losses.sum() / lengths.sum()


def train_step(state: State, plan: Plan, lines: Tensor, labels: list[str]) -> float:
    """Take one step; return its loss."""
    for group in state.optimizer.param_groups:
        group["lr"] = rate_at(plan, state.step)
    torch.manual_seed(plan.seed * 1_000_003 + state.step)
    state.net.train()
    if state.step >= plan.still_from * plan.steps:
        for module in state.net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
    with torch.autocast("cpu", torch.bfloat16):
        logits = state.net(lines)
    loss = loss_of(logits, labels)
    state.optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.net.parameters(), 1.0)
    state.optimizer.step()
    state.step += 1
    _average(state)
    return float(loss.detach())


@torch.no_grad()
def _average(state: State) -> None:
    keep = min(0.999, (1 + state.step) / (10 + state.step))
    for mean, now in zip(state.mean.state_dict().values(), state.net.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(now, 1 - keep)
        else:
            mean.copy_(now)


@torch.no_grad()
def read(net: LineNet, lines: list[Gray]) -> list[str]:
    """Return the greedy readings of prepared lines, one at a time."""
    out = []
    for line in lines:
        wide = -(-line.shape[1] // (2 * STEP)) * 2 * STEP
        plain = np.pad(line, ((0, 0), (0, wide - line.shape[1])), constant_values=255)
        logits = net(planes(plain[None]))
        out.append(collapsed(logits[0].argmax(-1).numpy(), ALPHABET))
    return out


def run(
    state: State,
    plan: Plan,
    pool: Callable[[int], list[shards.Shard]],
    real: RealLines | None,
    watched: dict[str, tuple[list[Gray], list[str]]],
    folder: Path,
    *,
    check: int = 500,
    until: int | None = None,
) -> None:
    """Train from where the state stands to the plan's end (or `until`), saving it and the curve at every check."""
    started, mean = time.monotonic() - 60 * state.minutes, 0.0
    while state.step < (until or plan.steps):
        lines, labels = batch_at(plan, state.step, pool, real)
        value = train_step(state, plan, lines, labels)
        mean = value if mean == 0 else 0.98 * mean + 0.02 * value
        state.minutes = (time.monotonic() - started) / 60
        if state.step % check == 0 or state.step == plan.steps:
            row = {"step": float(state.step), "minutes": state.minutes, "loss": mean}
            for name, (images, truths) in watched.items():
                row[name] = error_rate(zip(truths, read(state.mean, images), strict=True))
            state.curve.append(row)
            shown = [f"{key} {value:.4g}" for key, value in row.items() if key != "step"]
            print("  ".join([f"step {state.step}", *shown]), flush=True)
            write_curve(state.curve, folder / "curve.csv")
            draw_curve(state.curve, folder / "curve.png")
            state.save(folder / "state.pt")
        elif state.step % 100 == 0:
            state.save(folder / "state.pt")
            print(f"step {state.step}  minutes {state.minutes:.1f}  loss {mean:.4f}", flush=True)


def write_curve(rows: list[dict[str, float]], path: Path) -> None:
    """Write the curve as CSV."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows([{key: f"{value:.5g}" for key, value in row.items()} for row in rows])
