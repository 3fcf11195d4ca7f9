"""Five paths of our own code, each a function without arguments that does the same work whenever it is called.

What a path needs is made before it is counted. Those that speak with the database get a fresh one, of a real server
in another process: its instructions are not ours and are not counted.

    python -m measuring.paths PATH [DSN]     under Callgrind, as bench/instructions.py calls it
"""

from __future__ import annotations

import gc
import gzip
import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measuring.callgrind import Switch

Work = Callable[[], object]

SLOWER = "--slower"
"""Does the path's work twice over, so that a test sees the comparison fail."""


@contextmanager
def manifest(_: str) -> Iterator[Work]:
    """Parsing a manifest of 1,000 pages."""
    from bec_core.archive.manifest import parse_manifest

    entries = [{"filename": f"I0KG0001{n:04}.jpg", "width": 3600, "height": 900} for n in range(1000)]
    data = gzip.compress(json.dumps(entries).encode(), mtime=0)
    yield lambda: parse_manifest(data)


@contextmanager
def lines(_: str) -> Iterator[Work]:
    """Assembling the whole lines of a page of eight lines from a probability map."""
    from bec_ldv1.lines import LineSettings, assemble_page
    from measuring.pages import drawn

    ink = drawn(1024, 640, 8, 0)
    probabilities = _marked(ink)
    yield lambda: assemble_page(probabilities, ink, LineSettings())


@contextmanager
def records(_: str) -> Iterator[Work]:
    """Sixteen pages' records to a Parquet file."""
    from io import BytesIO

    from PIL import Image

    from bec_ldv1.page.contours import Postprocess
    from bec_ldv1.page.detect import detect_page
    from bec_ldv1.page.prepare import Preparation
    from bec_ldv1.record.make import page_record
    from bec_ldv1.record.records import to_parquet
    from measuring.pages import drawn

    class Marking:
        """Says line where strokes are near; no network is counted or needed."""

        postprocess, preparation = Postprocess(), Preparation()

        def infer(self, ink: Any) -> Any:
            """The probability of line of each pixel of the ink."""
            return _marked(ink)

    file = BytesIO()
    Image.fromarray(drawn(1024, 512, 6, 1)).save(file, "PNG")
    seen = detect_page(file.getvalue(), Marking())
    made = [page_record(f"{n:04}.png", f"{n:032x}", seen) for n in range(16)]
    assert made[0].details is not None
    assert made[0].details.lines, "the drawn page has no lines: nothing would be counted"
    yield lambda: to_parquet(made)


def _marked(ink: Any) -> Any:
    """A probability map: near 1 in the bands where strokes stand, near 0 elsewhere; float32, the ink's shape."""
    import cv2
    import numpy as np

    body = cv2.morphologyEx((255 - ink).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 41), np.uint8))
    soft = cv2.GaussianBlur(body.astype(np.float32) / 255, (0, 0), 2)
    return np.asarray(soft * np.float32(0.98), np.float32)


_NEVER_S = 1e6  # longer than anything takes that is counted


def _patient() -> None:
    """Under Callgrind all is some fifty times slower: nothing that is counted may be done because time has passed.

    No deadline of the database ends, no idle connection is asked whether it lives, psycopg doesn't look up ten times a
    second while it waits for an answer, and no thread takes the interpreter from one that works.
    """
    import psycopg

    from bec_core.db import connection
    from bec_core.db.deadlines import DEADLINES, Deadline

    for purpose in DEADLINES:
        DEADLINES[purpose] = Deadline(statement_s=0, lock_s=0, idle_s=0, answer_s=math.inf)
    connection._TRUST_S = _NEVER_S
    connection.CONNECT_S = 600
    _, timeout = psycopg.Connection.wait.__defaults__ or (None, None)
    psycopg.Connection.wait.__defaults__ = (3600.0, timeout)
    sys.setswitchinterval(_NEVER_S)


@contextmanager
def enqueue(dsn: str) -> Iterator[Work]:
    """Asking a job for 100 volumes that it was not asked for before."""
    from bec_core.admin.asking import ask
    from bec_core.admin.job_making import create_job
    from bec_core.admin.session import Session
    from bec_core.models import VolumeRef
    from bec_core.settings import load_settings

    _patient()
    host, user, database = (part.partition("=")[2] for part in dsn.split())
    calls = 0
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "BEC_SQL_HOST": host, "BEC_SQL_USER": user, "BEC_SQL_DATABASE": database, "BEC_QUEUE": "postgres",
            "BEC_SOURCE_URL": Path(folder).as_uri(), "BEC_DEST_URL": Path(folder).as_uri(), "BEC_HOME": folder,
        }  # fmt: skip
        with Session(load_settings(environment)) as session:
            job = create_job(session, name="counted", job_type="checksum").job

            def work() -> None:
                nonlocal calls
                calls += 1
                refs = [VolumeRef(f"W{calls}X{n // 20}", f"I{calls}X{n:05}") for n in range(100)]
                assert len(ask(session, job, refs).sent) == len(refs)

            yield work


@contextmanager
def task(dsn: str) -> Iterator[Work]:
    """Three volumes of one small page from the message in hand to its end: claim, artifact, marker, row, message."""
    from attrs import evolve

    from bec_core.db import Database
    from bec_core.queues import create_queues
    from bec_core.storage import open_store
    from bec_core.worker.alone import Gate
    from bec_core.worker.attempt import Attempt
    from bec_core.worker.ending import Done
    from bec_core.worker.settle import settle
    from bec_core.worker.turns import Turn
    from support.worker_lab import QUICK, Lab

    _patient()
    database = Database(dsn, timeout_s=_NEVER_S)
    database.open()
    calls = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "scans").mkdir()
        queues = create_queues("checksum", "postgres", database=database)
        store = open_store((folder / "out").as_uri())
        lab = Lab(database, queues.tasks, queues.dead_letters, store, folder / "scans")
        lab.ask(*[lab.volume(f"vol{n:05}", b"page") for n in range(3 * (_ROUNDS + 2))])
        calm = evolve(QUICK, lease_s=_NEVER_S, heartbeat_s=_NEVER_S)
        with lab.worker(calm) as worker:
            place = worker._place

            def work() -> None:
                nonlocal calls
                calls += 1
                for message in queues.tasks.receive(limit=3, wait_s=0.0, visibility_s=_NEVER_S):
                    ending = settle(place, message, Attempt(place, Gate(), message, Turn()).run())
                    assert isinstance(ending, Done), ending

            yield work
    database.close()


PATHS = {"task": task, "manifest": manifest, "enqueue": enqueue, "records": records, "lines": lines}
NEED_DATABASE = frozenset({"task", "enqueue"})

_ROUNDS = 3
"""So often a path is done before it is counted: by then what comes again and again is kept (a statement is prepared the
sixth time), and nobody counts what comes once."""


def main() -> None:
    """Prepare the path, do it unwatched, then once counted (twice as much if it is to be slower)."""
    from loguru import logger

    logger.remove()
    name, dsn, *rest = [*sys.argv[1:], ""]
    with PATHS[name](dsn) as work:
        for _ in range(_ROUNDS):
            work()
        gc.collect()
        gc.disable()
        Switch().counted((lambda: (work(), work())) if SLOWER in rest else work)


if __name__ == "__main__":
    main()
