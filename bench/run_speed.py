"""`bec run ldv1` against its two bounds, measured one after the other on the same pages.

    python bench/run_speed.py [--pages 200] [--from FOLDER]

Bounds: the network's forward pass alone over the same tiles (all cores, as the engine does it), and everything but
the network (read, decode, binarize, contours, lines, record) alone on all cores. The pages are FOLDER's (default:
the sample pages), repeated up to the number. The last figures are `bec run`'s own rate over the tighter of the two, and
over both in turn, which is what the cores can do when the two bounds compete for them.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from bec_core.archive import is_image_name
from bec_ldv1.network.engine import Engine
from bec_ldv1.network.setup import start_engine
from bec_ldv1.page.decode import decode
from bec_ldv1.page.detect import detect_page
from bec_ldv1.page.prepare import prepare
from bec_ldv1.page.tiles import cut
from bec_ldv1.record.make import page_record
from bec_ldv1.record.records import to_parquet


class Remembered:
    """An engine that knows the answers: what is left is everything but the network."""

    def __init__(self, engine: Engine) -> None:
        self.model, self.postprocess, self.preparation = engine.model, engine.postprocess, engine.preparation
        self._engine = engine
        self._answers: dict[bytes, np.ndarray] = {}

    def infer(self, ink):
        """The plane's probabilities, by the engine the first time."""
        key = ink[::37, ::41].tobytes()
        if key not in self._answers:
            self._answers[key] = self._engine.infer(ink)
        return self._answers[key]


def tiles_of(path, model):
    """The page's tiles."""
    return cut(prepare(decode(path.read_bytes()), model.preparation).ink, model.step)


def whole_page(path, engine):
    """The page's record, as the worker makes it."""
    return page_record(path.name, "0" * 32, detect_page(path.read_bytes(), engine))


def main() -> None:
    """Make the volume, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--from", dest="source", type=Path, default=Path(__file__).parents[1] / "samples")
    arguments = parser.parse_args()
    found = sorted(path for path in arguments.source.rglob("*") if is_image_name(path.name))
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o755)
        volume = Path(scratch) / "scans"
        volume.mkdir()
        pages = []
        for number, path in enumerate(islice(cycle(found), arguments.pages), 1):
            pages.append(volume / f"{number:04}{path.suffix}")
            shutil.copyfile(path, pages[-1])
        report(pages, Path(scratch))


def report(pages: list[Path], scratch: Path) -> None:
    """Measure the bounds and `bec run` on these pages."""
    cores = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(cores) as pool, start_engine() as engine:
        model = engine.model
        tiles = [tile for page in pool.map(lambda path: tiles_of(path, model), pages) for tile in page]
        engine.answers(tiles[: 8 * cores])
        began = time.perf_counter()
        engine.submit(tiles).result()
        forward = len(pages) / (time.perf_counter() - began)
        remembered = Remembered(engine)
        list(pool.map(lambda path: whole_page(path, remembered), pages))
        began = time.perf_counter()
        to_parquet(list(pool.map(lambda path: whole_page(path, remembered), pages)))
        rest = len(pages) / (time.perf_counter() - began)
    environment = {**os.environ, "BEC_HOME": str(scratch / "home")}
    command = [
        sys.executable,
        "-m",
        "bec_cli",
        "run",
        "ldv1",
        pages[0].parent,
        "--out",
        scratch / "out",
        "--no-report",
    ]
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=scratch)
    whole = time.perf_counter() - began
    rate = re.search(r"([\d.]+) pages/s$", done.stderr, re.MULTILINE)
    assert rate is not None, done.stderr
    run = float(rate[1])
    print(
        f"{len(pages)} pages, {len(tiles)} tiles, {cores} cores, load {os.getloadavg()[0]:.1f}, {model.precision}"
    )
    print(
        f"network alone            {forward:7.2f} pages/s  ({1000 * len(pages) / forward / len(tiles):.1f} ms a tile)"
    )
    print(f"everything else alone    {rest:7.2f} pages/s")
    print(f"bec run                  {run:7.2f} pages/s  ({whole:.1f} s from start to end)")
    print(f"share of tighter bound   {run / min(forward, rest):7.0%}")
    print(f"share of both in turn    {run * (1 / forward + 1 / rest):7.0%}  (they share the same cores)")


if __name__ == "__main__":
    main()
