"""What a page costs in this process: the network alone, everything else alone, and where the rest goes.

Of the job only what callers use is touched (`start_engine`, `detect_page`, `page_record`, `to_parquet`, and
the engine's `infer`), so that the measure survives a change of what lies below.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from attrs import frozen

from bec_ldv1.page.decode import decode
from bec_ldv1.page.detect import detect_page
from bec_ldv1.record.make import page_record
from bec_ldv1.record.records import PageRecord, to_parquet

_SAMPLE_S = 0.002
_STAGES = (
    ("bec_ldv1/page/decode.py", "decode"),
    ("bec_ldv1/page/formats/", "decode"),
    ("bec_ldv1/page/scale.py", "prepare"),
    ("bec_ldv1/page/prepare.py", "prepare"),
    ("bec_ldv1/page/light.py", "prepare"),
    ("bec_ldv1/page/binarize.py", "prepare"),
    ("bec_ldv1/page/", "outlines, direction, tiles"),
    ("bec_ldv1/lines/", "lines"),
    ("bec_ldv1/record/", "record"),
)
"""Where a sample of the stack counts, by the innermost frame in one of these places; the first that fits."""


class Remembered:
    """A network that remembers: what a page asked is asked of ``engine`` the first time, and never again.

    Pages are told by `asking`, their questions by their order: no pixel is looked at, so remembering costs nothing.
    What else a caller reads of an engine is the engine's.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._page = threading.local()
        self.asked: dict[tuple[str, int], Any] = {}
        self._answers: dict[tuple[str, int], Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    @contextmanager
    def asking(self, page: str) -> Iterator[None]:
        """What this thread asks within the block is this page's."""
        self._page.name, self._page.number = page, 0
        yield

    def infer(self, tiles: Any) -> Any:
        """The answer to the page's next question."""
        key = self._page.name, self._page.number
        self._page.number += 1
        if key not in self._answers:
            self.asked[key] = tiles
            self._answers[key] = self._engine.infer(tiles)
        return self._answers[key]


def tile_pixels(asked: Any) -> int:
    """How many pixels of tiles were asked, be they one array or a list of planes."""
    return int(asked.size) if hasattr(asked, "size") else sum(int(one.size) for one in asked)


@frozen
class Rate:
    """Pages per second, and processor time a page in seconds."""

    pages_per_s: float
    cpu_s: float


def _measured(pages: int, work: Callable[[], object]) -> Rate:
    cpu, began = time.process_time(), time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    return Rate(pages / seconds, (time.process_time() - cpu) / pages)


@frozen
class Bounds:
    """Both bounds, how many tiles' worth of pixels a page asks of the network, and the rest's parts.

    ``stages``: processor time a page by stage, seconds, of one thread alone; ``decode``: reading and decoding alone.
    """

    network: Rate
    rest: Rate
    decode: Rate
    tiles: float
    stages: dict[str, float]

    @property
    def in_turn(self) -> float:
        """Pages per second when both want the same cores."""
        return 1 / (1 / self.network.pages_per_s + 1 / self.rest.pages_per_s)


def measure_bounds(engine: Any, distinct: Sequence[Path], pages: int, threads: int) -> Bounds:
    """The bounds over so many pages, each distinct one as often as the others, by so many threads."""
    remembered = Remembered(engine)
    rounds = max(1, round(pages / len(distinct)))
    all_pages = [path for _ in range(rounds) for path in distinct]

    def whole(path: Path) -> PageRecord:
        return _whole_page(path, remembered)

    def ask(question: Any) -> None:  # whatever the engine answers with is let go at once
        engine.infer(question)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(whole, distinct))
        questions = list(remembered.asked.values())
        list(pool.map(ask, questions))
        network = _measured(len(all_pages), lambda: list(pool.map(ask, questions * rounds)))
        rest = _measured(len(all_pages), lambda: to_parquet(list(pool.map(whole, all_pages))))
        decoding = _measured(len(all_pages), lambda: list(pool.map(_decoded_size, all_pages)))
    tiles = sum(map(tile_pixels, questions)) / 512**2 / len(distinct)
    return Bounds(network, rest, decoding, tiles, _by_stage(remembered, distinct))


def _whole_page(path: Path, network: Remembered) -> PageRecord:
    with network.asking(path.name):
        return page_record(path.name, "0" * 32, detect_page(path.read_bytes(), network))


def _decoded_size(path: Path) -> int:
    return int(decode(path.read_bytes()).plane.size)


def _by_stage(network: Remembered, distinct: Sequence[Path]) -> dict[str, float]:
    """Processor time a page by stage, seconds: the stack is looked at every 2 ms of processor time.

    All time since the look before counts where the thread is found, so that a long call in C counts whole.
    """
    spent: Counter[str] = Counter()
    last = time.thread_time()

    def look(_: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.thread_time()
        spent[_stage(frame)] += now - last
        last = now

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, _SAMPLE_S, _SAMPLE_S)
    try:
        last = time.thread_time()
        records = [_whole_page(path, network) for path in distinct]
        look(0, None)
        written = time.thread_time()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    to_parquet(records)
    spent["Parquet"] = time.thread_time() - written
    return {name: seconds / len(distinct) for name, seconds in spent.most_common()}


def _stage(frame: FrameType | None) -> str:
    while frame is not None:
        name = frame.f_code.co_filename
        for part, stage in _STAGES:
            if part in name:
                return stage
        if name.endswith("pathlib.py"):
            return "read"
        frame = frame.f_back
    return "other"
