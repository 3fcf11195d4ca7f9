"""The far end of a page that is worked on in another process: call the function, tell what came of it.

Light on purpose: a process starts by importing this and the function's module. What it logs is told too, and logged by
the worker, with job and volume. An exception is told in words and by value: few can be sent as they are.
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

_lines: list[tuple[str, str]] = []


@frozen
class Told:
    """What came of a page: ``value`` or ``error``; its times; what was logged (level, text)."""

    value: bytes | None
    error: bytes | None
    ms: dict[str, float]
    lines: list[tuple[str, str]] = field(factory=list)


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
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they go to the whole group: the worker decides what they mean
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


def run_page(
    function: Callable[[Page, PageData], Any], returns: type[Any], page: Page, data: PageData
) -> Told:
    """Call the function; what comes of it, whatever that is."""
    values, times = PageValues(returns), Times()
    _lines.clear()
    value: bytes | None = None
    told: bytes | None = None
    try:
        with times.current(), times.stage(RUN):
            value = values.to_bytes(values.check(function(page, data), page.filename))
    except BaseException as error:  # noqa: BLE001 - a job may raise anything, sys.exit() included; it is told
        told = pickle.dumps(_tell(error, times.stage_of(error, RUN)))
    return Told(value, told, times.ms, list(_lines))


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
