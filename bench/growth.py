#!/usr/bin/env python3
"""Does anything grow? Volumes through one worker process; its memory, descriptors and threads after each tenth.

    python bench/growth.py [--volumes 1000] [--svg docs/growth.svg]

Each volume has four pages of 400 KB, every twentieth a bad one, every tenth message comes twice, and every fiftieth
task fails for good: whatever could be kept by mistake gets its chance. Exit status 1 if memory grew by more than 8 MiB
after the first fifth, or descriptors or threads grew at all.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import tempfile
from pathlib import Path

import attrs
import psutil
from loguru import logger

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from bec_core.archive.paths import volume_folder
from bec_core.db import Database
from bec_core.models import Volume, VolumeRef
from bec_core.queues import create_queues
from bec_core.storage import open_store
from bec_core.testing.checksum_job import Trouble
from bec_core.worker import WorkerObserver
from support.services import postgres_server
from support.worker_lab import QUICK, Lab

MOST_GROWTH_MIB = 8.0

Sample = tuple[int, float, int, int]
"""Volumes so far, memory in MiB, open descriptors, threads."""


class Watch(WorkerObserver):
    """Samples this process after every tenth volume."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self._finished = 0
        self._process = psutil.Process()

    def task_finished(self, volume: Volume, outcome: str, message: str = "") -> None:
        """See :class:`WorkerObserver`."""
        self._finished += 1
        if self._finished % 10 == 0:
            me = self._process
            memory = me.memory_info().rss / 2**20
            self.samples.append((self._finished, memory, me.num_fds(), me.num_threads()))


def main() -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--volumes", type=int, default=1000)
    parser.add_argument("--svg", type=Path)
    arguments = parser.parse_args()
    logger.remove()
    with postgres_server() as server, tempfile.TemporaryDirectory() as temporary:
        samples = run(Path(temporary), server.new_database("growth"), arguments.volumes)
    settled = samples[len(samples) // 5 :]
    memory = max(s[1] for s in settled[-10:]) - max(s[1] for s in settled[:10])
    descriptors = max(s[2] for s in settled[-10:]) - max(s[2] for s in settled[:10])
    threads = max(s[3] for s in settled[-10:]) - max(s[3] for s in settled[:10])
    first, last = settled[0], samples[-1]
    print(f"volumes      {last[0]} tasks ended")
    print(f"memory       {first[1]:.1f} MiB after {first[0]}, {last[1]:.1f} MiB at the end ({memory:+.1f})")
    print(f"descriptors  {first[2]} after {first[0]}, {last[2]} at the end ({descriptors:+d})")
    print(f"threads      {first[3]} after {first[0]}, {last[3]} at the end ({threads:+d})")
    if arguments.svg:
        arguments.svg.write_text(plot(samples))
    return 1 if memory > MOST_GROWTH_MIB or descriptors > 0 or threads > 0 else 0


def run(folder: Path, dsn: str, volumes: int) -> list[Sample]:
    """Lay the volumes out and work through them."""
    (folder / "scans").mkdir()
    refs = [VolumeRef("W1", f"I{n:05}") for n in range(volumes)]
    pages = {
        "fine": b"x" + os.urandom(400_000),
        "bad": Trouble.BAD_PAGE.value,
        "fatal": Trouble.TERMINAL.value,
    }
    for name, data in pages.items():
        (folder / name).write_bytes(data)
    for n, ref in enumerate(refs):
        lay_out(folder, ref, "fatal" if n % 50 == 49 else "bad" if n % 20 == 19 else "fine")
    database = Database(dsn)
    database.open()
    queues = create_queues("checksum", "postgres", database=database)
    store = open_store((folder / "out").as_uri())
    config = {"max_page_error_rate": 0.5}
    archive = (folder / "archive").as_uri()
    lab = Lab(database, queues.tasks, queues.dead_letters, store, folder / "scans", config, archive)
    lab.ask(*refs)
    lab.ask(*refs[::10])
    watch = Watch()
    lab.work(attrs.evolve(QUICK, until_drained=True, shutdown_after_empty=None), watch)
    database.close()
    return watch.samples


def lay_out(folder: Path, ref: VolumeRef, last: str) -> None:
    """A volume of four pages, which are links to a few files."""
    place = folder / "archive" / volume_folder(ref.w_id, ref.i_id)
    place.mkdir(parents=True)
    names = [f"{n:04}.jpg" for n in range(1, 5)]
    for name in names:
        (place / name).hardlink_to(folder / ("fine" if name != names[-1] else last))
    manifest = json.dumps([{"filename": name} for name in [*names, ref.i_id + ".txt"]])
    (place / "dimensions.json").write_bytes(gzip.compress(manifest.encode(), mtime=0))


def plot(samples: list[Sample]) -> str:
    """Memory and descriptors over volumes, as an SVG of 720 × 300 px."""
    most = max(sample[0] for sample in samples)
    top = 1.25 * max(sample[1] for sample in samples)

    def line(values: list[tuple[int, float]], colour: str) -> str:
        points = " ".join(f"{60 + 620 * x / most:.1f},{250 - 210 * y / top:.1f}" for x, y in values)
        return f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>'

    ticks = "".join(
        f'<text x="52" y="{254 - 210 * v / top:.0f}" text-anchor="end">{v}</text>'
        f'<line x1="60" x2="680" y1="{250 - 210 * v / top:.0f}" y2="{250 - 210 * v / top:.0f}" stroke="#ddd"/>'
        for v in range(0, int(top), 20)
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 300" font-family="sans-serif" font-size="12">
<rect width="720" height="300" fill="#fff"/>{ticks}
{line([(s[0], s[1]) for s in samples], "#1f6feb")}
{line([(s[0], s[2]) for s in samples], "#bf5b17")}
{line([(s[0], s[3]) for s in samples], "#3a7d34")}
<text x="60" y="272">0</text><text x="680" y="272" text-anchor="end">{most} tasks</text>
<text x="60" y="20" fill="#1f6feb">memory (RSS, MiB)</text><text x="220" y="20" fill="#bf5b17">open descriptors</text>
<text x="360" y="20" fill="#3a7d34">threads</text>
</svg>
"""


if __name__ == "__main__":
    sys.exit(main())
