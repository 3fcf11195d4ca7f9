"""What ``bec top`` shows: troubles first, and of each table the rows and columns that the screen has room for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bec_cli.common import ago, local_time, shown_cell
from bec_cli.workers import doing_in_a_line

if TYPE_CHECKING:
    from rich.console import Console, Group, RenderableType

    from bec_core.admin.overview import JobLine, Overview

_BESIDE = 5  # lines of a table that are no rows: title, borders, headings
_LEAST = 3  # rows of a table, if it has so many and the screen is not all too low


def screen(console: Console, look: Overview, *, height: int | None = None) -> Group:
    """One look; ``height``: no more lines than this."""
    from rich.console import Group
    from rich.text import Text

    troubles = look.troubles if height is None else look.troubles[: max(1, height // 4)]
    parts: list[RenderableType] = [Text(f"bec top  {local_time(look.at)}  (q ends)", no_wrap=True)]
    for one in troubles:
        line = shown_cell(f"{one.job}: {one.kind.value}: {one.text}")
        parts.append(Text(line, style="bold red", no_wrap=True, overflow="ellipsis"))
    if len(troubles) < len(look.troubles):
        parts.append(Text(f"… and {len(look.troubles) - len(troubles)} more: bec health", style="bold red"))
    sizes = [len(look.jobs), len(look.workers), len(look.errors)]
    rows = sizes if height is None else shares(height - len(parts), sizes)
    tables = (("Jobs", _JOBS, [_job_row(line) for line in look.jobs[: rows[0]]]),
              ("Workers", _WORKERS, _worker_rows(look, rows[1])),
              ("Last Errors", _ERRORS, _error_rows(look, rows[2])))  # fmt: skip
    for (title, columns, cells), size, room in zip(tables, sizes, rows, strict=True):
        if height is None or room or not size:
            more = f", {size - room} more" if size > room else ""
            parts.append(_table(console, f"{title}{more}", columns, cells))
    return Group(*parts)


def shares(lines: int, sizes: Sequence[int]) -> list[int]:
    """How many rows each table gets of so many lines: each a few, then the first that lack some get the rest.

    Where there is not even room for a few, the last tables get none.
    """
    room = lines - _BESIDE * len(sizes)
    given = [0] * len(sizes)
    for wanted in (_LEAST, max(sizes, default=0)):
        for number, size in enumerate(sizes):
            more = max(0, min(min(size, wanted) - given[number], room))
            given[number] += more
            room -= more
    return given


_Column = tuple[str, int]
"""A heading, and how soon the column is left out where the screen is narrow (0: never)."""

_JOBS: tuple[_Column, ...] = (
    ("Job", 0), ("Status", 3), ("Waiting", 0), ("Running", 0), ("Done", 0), ("Failed", 0), ("Blocked", 4),
    ("Pages/s", 0), ("Left", 1), ("Queue", 6), ("In Flight", 7), ("Dead", 5),
)  # fmt: skip
_WORKERS: tuple[_Column, ...] = (
    ("ID", 0), ("Worker", 2), ("Job", 3), ("State", 0), ("Heartbeat", 0), ("Doing", 1), ("Pages", 4), ("Pages/s", 5),
)  # fmt: skip
_ERRORS: tuple[_Column, ...] = (
    ("When", 3), ("Job", 4), ("Volume", 0), ("Status", 5), ("Error", 0), ("Task", 0), ("Message", 1),
)  # fmt: skip
_WORDS = frozenset({"Job", "Status", "Worker", "State", "Doing", "When", "Volume", "Error", "Message"})
_MESSAGE = 12  # so narrow may the column of messages get


def _table(
    console: Console, title: str, columns: Sequence[_Column], rows: Sequence[Sequence[object]]
) -> RenderableType:
    """A table of one line a row: columns are left out until the rest fits; then long words are cut."""
    from rich.box import HEAVY_HEAD
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    texts = [["-" if value is None else shown_cell(value) for value in row] for row in rows]
    widths = [
        _MESSAGE if heading == "Message" else max([cell_len(heading), *(cell_len(row[n]) for row in texts)])
        for n, (heading, _) in enumerate(columns)
    ]
    kept = list(range(len(columns)))
    while sum(widths[n] + 3 for n in kept) + 1 > console.width and any(columns[n][1] for n in kept):
        kept.remove(max(kept, key=lambda n: columns[n][1]))
    made = Table(title=title, box=HEAVY_HEAD)
    for n in kept:
        justify = "left" if columns[n][0] in _WORDS else "right"
        made.add_column(columns[n][0], justify=justify, no_wrap=True, overflow="ellipsis")  # type: ignore[arg-type]
    for row, text in zip(rows, texts, strict=True):
        made.add_row(*(Text(text[n]) for n in kept), style="bold red" if "dead" in row else None)
    return made


def _job_row(line: JobLine) -> tuple[object, ...]:
    queue, dead, progress = line.queue, line.dead_letters, line.progress
    return (
        line.job.name,
        line.job.status.value,
        progress.waiting,
        progress.running,
        progress.done,
        progress.failed,
        progress.blocked,
        None if progress.pages_per_s is None else f"{progress.pages_per_s:.2f}",
        ago(progress.time_left_s),
        None if queue is None else queue.available + queue.delayed,
        None if queue is None else queue.in_flight,
        None if dead is None else dead.available + dead.in_flight + dead.delayed,
    )


def _worker_rows(look: Overview, most: int) -> list[tuple[object, ...]]:
    return [
        (view.row.id, view.row.name, view.row.job_name, view.state, ago(view.row.heartbeat_s), *doing_in_a_line(view))
        for view in look.workers[:most]
    ]  # fmt: skip


def _error_rows(look: Overview, most: int) -> list[tuple[object, ...]]:
    return [
        (local_time(e.at), e.job_name, e.volume, e.status, e.error_type, e.task_id, (e.message or "").split("\n", 1)[0])
        for e in look.errors[:most]
    ]  # fmt: skip
