"""Rendered lines in files of a thousand, made ahead of training by a process of its own.

A file is a matter of its number, the seed and the renderer's code, so that a run that was stopped reads the same lines.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import time
from functools import cache
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import attrs
import cv2
import numpy as np

from bec_ocrv1.box import prepare
from bec_ocrv1.box.prepare import Gray
from textlines.render import EASY_WIDTH, WIDTH, Case, fitted, label_of, ready, render, trimmed
from textlines.texts import Corpus, Writer

SIZE = 1024
"""Lines per file."""
AHEAD = 4
"""Files that are rendered before they are needed."""
EASY = 2
"""The first files hold clean, short lines."""
HELD_OUT = 1_000_000
"""Numbers from here on say what training never sees: other seeds, and the text that is kept apart."""
CHOOSING = HELD_OUT + 1
"""The decoder's settings are chosen on this file, which says nothing but running text, of the language model's own
kind, and on the next, with the invented syllables and rare signs that speak against any language model."""


@attrs.frozen(eq=False)
class Shard:
    """Prepared lines of one width and their labels."""

    lines: Gray
    labels: list[str]


@cache
def fingerprint() -> str:
    """Return a short hash of the renderer's code and of the preparation's."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    paths = [here / name for name in ("faults.py", "render.py", "texts.py")]
    for path in [
        *paths,
        *(here.parent / "linepages" / name for name in ("fonts.py", "ink.py", "text.py", "paper.py")),
    ]:
        digest.update(path.read_bytes())
    digest.update(Path(prepare.__file__).read_bytes())
    return digest.hexdigest()[:12]


def make(number: int, seed: int, corpus: Corpus, size: int = SIZE) -> Shard:
    """Render one file's lines."""
    rng = np.random.default_rng([seed, number])
    easy = number < EASY
    writer, case = Writer(corpus, held_out=number >= HELD_OUT, text_only=number == CHOOSING), Case(rng)
    width = EASY_WIDTH if easy else WIDTH
    lines, labels = np.empty((size, prepare.HEIGHT, width), np.uint8), []
    while len(labels) < size:
        cut = render(writer, case, rng, easy=easy)
        label = label_of(cut.text)
        if not 1 <= len(label) <= width // 8:
            continue
        lines[len(labels)] = fitted(ready(trimmed(cut, rng), rng), width)
        labels.append(label)
    return Shard(lines, labels)


def place(folder: Path, number: int, seed: int) -> Path:
    """Return the file of a number."""
    return folder / f"lines-{fingerprint()}-{seed}-{number:07}.npz"


def store(shard: Shard, path: Path) -> None:
    """Write a file whole or not at all."""
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as file:
        np.savez(file, lines=shard.lines, labels=np.array(json.dumps(shard.labels)))
    partial.rename(path)


def load(path: Path) -> Shard:
    """Read a file."""
    with np.load(path) as stored:
        return Shard(stored["lines"], json.loads(str(stored["labels"])))


class Wanted:
    """Which file training waits for or has taken last: rendering stays a few ahead of it, and no more.

    Args:
        first: the first file that training needs.
    """

    def __init__(self, first: int) -> None:
        self.first = first
        self.number = multiprocessing.get_context("spawn").Value("q", first)

    def fetch(self, path: Path, number: int, producer: BaseProcess) -> Shard:
        """Return a file's lines as soon as it is there.

        Raises:
            RuntimeError: the process that renders has ended without it.
        """
        self.number.value = max(number, self.number.value)
        while not path.exists():
            if not producer.is_alive() and not path.exists():
                raise RuntimeError(f"rendering ended (status {producer.exitcode}) without {path.name}")
            time.sleep(0.2)
        return load(path)


def _produce(folder: str, text: str, seed: int, first: int, last: int, number: Any, parent: int) -> None:
    os.nice(19)
    cv2.setNumThreads(1)
    corpus = Corpus.load(Path(text))
    for made in range(first, last + 1):
        while made > number.value + AHEAD and os.getppid() == parent:
            time.sleep(1)
        if os.getppid() != parent:  # training was killed
            return
        path = place(Path(folder), made, seed)
        if not path.exists():
            store(make(made, seed, corpus), path)


def start_producer(folder: Path, text: Path, seed: int, wanted: Wanted, last: int) -> BaseProcess:
    """Render files up to `last` in another process, in order."""
    process = multiprocessing.get_context("spawn").Process(
        target=_produce,
        args=(str(folder), str(text), seed, wanted.first, last, wanted.number, os.getpid()),
        daemon=True,
    )
    process.start()
    return process
