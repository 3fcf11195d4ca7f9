"""Batches out of crops, the loss, and how well a network does on crops held out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import attrs
import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from bec_ldv1.network.box import BoxNet
from bec_ldv1.page.scale import TILE
from linepages.cache import CELL, NEAR, UNKNOWN, Crops
from linepages.ink import Gray

BETWEEN_WEIGHT = 3.0
CUT_SMALLER = 0.3
"""Of the batches of trimmed tiles so many are cut to half their size at least, in steps."""
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Planes (1 is paper), soft targets and weights, the latter two at a quarter of the size."""


@attrs.frozen(eq=False)
class Wanted:
    """A batch to be made: its crops, the height and width that all get, and of what these are multiples."""

    indices: NDArray[np.int64]
    size: tuple[int, int]
    step: int


def augment(ink: Gray, goals: tuple[Gray, ...], rng: np.random.Generator) -> tuple[Gray, tuple[Gray, ...]]:
    """Vary a crop cheaply: mirrored, strokes heavier or thinner, specks."""
    if rng.random() < 0.3:
        ink, goals = np.ascontiguousarray(ink[:, ::-1]), tuple(goal[:, ::-1] for goal in goals)
    draw = rng.random()
    if draw < 0.1:
        ink = cv2.dilate(ink, np.ones((2, 2), np.uint8))
    elif draw < 0.15:
        ink = cv2.erode(ink, np.ones((1, 2), np.uint8))
    if rng.random() < 0.2:
        specks = rng.integers(0, TILE, (2, int(10 ** rng.uniform(1, 3.3))))
        specks = specks[:, (specks < np.array(ink.shape)[:, None]).all(axis=0)]
        ink[specks[0], specks[1]] = rng.random() < 0.7
    return ink, goals


def batch_of(
    crops: Crops, wanted: Wanted, rng: np.random.Generator | None, taught_share: float = 0.0
) -> Batch:
    """Return a batch of these crops, varied if there is a generator; else each crop's upper left part."""
    height, width = wanted.size
    inks: list[Gray] = []
    goals: list[Gray] = []
    taught: list[Gray] = []
    for index in wanted.indices:
        ink = np.unpackbits(crops.ink[index], axis=-1)
        answers: tuple[Gray, ...] = (
            (crops.goals[index],) if crops.taught is None else (crops.goals[index], crops.taught[index])
        )
        y, x = (0, 0) if rng is None else _corner(crops.held[index], wanted.size, wanted.step, rng)
        ink = np.ascontiguousarray(ink[y : y + height, x : x + width])
        answers = tuple(
            answer[y // CELL : (y + height) // CELL, x // CELL : (x + width) // CELL] for answer in answers
        )
        if rng is not None:
            ink, answers = augment(ink, answers, rng)
        inks.append(ink)
        goals.append(answers[0])
        taught += answers[1:]
    planes = 1 - torch.from_numpy(np.stack(inks)).to(torch.bfloat16).unsqueeze(1)
    goal = torch.from_numpy(np.stack(goals)).unsqueeze(1)
    target = (goal & 31).float() / 16
    if taught and taught_share:
        said = torch.from_numpy(np.stack(taught)).unsqueeze(1).float() / 255
        target = (1 - taught_share) * target + taught_share * said
    weight = torch.where((goal & NEAR) > 0, BETWEEN_WEIGHT, 1.0).where((goal & UNKNOWN) == 0, 0.0)
    return planes, target, weight


def shown(planes: torch.Tensor) -> torch.Tensor:
    """Planes `(N, 1, H, W)` as the network is shown them: their cells' pixels as channels, last in memory."""
    return functional.pixel_unshuffle(planes, CELL).contiguous(memory_format=torch.channels_last)


def _corner(
    held: NDArray[np.uint16], size: tuple[int, int], step: int, rng: np.random.Generator
) -> tuple[int, ...]:
    """Where in a tile a part of this size begins: half of them end where the page does, the others anywhere."""
    corner = []
    for most, part in zip(_trimmed(held, step), size, strict=True):
        spare = int(most) - part
        corner.append(spare if rng.random() < 0.5 else int(rng.integers(0, spare // CELL + 1)) * CELL)
    return tuple(corner)


def _trimmed(held: NDArray[np.uint16], step: int) -> NDArray[np.int64]:
    """The size of tiles that hold so much of a page."""
    return -(-held.astype(np.int64) // step) * step


def groups_of(crops: Crops, batch: int, step: int, rng: np.random.Generator) -> list[Wanted]:
    """One pass over crops in batches of one size.

    The crops come in random order; each batch has the size of the first that is left, and is filled with those that
    need the least cut off to be of that size; one that finds too few others is left out. Where tiles are trimmed
    (``step`` is less than a tile), some batches are cut smaller still, anywhere.
    """
    sizes = _trimmed(crops.held, step)
    left = rng.permutation(len(crops))
    groups = []
    while len(left):
        size = sizes[left[0]]
        fits = left[(sizes[left] >= size).all(axis=1)]
        chosen = fits[np.argsort(sizes[fits].prod(axis=1), kind="stable")[:batch]]
        if len(chosen) < batch:
            left = left[1:]
            continue
        left = left[~np.isin(left, chosen)]
        if step < TILE and rng.random() < CUT_SMALLER:
            size = size - step * rng.integers(0, size // (2 * step) + 1)
        groups.append(Wanted(chosen, (int(size[0]), int(size[1])), step))
    return groups


def batches_of(
    crops: Crops, batch: int, step: int, taught_share: float, seed: tuple[int, ...], first: int
) -> Iterator[Batch]:
    """One pass over crops in the seed's order, from batch ``first`` on; a thread makes the next two meanwhile."""
    groups = groups_of(crops, batch, step, np.random.default_rng(seed))
    waiting: deque[Future[Batch]] = deque()
    with ThreadPoolExecutor(1) as maker:
        for number in range(first, len(groups)):
            rng = np.random.default_rng((*seed, number))
            waiting.append(maker.submit(batch_of, crops, groups[number], rng, taught_share))
            if len(waiting) > 2:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def loss_of(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return weighted cross entropy plus the Dice loss, which doesn't drown short lines in paper."""
    entropy = functional.binary_cross_entropy_with_logits(logits, target, weight, reduction="sum")
    chance = torch.sigmoid(logits)
    both = (chance * target * weight).sum()
    dice = 1 - (2 * both + 1) / (((chance + target) * weight).sum() + 1)
    return entropy / weight.sum().clamp(min=1) + 0.3 * dice


@torch.no_grad()
def evaluate(model: BoxNet, crops: Crops, batch: int, step: int) -> tuple[float, float]:
    """Return loss and pixel F1 over held-out crops, against their true labels."""
    model.eval()
    total, hit, said, true = 0.0, 0.0, 0.0, 0.0
    sizes, kinds = np.unique(_trimmed(crops.held, step), axis=0, return_inverse=True)
    for kind, size in enumerate(sizes):
        alike = np.flatnonzero(kinds.ravel() == kind)
        for first in range(0, len(alike), batch):
            wanted = Wanted(alike[first : first + batch], (int(size[0]), int(size[1])), step)
            planes, target, weight = batch_of(crops, wanted, None)
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(shown(planes)).float()
            total += float(loss_of(logits, target, weight)) * len(wanted.indices)
            line, asked = (logits > 0) & (weight > 0), (target > 0.5) & (weight > 0)
            hit += float((line & asked).sum())
            said, true = said + float(line.sum()), true + float(asked.sum())
    model.train()
    return total / len(crops), 2 * hit / max(said + true, 1)
