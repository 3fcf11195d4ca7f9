"""Logging by loguru: coloured lines for people, one JSON object a line for machines, on stderr or into a file.

A JSON line has ``time`` (ISO 8601, UTC), ``level``, ``message``, and whatever was bound: ``job``,
``volume``, ``worker``, ``task``, ``attempt``. Nothing here prints a local variable's value, so that a
traceback shows no secret. What others log (the standard library's ``logging``, warnings, lines that a C library
writes to stderr) comes the same way.
"""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import faulthandler
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, ParamSpec, TextIO, TypeVar

from loguru import logger

from bec_core.errors import SettingsError
from bec_core.text import json_text, shown

if TYPE_CHECKING:
    from loguru import Message, Record

P = ParamSpec("P")
T = TypeVar("T")

CONTEXT = ("job", "volume", "worker", "task", "attempt")
"""The names that the runtime binds, in the order in which the console shows them."""

_STDERR = 2
_PRIORITIES = ((50, 2), (40, 3), (30, 4), (20, 6))  # loguru's levels, and syslog's from which on
_at_hand: list[dict[str, object]] = []
_at_hand_lock = threading.Lock()


def configure_logging(
    *,
    level: str = "INFO",
    form: Literal["console", "json", "journal"] | None = None,
    stream: TextIO | None = None,
    file: Path | None = None,
    capture: bool = False,
) -> None:
    """Replace all handlers by one on ``stream`` (default stderr); with a ``file``, JSON goes there and no other form.

    Args:
        level: the least level that is logged.
        form: how lines look; None: JSON unless on a terminal. ``journal``: no time and no colour, and systemd's sign
            for the level before each.
        stream: where lines go.
        file: where JSON goes: opened here (its folder is created), and again after a rotation.
        capture: let what anything else writes to the process's stderr become lines of the JSON log too.

    Raises:
        SettingsError: ``file`` can't be written.
    """
    target = stream or sys.stderr
    if form is None and not file:
        form = "console" if target.isatty() else "json"
    logger.remove()
    opened = _RotatedFile(file) if file else None  # first: that it can't be is said on the real stderr
    if opened or form == "json":
        target = (_capture.start() if capture and stream is None else None) or target
        sink = _JsonLog(opened or target, is_stderr=opened is None, whole=capture)
        _capture.to(sink, echo=opened is not None)
        logger.add(sink, level=level, backtrace=False, diagnose=False)
    if form in ("console", "journal"):
        shape = _console_format if form == "console" else _journal_format
        logger.add(target, level=level, format=shape, backtrace=False, diagnose=False)
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, _FromStandardLogging)]:
        root.removeHandler(handler)
    root.addHandler(_FromStandardLogging(logging.WARNING))
    logging.captureWarnings(True)


@contextlib.contextmanager
def within(**bound: object) -> Iterator[None]:
    """Bind names to every line that is logged in this context, and to lines of C libraries meanwhile.

    A C library's line tells no thread: it gets a name only while one value of it is at hand.
    """
    with _at_hand_lock:
        _at_hand.append(bound)
    try:
        with logger.contextualize(**bound):
            yield
    finally:
        with _at_hand_lock:
            _at_hand[:] = [one for one in _at_hand if one is not bound]


def in_context(function: Callable[P, T]) -> Callable[P, T]:
    """``function`` for a thread pool: what it logs has the job and the volume of the one who asked for it."""
    context = contextvars.copy_context()

    def call(*arguments: P.args, **keywords: P.kwargs) -> T:
        return context.copy().run(function, *arguments, **keywords)

    return call


def has_json_log() -> bool:
    """Whether a JSON log is kept that has all that the process says."""
    return bool(_JsonLog.whole_ones())


