"""What a page costs in this process: the network alone, everything else alone, and where the rest goes.

Any job can be measured that says how its page is made (`PageJob`); line detection's is here. Of it only what callers
use is touched (`start_engine`, `detect_page`, `page_record`, `to_parquet`, and the engine's `infer`), so that the
measure survives a change of what lies below.
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
_SAMPLED_S = 1.0
Places = tuple[tuple[str, str], ...]

_LINE_DETECTION: Places = (
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


@frozen
class PageJob:
    """How a job makes its pages.

    Attributes:
        asks: the engine's method that a page asks of.
        page: from a page's file and an engine to what is recorded of it.
        write: what becomes of all records.
        size: how much one question is.
        places: where its processor time counts, see above.
    """

    asks: str
    page: Callable[[Path, Any], Any]
    write: Callable[[list[Any]], object]
    size: Callable[[Any], float]
    places: Places


class Remembered:
    """A network that remembers: what a page asked is asked of ``engine`` the first time, and never again.

    Pages are told by `asking`, their questions by their order: no pixel is looked at, so remembering costs nothing.
    What else a caller reads of an engine is the engine's.
    """

    def __init__(self, engine: Any, asks: str = "infer") -> None:
        self._engine = engine
        self._asks = asks
        self._page = threading.local()
        self.asked: dict[tuple[str, int], Any] = {}
        self._answers: dict[tuple[str, int], Any] = {}

    def __getattr__(self, name: str) -> Any:
        return self._answer if name == self._asks else getattr(self._engine, name)

    @contextmanager
    def asking(self, page: str) -> Iterator[None]:
        """What this thread asks within the block is this page's."""
        self._page.name, self._page.number = page, 0
        yield

    def ask(self, question: Any) -> Any:
        """What the engine itself answers."""
        return getattr(self._engine, self._asks)(question)

    def _answer(self, question: Any) -> Any:
        """The answer to the page's next question."""
        key = self._page.name, self._page.number
        self._page.number += 1
        if key not in self._answers:
            self.asked[key] = question
            self._answers[key] = self.ask(question)
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
    """Both bounds, how much a page asks of the network (tiles' worth of pixels, or lines), and the rest's parts.

    ``stages``: processor time a page by stage, seconds, of one thread alone; ``decode``: reading and decoding alone.
    """

    network: Rate
    rest: Rate
    decode: Rate
    asked: float
    stages: dict[str, float]

    @property
    def in_turn(self) -> float:
        """Pages per second when both want the same cores."""
        return 1 / (1 / self.network.pages_per_s + 1 / self.rest.pages_per_s)


def measure_bounds(engine: Any, distinct: Sequence[Path], pages: int, threads: int) -> Bounds:
    """Line detection's bounds over so many pages, each distinct one as often as the others, by so many threads."""
    return bounds_of(LINE_DETECTION, engine, distinct, pages, threads)


def bounds_of(job: PageJob, engine: Any, distinct: Sequence[Path], pages: int, threads: int) -> Bounds:
    """A job's bounds over so many pages, each distinct one as often as the others, by so many threads."""
    remembered = Remembered(engine, job.asks)
    rounds = max(1, round(pages / len(distinct)))
    all_pages = [path for _ in range(rounds) for path in distinct]

    def whole(path: Path) -> Any:
        return _whole_page(path, remembered, job)

    def ask(question: Any) -> None:  # whatever the engine answers with is let go at once
        remembered.ask(question)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(whole, distinct))
        questions = list(remembered.asked.values())
        list(pool.map(ask, questions))
        network = _measured(len(all_pages), lambda: list(pool.map(ask, questions * rounds)))
        rest = _measured(len(all_pages), lambda: job.write(list(pool.map(whole, all_pages))))
        decoding = _measured(len(all_pages), lambda: list(pool.map(_decoded_size, all_pages)))
    asked = sum(map(job.size, questions)) / len(distinct)
    return Bounds(network, rest, decoding, asked, _by_stage(remembered, distinct, job))


def _whole_page(path: Path, engine: Remembered, job: PageJob) -> Any:
    with engine.asking(path.name):
        return job.page(path, engine)


def _record(path: Path, network: Any) -> PageRecord:
    return page_record(path.name, "0" * 32, detect_page(path.read_bytes(), network))


LINE_DETECTION = PageJob(
    "infer", _record, to_parquet, lambda asked: tile_pixels(asked) / 512**2, _LINE_DETECTION
)


def _decoded_size(path: Path) -> int:
    return int(decode(path.read_bytes()).plane.size)


def _by_stage(engine: Remembered, distinct: Sequence[Path], job: PageJob) -> dict[str, float]:
    """Processor time a page by stage, seconds: the stack is looked at every 2 ms of processor time, for a second.

    All time since the look before counts where the thread is found, so that a long call in C counts whole. A machine
    may look less often than asked: in a single page it could miss a short stage.
    """
    spent: Counter[str] = Counter()
    last = time.thread_time()

    def look(_: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.thread_time()
        spent[_stage(frame, job.places)] += now - last
        last = now

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, _SAMPLE_S, _SAMPLE_S)
    try:
        began = last = time.thread_time()
        rounds = 0
        while last - began < _SAMPLED_S:
            records = [_whole_page(path, engine, job) for path in distinct]
            look(0, None)
            rounds += 1
        written = time.thread_time()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    job.write(records)
    spent["Parquet"] = rounds * (time.thread_time() - written)
    return {name: seconds / rounds / len(distinct) for name, seconds in spent.most_common()}


def _stage(frame: FrameType | None, places: Places) -> str:
    while frame is not None:
        name = frame.f_code.co_filename
        for part, stage in places:
            if part in name:
                return stage
        if name.endswith("pathlib.py"):
            return "read"
        frame = frame.f_back
    return "other"
