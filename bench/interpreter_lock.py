"""How much of a page's processor time its thread holds the interpreter's lock: what bounds threads on many cores.

    python bench/interpreter_lock.py [--from FOLDER] [--distinct 12] [--seconds 30]      needs py-spy (pip install)
    python bench/interpreter_lock.py --job ocrv1 …       of recognition, with its network and decoder

One thread carries pages from bytes to record over and over; the answers of line detection's network are remembered,
so that only our own part runs. Two samplers look at it from outside over the same seconds: one counts all samples, the
other those in which the thread holds the lock. That other work slows the thread changes neither's share. Prints the
share; the same of a whole page with its network, which never holds the lock, and how many cores would be full of such
pages before their threads wait for each other; then the places that hold it longest. What is left where processes work
on the pages: `speed.py --processes`. To compare, run it in turn with ``PYTHONPATH`` at another commit's
``packages/bec-ldv1/src``.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from measuring.bounds import LINE_DETECTION, PageJob, Remembered

RATE = 250
CANNOT = 2
SHOWN = 12
_WORK = "_whole_page"
_PLACE = re.compile(r"(\w+) \(\S*?(bec_\w+/\S+?\.py)\b")


@contextmanager
def line_detection(_: Sequence[Path]) -> Iterator[tuple[Any, Any]]:
    """How a page is detected, and the engine that does."""
    from bec_ldv1.network.setup import start_engine

    with start_engine() as engine:
        yield LINE_DETECTION, engine


def over_and_over(folder: Path, job_name: str) -> None:
    """Carry the folder's pages from bytes to record until standard input ends.

    When it begins it prints what a page takes of the network and of the rest, seconds of processor time.
    """
    import threading

    import cv2
    from loguru import logger
    from measuring.recognition import recognition

    logger.remove()
    pages = sorted(folder.iterdir())
    with {"ldv1": line_detection, "ocrv1": recognition}[job_name](pages) as (job, engine):
        cv2.setNumThreads(1)
        carry, network_s = partial(_whole_page, engine=engine, job=job), 0.0
        if job_name == "ldv1":
            remembered = Remembered(engine, job.asks)
            carry = partial(_remembered_page, engine=remembered, job=job)
            for page in pages:
                carry(page)
            began = time.process_time()
            for question in remembered.asked.values():
                remembered.ask(question)
            network_s = time.process_time() - began
        for page in pages:
            carry(page)
        began = time.thread_time()
        for page in pages:
            carry(page)
        rest_s = time.thread_time() - began
        ended = threading.Event()
        threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
        print(network_s / len(pages), rest_s / len(pages), flush=True)
        while not ended.is_set():
            for page in pages:
                carry(page)


def _whole_page(page: Path, engine: Any, job: PageJob) -> Any:
    return job.page(page, engine)


def _remembered_page(page: Path, engine: Remembered, job: PageJob) -> Any:
    with engine.asking(page.name):
        return _whole_page(page, engine, job)


def samples(out: Path) -> Counter[str]:
    """The samples of the thread that works, by the innermost of our own functions."""
    found: Counter[str] = Counter()
    for line in out.read_text().splitlines():
        stack, _, number = line.rpartition(" ")
        if _WORK in stack:
            places = _PLACE.findall(stack)
            name, file = places[-1] if places else ("", "elsewhere")
            found[f"{file} {name}".strip()] += int(number)
    return found


def main() -> None:
    """Draw the pages, start the thread and the samplers, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--from", dest="source", type=Path, help="a folder of real pages, in place of drawn ones"
    )
    parser.add_argument("--job", choices=("ldv1", "ocrv1"), default="ldv1")
    parser.add_argument("--distinct", type=int, default=12)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        over_and_over(options.work, options.job)
        return
    sampler = shutil.which("py-spy")
    if sampler is None:
        print("no sampler: py-spy is not installed", file=sys.stderr)
        sys.exit(CANNOT)
    from measuring.pages import distinct_pages, make_volume

    with tempfile.TemporaryDirectory(prefix="bec-lock-") as scratch:
        place = Path(scratch)
        drawn = place / "drawn"
        drawn.mkdir()
        distinct = distinct_pages(drawn, options.source, options.distinct)
        make_volume(place / "pages", distinct, len(distinct))
        with subprocess.Popen(
            [sys.executable, __file__, "--work", place / "pages", "--job", options.job],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            network_s, rest_s = map(float, child.stdout.readline().split())
            outs = {"--idle": place / "all", "--gil": place / "held"}
            how = f"record --nonblocking --nolineno --full-filenames --format raw --rate {RATE}".split()
            how += ["--duration", str(options.seconds), "--pid", str(child.pid)]
            watching = [
                subprocess.Popen(
                    [sampler, *how, "--output", out, way],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                for way, out in outs.items()
            ]
            for one in watching:
                one.wait()
            child.stdin.close()
        every, held = (samples(out) for out in outs.values())
    share = held.total() / max(1, every.total())
    print(f"{len(distinct)} pages, {every.total()} samples: the lock is held in {held.total()}, {share:.1%}")
    held_s = share * rest_s
    print(
        f"a page: {1000 * held_s:.1f} ms of {1000 * rest_s:.1f}; with the network's {1000 * network_s:.1f} it is held",
        end=" ",
    )
    print(
        f"for {held_s / (rest_s + network_s):.1%}, and {(rest_s + network_s) / max(held_s, 1e-9):.1f} cores fill it"
    )
    for name, number in held.most_common(SHOWN):
        print(f"{number / every.total():7.2%}  {name}")


if __name__ == "__main__":
    main()
