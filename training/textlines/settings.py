"""Choosing how readings are decoded: on rendered lines that were held out, never on the sets that are reported."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt
import torch

from bec_ocrv1.box.prepare import Gray
from bec_ocrv1.box.recogniser import Settings
from bec_ocrv1.ctc import Decoder, LanguageModel
from textlines.learn import planes
from textlines.network import LineNet
from textlines.score import error_rate
from textlines.texts import ALPHABET

BEAM = 24
WEIGHTS = (0.2, 0.3, 0.4, 0.5)
BONUSES = (0.6, 0.9, 1.2, 1.5)

Scores = npt.NDArray[np.float32]


@torch.no_grad()
def scores_of(net: LineNet, lines: list[Gray]) -> list[Scores]:
    """Return the network's scores of lines."""
    return [np.asarray(net(planes(line[None]))[0].numpy(), np.float32) for line in lines]


def rate(scores: list[Scores], labels: list[str], decoder: Decoder) -> float:
    """Return the error rate of a decoder."""
    return error_rate((label, decoder.decode(one).text) for label, one in zip(labels, scores, strict=True))


def choose(
    sets: list[tuple[list[Scores], list[str]]], model: LanguageModel
) -> tuple[Settings, dict[tuple[float, float], list[float]]]:
    """Return the settings whose mean error rate over the sets is lowest, and all rates that were found.

    Args:
        sets: networks' scores of lines, and their labels.
        model: the language model that the beam uses.
    """
    tried = {
        (weight, bonus): [
            rate(scores, labels, Decoder(("", *ALPHABET), 0, BEAM, model, weight, bonus))
            for scores, labels in sets
        ]
        for weight, bonus in product(WEIGHTS, BONUSES)
    }
    weight, bonus = min(tried, key=lambda pair: sum(tried[pair]))
    return Settings(ALPHABET, BEAM, weight, bonus), tried
