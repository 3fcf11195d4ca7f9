"""The small network that says where letters' bodies stand, and its training on rendered lines."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from bec_ocrv1.box.body import FEATURES, ROWS, WINDOW, Reals, row_features
from bec_ocrv1.box.prepare import stretched
from textlines.render import Case, render, trimmed
from textlines.shards import HELD_OUT
from textlines.texts import Corpus, Writer


class RowFinder(nn.Module):
    """Rows `(N, FEATURES, ROWS)` → top and bottom of the bodies as shares of the height, `(N, 2)`."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(FEATURES, width, 7, padding=3),
            nn.ReLU(),
            nn.Conv1d(width, width, 7, padding=6, dilation=2),
            nn.ReLU(),
            nn.Conv1d(width, width, 7, padding=12, dilation=4),
            nn.ReLU(),
            nn.Conv1d(width, width, 7, padding=24, dilation=8),
            nn.ReLU(),
            nn.Conv1d(width, 2, 7, padding=3),
        )
        # Where a row is says something too: lines are cut around their middle.
        self.place = nn.Parameter(torch.zeros(2, ROWS))
        self.register_buffer("centres", (torch.arange(ROWS) + 0.5) / ROWS)

    def scores(self, rows: Tensor) -> Tensor:
        """Return each row's score of being the top, and the bottom: `(N, 2, ROWS)`."""
        return self.layers(rows) + self.place  # type: ignore[no-any-return]

    def forward(self, rows: Tensor) -> Tensor:
        """Return tops and bottoms."""
        return (self.scores(rows).softmax(-1) * self.centres).sum(-1)

    def numpy(self, rows: Reals) -> Reals:
        """Return tops and bottoms of windows' rows."""
        with torch.no_grad():
            return np.asarray(self(torch.from_numpy(rows)).numpy(), np.float32)


def examples(
    corpus: Corpus, seed: int, number: int, cuts: int, *, held_out: bool = False
) -> tuple[Reals, Reals]:
    """Return rows of rendered windows, and the true shares."""
    rng = np.random.default_rng([seed, number, 3])
    writer, case = Writer(corpus, held_out=held_out), Case(rng, 16)
    rows, truths = [], []
    for _ in range(cuts):
        whole = render(writer, case, rng, level_only=True)
        for _ in range(2):
            cut = trimmed(whole, rng, 3.2, 3.8)
            plain = stretched(cut.image)
            height, width = plain.shape
            size = min(width, int(WINDOW * height * rng.uniform(0.6, 1.3)))
            first = int(rng.integers(0, width - size + 1))
            rows.append(row_features(plain, [(first, first + size)])[0])
            truths.append((cut.top / height, cut.bottom / height))
    return np.stack(rows), np.array(truths, np.float32)


def train_finder(rows: Reals, truths: Reals, seed: int, epochs: int = 40) -> RowFinder:
    """Return the trained network."""
    torch.manual_seed(seed)
    net = RowFinder()
    steps = epochs * (len(rows) // 64)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    data, wanted = torch.from_numpy(rows), torch.from_numpy(truths)
    generator = torch.Generator().manual_seed(seed)
    body = (wanted[:, 1] - wanted[:, 0]).clamp(min=0.05)
    for _ in range(epochs):
        order = torch.randperm(len(rows), generator=generator)
        for start in range(0, len(rows) - 63, 64):
            chosen = order[start : start + 64]
            off = (net(data[chosen]) - wanted[chosen]) / body[chosen, None]
            scores = net.scores(data[chosen]).log_softmax(-1)
            at = (wanted[chosen] * ROWS).long().clamp(0, ROWS - 1)
            sharp = -scores.gather(-1, at[..., None]).mean()
            loss = nn.functional.huber_loss(off, torch.zeros_like(off), delta=0.2) * 5 + 0.1 * sharp
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return net


def seed_of_held_out() -> int:
    """Return the number from which on windows are for judging."""
    return HELD_OUT
