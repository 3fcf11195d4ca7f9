"""The live screen's rows and columns fit the terminal, with what matters most on it."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from bec_cli.top_screen import screen, shares
from bec_core.admin.health import Kind, Trouble
from bec_core.admin.overview import JobLine, Overview
from bec_core.admin.statistics import Progress
from bec_core.admin.workers import WorkerView
from bec_core.db.reads.overview import LastError
from bec_core.db.reads.worker_list import WorkerRow
from bec_core.models import Job, JobStatus

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
JOB = Job(1, "ldv1", "ldv1", {}, 1, JobStatus.ACTIVE, "postgres:///a", "postgres:///b", NOW, NOW)
AT_HAND = {"volume": "W1/I1", "pages_done": 3, "pages_resumed": 0, "pages_total": 9, "seconds": 2.0}


def worker(number: int, heard_s: float) -> WorkerView:
    row = WorkerRow(
        number, f"worker-{number}", "h", None, 1, "ldv1", {}, NOW, NOW, None, heard_s, (AT_HAND, AT_HAND)
    )
    return WorkerView.of(row)


LOOK = Overview(
    NOW,
    tuple(Trouble("ldv1", kind, "it is\n\x1b[2Jbad " + "very " * 60, "mend it") for kind in Kind),
    tuple(JobLine(JOB, Progress(9, 1, 2, 3, 4, 5, 6, 7.0, 8.0), None, None) for _ in range(12)),
    (worker(1, 1e6), *(worker(n, 1.0) for n in range(2, 60))),
    tuple(LastError(n, "ldv1", "W1/I1", "terminal_failed", "E", "m" * 300, NOW) for n in range(20)),
)


def lines(width: int, height: int | None) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    console.print(screen(console, LOOK, height=height))
    return out.getvalue().rstrip("\n").split("\n")


@pytest.mark.parametrize("width", [60, 80, 120, 250])
@pytest.mark.parametrize("height", [20, 24, 50, 100])
def test_a_look_fits(width: int, height: int) -> None:
    shown = lines(width, height)
    assert len(shown) <= height
    assert max(map(len, shown)) <= width
    text = "\n".join(shown)
    assert shown[1].startswith(f"ldv1: {next(iter(Kind))}: it is\\n\\x1b[2Jbad")
    assert "ldv1" in text
    if height >= 24:
        assert "dead" in text
        assert "more" in text


def test_once_shows_all() -> None:
    text = "\n".join(lines(250, None))
    assert all(f"worker-{n} " in text for n in range(1, 60))
    assert "W1/I1 +1" in text
    assert " more" not in text


def test_rows_are_shared_so_that_each_table_has_some() -> None:
    assert shares(100, [2, 10, 20]) == [2, 10, 20]
    assert shares(40, [2, 90, 20]) == [2, 20, 3]
    assert shares(19, [9, 90, 20]) == [3, 1, 0]
    assert shares(10, [9, 90, 20]) == [0, 0, 0]
    assert shares(40, [0, 0, 0]) == [0, 0, 0]
