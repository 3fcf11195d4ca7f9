"""Which workers live, what they are doing, what they have done."""

from __future__ import annotations

from typing import Literal, get_args

from attrs import frozen

from bec_core.admin.session import Session
from bec_core.db.reads import worker_list
from bec_core.db.reads.worker_list import WorkerRow, WorkerTotals
from bec_core.db.workers import ALIVE_S
from bec_core.errors import NotFoundError
from bec_core.models import Job

__all__ = [
    "STATES", "WorkerRow", "WorkerTotals", "WorkerView", "find_worker", "list_workers", "standing_workers",
    "worker_totals",
]  # fmt: skip

State = Literal["dead", "idle", "working", "stopped"]
STATES: tuple[State, ...] = get_args(State)
"""How a worker can be: what needs a look first."""


@frozen
class WorkerView:
    """A worker and how it is: ``dead`` if its heartbeats ended without a word. ``pages_per_s`` is of the
    tasks at hand, without the pages that earlier attempts had done; None without any."""

    row: WorkerRow
    state: State
    pages_per_s: float | None

    @classmethod
    def of(cls, row: WorkerRow) -> WorkerView:
        """Judge a worker's row."""
        state: State
        if row.stopped_at is not None:
            state = "stopped"
        elif row.heartbeat_s > ALIVE_S:
            state = "dead"
        else:
            state = "working" if row.activity else "idle"
        rates = [
            (entry["pages_done"] - entry["pages_resumed"]) / entry["seconds"]
            for entry in row.activity
            if entry["seconds"]
        ]
        return cls(row, state, sum(rates) if rates and state == "working" else None)


def list_workers(
    session: Session, job: Job | None = None, *, seen_within_s: float, limit: int
) -> list[WorkerView]:
    """The workers heard of within ``seen_within_s``, those not stopped first."""
    with session.database.reading() as connection:
        rows = worker_list.workers(
            connection, job.id if job else None, seen_within_s=seen_within_s, limit=limit
        )
    return [WorkerView.of(row) for row in rows]


def standing_workers(session: Session, job: Job | None = None, *, limit: int) -> list[WorkerView]:
    """The workers that did not stop, dead ones among them; those heard of longest ago first."""
    with session.database.reading() as connection:
        rows = worker_list.standing(connection, job.id if job else None, limit=limit)
    return [WorkerView.of(row) for row in rows]


def find_worker(session: Session, worker_id: int) -> WorkerView:
    """The worker of this id.

    Raises:
        NotFoundError: there is none.
    """
    with session.database.reading() as connection:
        row = worker_list.worker(connection, worker_id)
    if row is None:
        raise NotFoundError(f"there is no worker {worker_id}; see: bec workers list --since 30d")
    return WorkerView.of(row)


def worker_totals(session: Session, worker_id: int) -> WorkerTotals:
    """What the worker has done."""
    with session.database.reading() as connection:
        return worker_list.totals(connection, worker_id)
