"""Logging by loguru: coloured lines for people, one JSON object a line for machines, always on stderr.

A JSON line has ``time`` (ISO 8601, UTC), ``level``, ``message``, and whatever was bound: ``job``,
``volume``, ``worker``, ``task``, ``attempt``. Nothing here prints a local variable's value, so that a
traceback shows no secret.
"""

from __future__ import annotations

import json
import sys
import traceback
from datetime import UTC
from typing import TYPE_CHECKING, TextIO

from loguru import logger

if TYPE_CHECKING:
    from loguru import Message, Record

CONTEXT = ("job", "volume", "worker", "task", "attempt")
"""The names that the runtime binds, in the order in which the console shows them."""


def configure_logging(
    *, level: str = "INFO", json_lines: bool | None = None, stream: TextIO | None = None
) -> None:
    """Replace all handlers by one on ``stream`` (default stderr); ``json_lines`` None: unless a terminal."""
    target = stream or sys.stderr
    as_json = not target.isatty() if json_lines is None else json_lines
    logger.remove()
    if as_json:
        logger.add(lambda message: _write_json(message, target), level=level, backtrace=False, diagnose=False)
    else:
        logger.add(target, level=level, format=_console_format, backtrace=False, diagnose=False)


def _console_format(record: Record) -> str:
    where = " ".join(str(record["extra"][name]) for name in CONTEXT if name in record["extra"])
    record["extra"]["_where"] = f"[{where}] " if where else ""
    place = "<cyan>{extra[_where]}</cyan>"
    return "<dim>{time:HH:mm:ss}</dim> <level>{level: <7}</level> " + place + "{message}\n{exception}"


def _write_json(message: Message, target: TextIO) -> None:
    record = message.record
    line: dict[str, object] = {
        "time": record["time"].astimezone(UTC).isoformat(timespec="milliseconds"),
        "level": record["level"].name,
        "message": record["message"],
    }
    line.update({key: value for key, value in record["extra"].items() if not key.startswith("_")})
    if record["exception"] is not None:
        error = record["exception"]
        line["exception"] = "".join(traceback.format_exception(error.type, error.value, error.traceback))
    target.write(json.dumps(line, default=str, ensure_ascii=False) + "\n")
    target.flush()
