"""What pages' functions do in tests of ``map_pages``; importable, so that other processes can call them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from attrs import frozen
from loguru import logger

from bec_core import Page, PageData, PageError, TerminalTaskError, timed


@frozen
class Seen:
    """What a function saw of a page."""

    name: str
    size: int
    process: int = 0


class Unsendable(Exception):
    """An exception that no pickle brings back."""

    def __init__(self, number: int, *, why: str) -> None:
        super().__init__(f"{number}: {why}")


def see(page: Page, data: PageData) -> Seen:
    """Do what the page's bytes say."""
    said = data.data.partition(b"|")[0]
    logger.info("looking at {}", page.filename)
    match said:
        case b"bad":
            raise PageError("bad on purpose", stage="look", error_type="Bad")
        case b"passing":
            raise PageError("it may pass", stage="look", retryable=True)
        case b"odd":
            with timed("decode"):
                raise KeyError("nobody thought of this")
        case b"unsendable":
            raise Unsendable(1, why="it can't be pickled")
        case b"terminal":
            raise TerminalTaskError("the volume is at fault")
        case b"exit":
            raise SystemExit(3)
        case b"killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case b"signalled":
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(os.getpid(), number)
        case b"slow":
            time.sleep(0.2)
        case b"wrong":
            return {"name": page.filename}  # type: ignore[return-value]  # the mistake that is to be found
    with timed("decode"):
        time.sleep(0.002)
    return Seen(page.filename, len(data.data), os.getpid())


def mark(folder: Path, page: Page, data: PageData) -> bytes:
    """Leave a file of this process's number, then take long."""
    (folder / str(os.getpid())).touch()
    time.sleep(30)
    return b""


def leave_mark(folder: Path) -> None:
    """Leave a file of this process's number."""
    (folder / str(os.getpid())).touch()


def cant_prepare(why: str) -> None:
    """Fail to prepare, saying so in the log."""
    logger.info("preparing in vain")
    raise ValueError(why)


def every_other_dies(folder: Path) -> None:
    """The first process that comes dies, the second lives, and so on; they must not come at the same time."""
    leave_mark(folder)
    if len(list(folder.iterdir())) % 2:
        os.kill(os.getpid(), signal.SIGKILL)


def die_preparing() -> None:
    """Die."""
    os.kill(os.getpid(), signal.SIGKILL)
