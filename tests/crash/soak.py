#!/usr/bin/env python3
"""Soak: workers over thousands of small volumes, one of them killed with -9 every second, and everything counted.

    python tests/crash/soak.py [--volumes 5000] [--workers 4] [--kill-every 1.0] [--seed 1]

5 % of the volumes have a bad page; 1 % of the messages are malformed, 1 % ask for volumes without a manifest, and
10 % of the messages come twice. Exit status 0 only if everything is accounted for.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from loguru import logger

from bec_core.admin.asking import ask as ask_job
from bec_core.admin.job_making import create_job
from bec_core.artifacts import TaskFolder, intact
from bec_core.models import OutgoingMessage, VolumeRef, encode_message
from bec_core.testing.checksum_job import Trouble
from support.cli import install_checksum_plugin, write_archive_volume
from support.crash_lab import Cell, Shared, Worker, cell_of
from support.services import postgres_server


@dataclass
class Asked:
    """What a soak asks for."""

    good: list[VolumeRef]
    spotty: set[VolumeRef]
    missing: list[VolumeRef]
    malformed: int
    duplicates: int

    @property
    def messages(self) -> int:
        return len(self.good) + len(self.missing) + self.malformed + self.duplicates


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--volumes", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--kill-every", type=float, default=1.0, help="seconds")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    logger.remove()
    folder = Path(tempfile.mkdtemp(prefix="bec-soak-"))
    install_checksum_plugin(folder / "plugins")
    sys.path.insert(0, str(folder / "plugins"))
    with postgres_server() as server:
        shared = Shared(server, "http://127.0.0.1:9", folder / "plugins", folder)
        figures, problems = soak(
            shared, arguments.volumes, arguments.workers, arguments.kill_every, random.Random(arguments.seed)
        )
    for name, value in figures.items():
        print(f"{name:<34} {value}")
    for problem in problems:
        print(f"PROBLEM: {problem}")
    if problems:
        print(f"see {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if problems else 0


def soak(
    shared: Shared, volumes: int, workers: int, kill_every_s: float, chance: random.Random
) -> tuple[dict[str, object], list[str]]:
    """Run the soak; the counts, and everything that is not accounted for."""
    with cell_of(shared, "postgres", "file") as cell:
        cell.name = "soak"
        cell.job = create_job(
            cell.session,
            name="soak",
            job_type="checksum",
            config={"max_page_error_rate": 0.5, "page_ms": 10.0, "mapped": True},
        ).job
        asked = ask(cell, volumes, chance)
        started = time.monotonic()
        kills = kill_and_restart(cell, workers, kill_every_s, chance)
        took = time.monotonic() - started
        cell.recover()
        figures, problems = account(cell, asked)
    return {
        "volumes asked for": volumes,
        "messages sent": asked.messages,
        "workers killed with -9": kills,
        "seconds": f"{took:.0f}",
        **figures,
    }, problems


def ask(cell: Cell, volumes: int, chance: random.Random) -> Asked:
    """Lay the volumes out and send the messages, in no order."""
    every = [VolumeRef(f"W{n // 100}", f"I{n:06}") for n in range(volumes)]
    missing = every[:: max(1, volumes // max(1, volumes // 100))]
    good = [ref for ref in every if ref not in set(missing)]
    spotty = set(chance.sample(good, volumes // 20))
    archive = cell.folder / "archive"
    for ref in good:
        second = Trouble.BAD_PAGE.value if ref in spotty else b"second"
        write_archive_volume(archive, ref.w_id, ref.i_id, [str(ref).encode(), second])
    ask_job(cell.session, cell.job, chance.sample(every, volumes))
    queue = cell.session.queue(cell.job.queue_url)
    malformed, duplicates = volumes // 100, chance.sample(good, volumes // 10)
    assert queue.send([OutgoingMessage(f"garbage {n}") for n in range(malformed)]) == []
    assert queue.send([encode_message(ref) for ref in duplicates]) == []
    return Asked(good, spotty, missing, malformed, len(duplicates))


def kill_and_restart(cell: Cell, workers: int, every_s: float, chance: random.Random) -> int:
    """Keep so many workers running and kill one of them ever again, until the queue is empty; how many died."""
    running: list[Worker] = [cell.start() for _ in range(workers)]
    queue = cell.session.queue(cell.job.queue_url)
    kills = 0
    due = time.monotonic()
    while True:
        due += every_s
        time.sleep(max(0.0, due - time.monotonic()))
        stats = queue.stats()
        if stats.available + stats.in_flight + stats.delayed == 0:
            break
        if alive := [worker for worker in running if worker.process.poll() is None]:
            victim = chance.choice(alive)
            victim.process.kill()
            victim.process.wait()
            kills += 1
        for n, worker in enumerate(running):
            if worker.process.poll() is not None:
                worker.end()
                running[n] = cell.start()
    for worker in running:
        worker.end()
    return kills


def account(cell: Cell, asked: Asked) -> tuple[dict[str, object], list[str]]:
    """Count everything and compare it with what was asked for."""
    problems = []
    states = Counter(dict(cell.sql("SELECT state, count(*)::int FROM ledger GROUP BY state")))
    if states != Counter(done=len(asked.good), failed=len(asked.missing)):
        problems.append(f"the ledger's states are {dict(states)}")
    rows = Counter(dict(cell.sql("SELECT status::text, count(*)::int FROM task_executions GROUP BY status")))
    if rows != Counter(done=len(asked.good), terminal_failed=len(asked.missing)):
        problems.append(f"the rows' states are {dict(rows)}")
    listed = [info.key for info in cell.session.artifacts.list()]
    markers = [key for key in listed if key.endswith("/success.json")]
    if len(markers) != len(asked.good):
        problems.append(f"there are {len(markers)} markers for {len(asked.good)} volumes")
    with ThreadPoolExecutor(8) as pool:
        problems += [
            found for found in pool.map(lambda ref: check_volume(cell, ref, asked), asked.good) if found
        ]
    letters = Counter(letter.attributes.get("error_type", "(no reason)") for letter in cell.letters())
    for kind, least in (("InvalidMessage", asked.malformed), ("ManifestMissing", len(asked.missing))):
        if not least <= letters.pop(kind, 0) <= least + len(cell.workers):
            problems.append(f"the dead-letter queue does not account for every {kind}")
    if letters:
        problems.append(f"the dead-letter queue holds {dict(letters)} too")
    stats = cell.session.queue(cell.job.queue_url).stats()
    if stats.available + stats.in_flight + stats.delayed:
        problems.append(f"the queue is not empty: {stats}")
    (attempts,) = cell.sql(
        "SELECT sum(attempt)::int, max(attempt) FROM task_executions WHERE version IS NOT NULL"
    )
    litter = list((cell.folder / "artifacts").rglob(".bec-tmp-*"))
    return {
        "worker processes": len(cell.workers),
        "deliveries": sum(worker.steps.count("received") for worker in cell.workers),
        "claims (most of one task)": f"{attempts[0]} ({attempts[1]})",
        "ledger done / failed": f"{states['done']} / {states['failed']}",
        "markers, all match their artifacts": len(markers),
        "volumes with a bad page": len(asked.spotty),
        "malformed / missing / duplicates": f"{asked.malformed} / {len(asked.missing)} / {asked.duplicates}",
        "half-written files left": len(litter),
    }, problems


def check_volume(cell: Cell, ref: VolumeRef, asked: Asked) -> str | None:
    """What is wrong with a volume's artifacts, if anything."""
    folder = TaskFolder(cell.session.artifacts, cell.job.artifact_root, cell.session.sources.resolve(ref))
    marker = folder.marker()
    if marker is None or not intact(folder, marker):
        return f"{ref}: no marker, or one that lists other artifacts than lie there"
    if marker.content["nb_errors"] != int(ref in asked.spotty):
        return f"{ref}: the marker says {marker.content['nb_errors']} errors"
    return None


if __name__ == "__main__":
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    sys.exit(main())
