"""By which runtime a network runs on a CPU: the config's, or the fastest of those that are installed and see the same.

The arithmetic is chosen before (`bec_ldv1.network.arithmetic`); in one arithmetic runtimes differ by rounding only. So
workers of one job may have different ones, and the choice is no part of the recipe.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

import torch
from loguru import logger

from bec_core import SettingsError
from bec_ldv1.network.by_openvino import by_openvino, is_installed
from bec_ldv1.network.checkpoint import Checkpoint
from bec_ldv1.network.line_model import LineModel, Precision, traced
from bec_ldv1.network.proof import Proof
from bec_ldv1.page.decode import Plane

Wanted = Literal["auto", "torch", "openvino"]

CLEARLY = 0.95
"""Torch is left for a runtime that takes no more than this share of its time: the rest is what measuring is off by."""

OFFERED = Precision.FLOAT32
"""The arithmetic in which OpenVINO passed the comparison (docs/performance.md)."""

_CPU = torch.device("cpu")
_ENOUGH_S = 0.2


def on_cpu(
    checkpoint: Checkpoint, precision: Precision, *, wanted: Wanted = "auto", passes: int = 1
) -> LineModel:
    """The model on the CPU, proved, and run by what is wanted.

    Args:
        checkpoint: of no use any more afterwards.
        precision: what to calculate in.
        wanted: the config's word.
        passes: how many threads will ask at the same time.

    Raises:
        SettingsError: OpenVINO is wanted, and is not installed, not offered or can't run the model; or the model
            sees something else than it should.
    """
    proof = Proof.shipped()
    if wanted == "openvino" and not is_installed():
        raise SettingsError(
            'the job\'s config says "runtime": "openvino", and OpenVINO is not installed here: '
            'pip install "bec-ldv1[openvino]"'
        )
    if wanted == "openvino" and precision is not OFFERED:
        raise SettingsError(
            f'the job\'s config says "runtime": "openvino", which is offered in {OFFERED} only (in others it changed '
            f'too many pages), and this worker is to calculate in {precision}: add "precision": "fp32"'
        )
    model = traced(checkpoint.on(_CPU, precision))
    proof.holds(model)
    if wanted == "torch" or precision is not OFFERED or not is_installed():
        return model
    try:
        other = by_openvino(model, precision, passes=passes)
        proof.agrees(other, model)
    except SettingsError as error:
        if wanted == "openvino":
            raise
        logger.warning("{}; torch runs it", error)
        return model
    return other if wanted == "openvino" else _faster(model, other, proof.ink)


def _faster(model: LineModel, other: LineModel, tile: Plane) -> LineModel:
    """The other one if it is clearly faster than the first."""
    mine, theirs = costs((model, other), tile)
    logger.info(
        "a tile costs {:.1f} ms of processor time by {}, {:.1f} ms by {}",
        1000 * mine, model.runtime, 1000 * theirs, other.runtime,
    )  # fmt: skip
    return other if theirs <= CLEARLY * mine else model


def costs(models: Sequence[LineModel], tile: Plane) -> list[float]:
    """Seconds of processor time that a tile costs each model at best, in turn; each has looked at a tile before."""
    best = [float("inf")] * len(models)
    until = time.process_time() + _ENOUGH_S
    while True:
        for number, model in enumerate(models):
            began = time.process_time()
            model.probabilities(tile[None])
            best[number] = min(best[number], time.process_time() - began)
        if time.process_time() >= until:
            return best
