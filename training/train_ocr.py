"""Train the recogniser in the box: one seeded command that can be stopped and resumed."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import torch

from textlines import learn, shards
from textlines.network import Shape
from textlines.texts import ALPHABET, Corpus

ROOT = Path(__file__).resolve().parent


def main() -> None:
    """Render, train."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=16000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=ROOT / "cache" / "ocr")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    args.cache.mkdir(parents=True, exist_ok=True)
    plan = learn.Plan(steps=args.steps, seed=args.seed)
    path = args.out / "state.pt"
    state = (
        learn.State.load(path, plan) if path.exists() else learn.State.fresh(plan, Shape(len(ALPHABET) + 1))
    )
    first, last = learn.numbers_at(state.step)[0], learn.numbers_at(plan.steps - 1)[-1]
    producer = shards.start_producer(args.cache, args.text, args.seed, first, last)
    held = shards.place(args.cache, shards.HELD_OUT, args.seed)
    if not held.exists():
        shards.store(shards.make(shards.HELD_OUT, args.seed, Corpus.load(args.text), 160), held)
    kept = shards.load(held)
    pool = learn.Pool(lambda number: shards.wait_for(shards.place(args.cache, number, args.seed), producer))
    watched = {"rendered": (list(kept.lines), kept.labels)}
    learn.run(state, plan, pool, None, watched, args.out)


if __name__ == "__main__":
    main()
