"""The database's rows by the rules of ``bec_core.db.tasks``: claims, leases, endings; a test compares some with it."""

from __future__ import annotations

from enum import Enum, auto

from attrs import define, field

from bec_core.db.tasks import LOST_LIMIT
from fleet.tally import Tally


class Status(Enum):
    """Of a volume."""

    WAITING = auto()
    RUNNING = auto()
    DONE = auto()
    FAILED = auto()


@define
class Row:
    """A volume's entry and its task."""

    pages: int
    status: Status = Status.WAITING
    epoch: int = 0
    lease_until_s: float = 0.0
    retry_at_s: float = 0.0
    failures: int = 0
    lost: int = 0
    pages_done: int = 0
    furthest: int = 0
    kept: int = 0
    sent: bool = False
    times_done: int = 0


@define
class Refused:
    """A claim that was refused: for how long to leave it alone; None: there is nothing to do any more."""

    wait_s: float | None


@define
class Ledger:
    """All rows."""

    rows: list[Row]
    tally: Tally
    open: int = field(init=False)
    running: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.open = len(self.rows)

    @property
    def waiting(self) -> int:
        """Volumes that nobody works on, and that are not done."""
        return self.open - self.running

    def claim(self, volume: int, now: float, lease_s: float) -> Row | Refused:
        """Take a volume: if it is open, nobody holds its lease, and its back-off is over."""
        self.tally.count("claims", now)
        row = self.rows[volume]
        if row.status in (Status.DONE, Status.FAILED):
            return Refused(None)
        until = max(row.lease_until_s, row.retry_at_s)
        if until > now:
            return Refused(until - now)
        if row.status is Status.RUNNING:  # its lease ran out
            row.lost += row.pages_done <= row.furthest
        else:
            self.running += 1
        row.furthest = max(row.furthest, row.pages_done)
        row.pages_done = row.kept
        row.status = Status.RUNNING
        row.epoch += 1
        row.lease_until_s = now + lease_s
        row.retry_at_s = 0.0
        return row

    def given_up(self, row: Row) -> bool:
        """Whether its leases ran out too often, without getting any further."""
        return row.lost >= LOST_LIMIT

    def end(self, row: Row, status: Status, now: float) -> None:
        """It is done, or failed for good."""
        self.tally.count("settles", now)
        row.status = status
        row.lease_until_s = 0.0
        row.times_done += status is Status.DONE
        row.kept = 0
        self.open -= 1
        self.running -= 1

    def leave(self, row: Row, now: float, *, retry_s: float = 0.0) -> None:
        """It is handed back, or failed and is to be tried again."""
        self.tally.count("settles", now)
        row.status = Status.WAITING
        row.lease_until_s = 0.0
        row.retry_at_s = now + retry_s if retry_s else 0.0
        row.furthest = max(row.furthest, row.pages_done)
        self.running -= 1
