"""What a job prints: a worker's standard output and error are the log's, so nothing else may write there."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import FrameType
from typing import Any, TextIO, cast

_LOGS = ("logging", "warnings", "loguru")
_NOT_THE_JOB = ("bec_core.testing.", "contextlib")


class Printed:
    """What was printed, each time once for each place of the program."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_place: dict[str, str] = {}

    def add(self, place: str, text: str) -> None:
        """Keep the first text of a place."""
        with self._lock:
            self._by_place.setdefault(place, text)

    def problems(self) -> list[str]:
        """A sentence for each place."""
        return [
            f"it prints {text!r} ({place}): standard output and error are the log's; use ctx.log"
            for place, text in self._by_place.items()
        ]


@contextmanager
def recorded() -> Iterator[Printed]:
    """Record what is printed in the block, by its thread and those begun since.

    Logs, warnings and what older threads print (a server of the test's own, say) go where they went before.
    """
    printed = Printed()
    older = frozenset(threading.enumerate()) - {threading.current_thread()}
    with (
        redirect_stdout(_stream(printed, older, sys.stdout)),
        redirect_stderr(_stream(printed, older, sys.stderr)),
    ):
        yield printed


def _stream(printed: Printed, older: frozenset[threading.Thread], before: TextIO) -> TextIO:
    return io.TextIOWrapper(
        cast(Any, _Recorder(printed, older, before)), encoding="utf-8", write_through=True
    )


class _Recorder(io.RawIOBase):
    """A stream that records who writes to it."""

    def __init__(self, printed: Printed, older: frozenset[threading.Thread], before: TextIO) -> None:
        self._printed = printed
        self._older = older
        self._before = before

    def writable(self) -> bool:
        """It is for writing."""
        return True

    def write(self, data: bytes, /) -> int:  # type: ignore[override]  # any buffer will do
        """Record the bytes, or hand on what a log writes."""
        text = bytes(data).decode(errors="replace")
        place = None if threading.current_thread() in self._older else _place()
        if place is None:
            self._before.write(text)
        elif text.strip():
            self._printed.add(place, text.strip()[:60])
        return len(data)


def _place() -> str | None:
    """The file and line that prints; None if a log does."""
    frame: FrameType | None = sys._getframe(2)
    place = None
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] in _LOGS:
            return None
        if place is None and not module.startswith(_NOT_THE_JOB):
            place = f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}"
        frame = frame.f_back
    return place or "?"
