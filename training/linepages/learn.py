"""Batches out of crops, the loss, and how well a network does on crops held out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import cv2
import numpy as np
import torch
from torch.nn import functional

from bec_ldv1.network.box import BoxNet
from linepages.cache import NEAR, UNKNOWN, Crops

BETWEEN_WEIGHT = 3.0
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Planes (1 is paper), soft targets and weights, the latter two at a quarter of the size."""


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


def batch_of(crops: Crops, indices: np.ndarray, rng: np.random.Generator | None) -> Batch:
    """Return a batch of these crops, varied if there is a generator."""
    pairs = [(np.unpackbits(crops.ink[index], axis=-1), crops.goals[index]) for index in indices]
    if rng is not None:
        pairs = [augment(ink, goal, rng) for ink, goal in pairs]
    planes = 1 - torch.from_numpy(np.stack([ink for ink, _ in pairs])).to(torch.bfloat16).unsqueeze(1)
    goals = torch.from_numpy(np.stack([goal for _, goal in pairs])).unsqueeze(1)
    target = (goals & 31).float() / 16
    weight = torch.where((goals & NEAR) > 0, BETWEEN_WEIGHT, 1.0).where((goals & UNKNOWN) == 0, 0.0)
    return planes, target, weight


def batches_of(crops: Crops, batch: int, seed: tuple[int, ...], first: int) -> Iterator[Batch]:
    """One pass over crops in the seed's order, from batch ``first`` on; a thread makes the next two meanwhile."""
    order = np.random.default_rng(seed).permutation(len(crops))
    waiting: deque[Future[Batch]] = deque()
    with ThreadPoolExecutor(1) as maker:
        for number in range(first, len(order) // batch):
            indices = order[number * batch : (number + 1) * batch]
            waiting.append(maker.submit(batch_of, crops, indices, np.random.default_rng((*seed, number))))
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
