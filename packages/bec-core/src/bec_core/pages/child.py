"""The far end of a page that is worked on in another process: call the function, tell what came of it.

Light on purpose: a process starts by importing this and the function's module. What it logs is told too, and logged by
the worker, with job and volume. An exception is told in words and by value: few can be sent as they are. A value is
told as it is, for the worker, and where it is to be kept in bytes too: one process should not do that for all.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable
from typing import Any

from attrs import field, frozen
from loguru import logger

from bec_core.errors import PageError
from bec_core.models import Page, PageData
from bec_core.pages.stages import Times
from bec_core.pages.values import PageValues

RUN = "run"
"""The stage of whatever a page's function does outside of any ``timed`` block."""

GROUP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""They go to the whole group of processes; what they mean the worker decides."""

_lines: list[tuple[str, str]] = []
_prepared: dict[bytes, ToldError | None] = {}


@frozen
class Told:
    """What came of a page, or of preparing for pages.

    Attributes:
        value: what the function gave, pickled.
        error: what it raised, or what ``prepare`` did (then ``unready``), pickled.
        ms: times by stage.
        lines: what was logged: level, text.
        kept: the value as the worker keeps it; in words why that can't be made; None if nobody wants it.
        unready: the process can't work on pages.
    """

    value: bytes | None = None
    error: bytes | None = None
    ms: dict[str, float] = field(factory=dict)
    lines: list[tuple[str, str]] = field(factory=list)
    kept: bytes | str | None = None
    unready: bool = False


@frozen
class PageCall:
    """What is done to pages.

    Attributes:
        function: see ``map_pages``.
        returns: what it gives.
        prepare: a pickled callable, called once in each process before its first page; empty: none.
        keep: the values are wanted in bytes too.
    """

    function: Callable[[Page, PageData], Any]
    returns: type[Any]
    prepare: bytes = b""
    keep: bool = False


@frozen
class ToldError:
    """An exception on its way between processes: what is known of it in any case, and itself if it can be sent."""

    words: str
    traceback: str
    stage: str
    page: tuple[str, str, str, bool] | None
    itself: bytes | None


class ElsewhereError(Exception):
    """Stands for an exception of another process that can't be sent, or for its traceback."""


class Elsewhere(Exception):
    """Carries an error of another process with the stage that it was met in."""

    def __init__(self, error: BaseException, stage: str) -> None:
        super().__init__(str(error))
        self.error = error
        self.stage = stage


def start_child() -> None:
    """Prepare a process: it ends with its parent alone, and keeps what it logs for the parent."""
    for number in GROUP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, GROUP_SIGNALS)  # none of them waits any more
    from multiprocessing import parent_process

    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(0)

    threading.Thread(target=watch, name="bec-parent", daemon=True).start()
    logger.remove()
    logger.add(_keep, level="DEBUG", format="{message}")


def _keep(message: Any) -> None:
    _lines.append((message.record["level"].name, str(message.record["message"])))


def get_ready(prepare: bytes) -> Told:
    """Prepare this process, unless that was done; what came of it, whatever that is. What it logs is not told."""
    if not prepare:
        return Told()
    if prepare not in _prepared:
        try:
            pickle.loads(prepare)()
        except BaseException as error:  # noqa: BLE001 - a job may raise anything, sys.exit() included; it is told
            _prepared[prepare] = _tell(error, RUN)
        else:
            _prepared[prepare] = None
        _lines.clear()
    met = _prepared[prepare]
    return Told() if met is None else Told(error=pickle.dumps(met), unready=True)


def run_page(call: PageCall, page: Page, data: PageData) -> Told:
    """Call the function; what comes of it, whatever that is."""
    if (told := get_ready(call.prepare)).unready:
        return told
    values, times = PageValues(call.returns), Times()
    _lines.clear()
    value: bytes | None = None
    error: bytes | None = None
    kept: bytes | str | None = None
    try:
        with times.current(), times.stage(RUN):
            made = values.check(call.function(page, data), page.filename)
        value = pickle.dumps(made)
        if call.keep:
            kept = _to_keep(values, made)
    except BaseException as met:  # noqa: BLE001 - as above
        error = pickle.dumps(_tell(met, times.stage_of(met, RUN)))
    return Told(value, error, times.ms, list(_lines), kept)


def _to_keep(values: PageValues[Any], value: Any) -> bytes | str:
    try:
        return values.to_bytes(value)
    except Exception as error:  # noqa: BLE001 - whatever the class makes of it: the worker says so, the page is done
        return str(error)


def _tell(error: BaseException, stage: str) -> ToldError:
    page = None
    if isinstance(error, PageError):
        page = (str(error), error.stage, error.error_type, error.retryable)
    return ToldError(
        f"{type(error).__name__}: {error}",
        "".join(traceback.format_exception(error)),
        stage,
        page,
        _itself(error),
    )


def _itself(error: BaseException) -> bytes | None:
    """The exception pickled, if it comes back as what it is."""
    try:
        data = pickle.dumps(error)
        return data if type(pickle.loads(data)) is type(error) else None
    except Exception:  # noqa: BLE001 - whatever its class makes of pickling
        return None


def told_error(told: ToldError) -> BaseException:
    """The exception, on the near end; its cause is the far end's traceback."""
    if told.page is not None:
        message, stage, kind, retryable = told.page
        error: BaseException = PageError(message, stage=stage, error_type=kind, retryable=retryable)
    elif told.itself is not None:
        error = pickle.loads(told.itself)
    else:
        error = ElsewhereError(told.words)
    error.__cause__ = ElsewhereError(f"in a process of its own:\n{told.traceback}")
    return error
