"""Train the recogniser in the box: one seeded command, stopped and resumed at will.

    python training/train_ocr.py --text text.txt.gz --real train.jsonl --steps 15000 --out training/cache/ocr-run

Renders lines (a process of its own, ahead of the training), trains the finder of letters' bodies, then the line
network; what is done is kept in `--out` and in the cache, and the same command goes on from there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import attrs
import cv2
import numpy as np
import torch

from bec_ocrv1.box.prepare import Gray
from textlines import export, finder, learn, settings, shards
from textlines.counts import count
from textlines.network import Shape
from textlines.real import RealLines
from textlines.texts import ALPHABET, Corpus, folded, sprinkled

ROOT = Path(__file__).resolve().parent
HELD_OUT_LINES = 160
CHOOSING_LINES = 300
LEAST = (1, 1, 1, 1, 1, 2, 2)
"""How often an n-gram must occur to be kept in the language model, by its length."""
FINDER_CUTS = 1500

RARITIES = 0.01
"""Share of syllables after which the language model's text gets a number, a quotation mark, a mantra …"""


@attrs.frozen
class Options:
    """The command's arguments."""

    text: Path
    real: Path | None
    watch: Path | None
    steps: int
    seed: int
    out: Path
    cache: Path
    threads: int
    weights: Path | None
    start: Path | None


def parse() -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train the recogniser in the box on rendered lines.")
    parser.add_argument("--text", type=Path, required=True, help="plain text to render (may be gzipped)")
    parser.add_argument("--real", type=Path, help="real lines to train on too: JSON lines of image and text")
    parser.add_argument("--watch", type=Path, help="real lines that only the curve shows, by document")
    parser.add_argument("--steps", type=int, default=15000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="folder of the run: its state and its curve")
    parser.add_argument("--cache", type=Path, default=ROOT / "cache" / "ocr", help="rendered lines")
    parser.add_argument("--threads", type=int, default=1, help="threads that train")
    parser.add_argument("--weights", type=Path, help="where to write what the package reads with, at the end")
    parser.add_argument("--start", type=Path, help="a kept network to begin a new run with (state/ocr.pt)")
    args = parser.parse_args()
    return Options(**{field.name: getattr(args, field.name) for field in attrs.fields(Options)})


def body_finder(options: Options, corpus: Corpus) -> finder.RowFinder:
    """Train the finder of letters' bodies, or take it from the run's folder."""
    path = options.out / "finder.pt"
    if path.exists():
        net = finder.RowFinder()
        net.load_state_dict(torch.load(path, weights_only=True))
        return net
    rows, truths = finder.examples(corpus, options.seed, 0, FINDER_CUTS)
    net = finder.train_finder(rows, truths, options.seed)
    torch.save(net.state_dict(), path)
    return net


def held_out(options: Options, corpus: Corpus, number: int, size: int) -> shards.Shard:
    """Return rendered lines of the text that training never sees."""
    path = shards.place(options.cache, number, options.seed)
    if not path.exists():
        shards.store(shards.make(number, options.seed, corpus, size), path)
    return shards.load(path)


def write_weights(
    options: Options, corpus: Corpus, state: learn.State, net: finder.RowFinder, folder: Path
) -> None:
    """Count the language model, choose the decoder's settings, write the package's files."""
    # What the text hardly has (numbers, quotation marks, mantras) the model must not hold for impossible.
    words = sprinkled(corpus.words, np.random.default_rng([options.seed, 9]), RARITIES)
    model = count(folded("".join(words)), ALPHABET, LEAST)
    numbers = (shards.CHOOSING, shards.CHOOSING + 1)
    kept = [held_out(options, corpus, number, CHOOSING_LINES) for number in numbers]
    sets = [(settings.scores_of(state.mean, list(shard.lines)), shard.labels) for shard in kept]
    chosen, tried = settings.choose(sets, model)
    for (weight, bonus), (known, mixed) in tried.items():
        print(
            f"language model {weight}, bonus {bonus}: {known:.4f} on running text, {mixed:.4f} on all kinds"
        )
    export.write(folder, state.mean, net, model, chosen)
    state.keep(options.out / "network.pt")
    print(f"wrote {folder}: language model {chosen.weight}, bonus {chosen.bonus}")


def watched(
    options: Options, corpus: Corpus, net: finder.RowFinder
) -> dict[str, tuple[list[Gray], list[str]]]:
    """Return what the curve shows: rendered lines that are held out, and real ones by document."""
    kept = held_out(options, corpus, shards.HELD_OUT, HELD_OUT_LINES)
    sets = {"rendered": (list(kept.lines), kept.labels)}
    if options.watch is not None:
        for document in RealLines.documents(options.watch):
            real = RealLines.load(options.watch, net.numpy, document)
            sets[document] = (real.prepared(), real.texts)
    return sets


def state_of(options: Options, plan: learn.Plan) -> learn.State:
    """Return where the run stands: as it was stopped, or before its first step."""
    path = options.out / "state.pt"
    if path.exists():
        return learn.State.load(path, plan)
    if options.start is not None:
        return learn.State.begun(plan, options.start)
    return learn.State.fresh(plan, Shape(len(ALPHABET) + 1))


def main() -> None:
    """Train what is still to be trained."""
    options = parse()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    options.cache.mkdir(parents=True, exist_ok=True)
    plan = learn.Plan(steps=options.steps, seed=options.seed)
    state = state_of(options, plan)
    first, last = learn.numbers_at(state.step)[0], learn.numbers_at(max(plan.steps, 1) - 1)[-1]
    wanted = shards.Wanted(first)
    producer = shards.start_producer(options.cache, options.text, options.seed, wanted, last)
    corpus = Corpus.load(options.text)
    net = body_finder(options, corpus)
    real = RealLines.load(options.real, net.numpy) if options.real else None
    pool = learn.Pool(
        lambda number: wanted.fetch(shards.place(options.cache, number, options.seed), number, producer)
    )
    learn.run(state, plan, pool, real, watched(options, corpus, net), options.out)
    producer.terminate()
    if options.weights is not None:
        write_weights(options, corpus, state, net, options.weights)


if __name__ == "__main__":
    main()