def last_words(
    text: str, *, level: str = "CRITICAL", exception: BaseException | None = None, **bound: object
) -> bool:
    """Say why the process ends in the JSON log that has all it says, if there is one, whatever its level.

    From here on nothing that is written to stderr becomes a line of the log. True if stderr itself is that log, so
    that nothing more is to be said there.
    """
    _capture.end()
    sinks = _JsonLog.whole_ones()
    line: dict[str, object] = {"time": _now(), "level": level, "message": text, **_what_is_at_hand(), **bound}
    if exception is not None:
        line["exception"] = "".join(traceback.format_exception(exception))
    for sink in sinks:
        sink.put(line)
    return any(sink.is_stderr for sink in sinks)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class _FromStandardLogging(logging.Handler):
    """Hands records of ``logging`` (psycopg's, boto's, ``py.warnings``) to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        level: str | int = (
            record.levelname if record.levelname in logging.getLevelNamesMapping() else record.levelno
        )
        logger.bind(logger=record.name).opt(exception=record.exc_info).log(
            level, "{}", record.getMessage().strip()
        )


class _RotatedFile:
    """A file for appending; when another file has its name (or none), it is opened anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._open()
        except OSError as error:
            raise SettingsError(f"BEC_LOG_FILE={path} can't be written: {error.strerror or error}") from None

    def _open(self) -> TextIO:
        return self._path.open("a", encoding="utf-8")

    def write(self, text: str) -> None:
        """Append."""
        try:
            moved = not os.path.samestat(self._path.stat(), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            moved = True
        if moved:
            self._file.close()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._open()
        self._file.write(text)

    def close(self) -> None:
        """Close."""
        self._file.close()

    def flush(self) -> None:
        """Flush."""
        self._file.flush()


class _JsonLog:
    """Writes one JSON object a line, from any thread."""

    _at_work: ClassVar[list[_JsonLog]] = []

    def __init__(self, target: TextIO | _RotatedFile, *, is_stderr: bool, whole: bool) -> None:
        self._target = target
        self.is_stderr = is_stderr
        self.whole = whole
        self._lock = threading.Lock()
        self._at_work.append(self)

    @classmethod
    def whole_ones(cls) -> list[_JsonLog]:
        """Those handlers of now that have all that the process says."""
        return [log for log in cls._at_work if log.whole]

    def stop(self) -> None:
        """The handler is removed: close a file of ours."""
        self._at_work.remove(self)
        if isinstance(self._target, _RotatedFile):
            self._target.close()

    def write(self, message: Message) -> None:
        """A record of loguru."""
        record = message.record
        line: dict[str, object] = {
            "time": record["time"].astimezone(UTC).isoformat(timespec="milliseconds"),
            "level": record["level"].name,
            "message": record["message"],
        }
        line.update({key: value for key, value in record["extra"].items() if not key.startswith("_")})
        if record["exception"] is not None:
            line["exception"] = _told(record)
        self.put(line)

    def put(self, line: dict[str, object]) -> None:
        """One line."""
        with self._lock:
            self._target.write(json_text(line) + "\n")
            self._target.flush()


class _Capture:
    """Reads what is written to the process's stderr, and makes each line one of the log."""

    def __init__(self) -> None:
        self._sink: _JsonLog | None = None
        self._echo = False
        self._original: TextIO | None = None
        self._reader: threading.Thread | None = None
        self._ended = False

    def start(self) -> TextIO | None:
        """Take stderr over; the real one. None where ``sys.stderr`` is not the process's stderr."""
        if self._original is not None:
            return self._original
        try:
            if sys.stderr.fileno() != _STDERR:
                return None
        except (OSError, ValueError):
            return None
        sys.stderr.flush()
        self._original = os.fdopen(os.dup(_STDERR), "w", encoding="utf-8", errors="backslashreplace")
        read, write = os.pipe()
        os.dup2(write, _STDERR)
        os.close(write)
        self._reader = threading.Thread(target=self._read, args=(read,), name="bec-stderr", daemon=True)
        self._reader.start()
        # the reader dies with the process: where its threads stood at a SIGSEGV is told past it
        faulthandler.enable(self._original)
        atexit.register(self.end)
        return self._original

    def to(self, sink: _JsonLog, *, echo: bool) -> None:
        """Write the lines here from now on; ``echo``: to the real stderr too."""
        self._sink, self._echo = sink, echo

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor, encoding="utf-8", errors="backslashreplace") as lines:
            for line in lines:
                # a full disk or a closed stderr: there is no place left to say it
                with contextlib.suppress(OSError):
                    self._take(line.rstrip("\n"))

    def _take(self, text: str) -> None:
        if self._echo and self._original:
            self._original.write(shown(text) + "\n")
            self._original.flush()
        if text.strip() and self._sink:
            self._sink.put(
                {
                    "time": _now(),
                    "level": "WARNING",
                    "message": text,
                    "logger": "stderr",
                    **_what_is_at_hand(),
                }
            )

    def end(self) -> None:
        """Give stderr back; what was written before is logged."""
        if self._original is None or self._reader is None or self._ended:
            return
        self._ended = True
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os.dup2(self._original.fileno(), _STDERR)
        self._reader.join(1.0)  # a child that has our stderr keeps the pipe open


_capture = _Capture()


def _what_is_at_hand() -> dict[str, object]:
    """The names of which one value alone is at hand."""
    with _at_hand_lock:
        bound = list(_at_hand)
    values: dict[str, set[str]] = {}
    for one in bound:
        for name, value in one.items():
            values.setdefault(name, set()).add(str(value))
    merged = {name: value for one in bound for name, value in one.items()}
    return {name: value for name, value in merged.items() if len(values[name]) == 1}


def _told(record: Record) -> str:
    error = record["exception"]
    assert error is not None
    return "".join(traceback.format_exception(error.type, error.value, error.traceback))


def _console_format(record: Record) -> str:
    _prepare(record)
    return (
        "<dim>{time:HH:mm:ss}</dim> <level>{level: <7}</level> "
        "<cyan>{extra[_where]}</cyan>{extra[_message]}\n{extra[_exception]}"
    )


def _journal_format(record: Record) -> str:
    """Lines for systemd's journal, which adds the time and reads the level's sign off."""
    _prepare(record)
    number = next((priority for level, priority in _PRIORITIES if record["level"].no >= level), 7)
    record["extra"]["_lines"] = "\n".join(
        f"<{number}>{line}"
        for key in ("_message", "_exception")
        for line in str(record["extra"][key]).rstrip("\n").split("\n")
        if line
    ).replace(f"<{number}>", f"<{number}>{record['extra']['_where']}", 1)
    return "{extra[_lines]}\n"


def _prepare(record: Record) -> None:
    """What both formats show of a line, with no control character."""
    extra = record["extra"]
    where = " ".join(shown(str(extra[name])) for name in CONTEXT if name in extra)
    extra["_where"] = f"[{where}] " if where else ""
    extra["_message"] = shown(record["message"])
    extra["_exception"] = shown(_told(record)) if record["exception"] is not None else ""
