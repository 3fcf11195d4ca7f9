"""Times on the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}


def _seconds(text: str) -> float | None:
    """The seconds of ``90s``, ``30m``, ``2h``, ``3d`` or ``1w``; None for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)", text)
    return float(match[1]) * _UNITS[match[2]] if match else None


class Span(click.ParamType[float]):
    """A span of time in seconds, written as ``90s``, ``30m``, ``2h``, ``3d``, ``1w``."""

    name = "SPAN"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds."""
        seconds = value if isinstance(value, float) else _seconds(str(value).strip())
        if seconds is None or seconds <= 0:
            self.fail(f"{value!r} is no span of time: write 90s, 30m, 2h or 3d", param, ctx)
        return seconds


class Since(click.ParamType[datetime]):
    """A moment in the past: ``90s``, ``30m``, ``2h``, ``3d``, ``1w`` ago, or an ISO date or time in the user's zone."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The moment, with a zone."""
        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        if (seconds := _seconds(text)) is not None:
            return datetime.now(UTC) - timedelta(seconds=seconds)
        try:
            return datetime.fromisoformat(text).astimezone()
        except ValueError:
            self.fail(f"{text!r} is no time: write 2h, 3d, 2026-01-31 or 2026-01-31T14:00", param, ctx)


SINCE = Since()
SPAN = Span()
