"""One connection to PostgreSQL, with deadlines on both sides."""

from __future__ import annotations

import select
import time
from typing import Any, Self, TypeVar

import psycopg
from psycopg import generators
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo
from psycopg.pq import ExecStatus, TransactionStatus

from bec_core.db.deadlines import DEADLINES, Deadline, Line, Purpose, Watchdog

_T = TypeVar("_T")

CONNECT_S = 5
# The client's kernel: a peer that is gone is noticed within half a minute, also while nothing is sent.
_KEEPALIVE = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# The same on the server's side, which else keeps a vanished client's session for hours.
_SERVER_KEEPALIVE = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
_TRUST_S = 10.0  # a connection that answered so recently is only looked at, not asked


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection whose every wait for an answer has an end. Made by :func:`connect`.

    The limits of :attr:`Purpose.WORK` are the session's; another purpose's come with ``BEGIN``, in the same
    message, so they cost no round trip. Behind a pooler, whose sessions are not ours, all come that way.
    """

    pooled: bool = False
    """Whether a pooler lends its server's sessions to one transaction after the other (pgbouncer, say):
    nothing that belongs to a session works then, as LISTEN, session locks and prepared statements."""

    _watchdog: Watchdog | None = None
    _line: Line | None = None
    _answer_s: float = CONNECT_S
    _begin: bytes = b"BEGIN"
    _answered: float = 0.0

    def wait(self, gen: PQGen[_T], *args: Any, **kwargs: Any) -> _T:
        """Wait for the server as psycopg does, for as long as the purpose allows."""
        watchdog, line = self._watchdog, self._line
        if watchdog is None or line is None:
            return super().wait(gen, *args, **kwargs)
        watchdog.arm(line, self._answer_s)
        try:
            answer = super().wait(gen, *args, **kwargs)
        finally:
            watchdog.disarm(line)
        self._answered = time.monotonic()
        return answer

    def close(self) -> None:
        """Close the connection; never waits."""
        super().close()
        if self._line is not None:
            self._line.close()

    @property
    def cut_after_s(self) -> float | None:
        """After how long the watchdog ended a wait on it, if it did."""
        return self._line.cut_after_s if self._line else None

    def watched_by(self, watchdog: Watchdog) -> Self:
        """Let a watchdog end waits that take too long."""
        self._watchdog = watchdog
        self._line = Line(self.fileno())
        return self

    def prepare_for(self, purpose: Purpose) -> None:
        """From now on (no transaction is open) a transaction is one for this purpose."""
        deadline = DEADLINES[purpose]
        self._answer_s = deadline.answer_s
        begin = "BEGIN READ ONLY" if purpose is Purpose.READ else "BEGIN"
        if self.pooled or purpose is not Purpose.WORK:
            begin += "".join(f"; SET LOCAL {name} = {value}" for name, value in deadline.settings.items())
        self._begin = begin.encode()

    def answer_within(self, limit_s: float) -> None:
        """Wait no longer than this for an answer, until the connection is lent again."""
        self._answer_s = min(self._answer_s, limit_s)

    def set_up(self) -> None:
        """Find out whose session it is, and give one of our own its limits."""
        self.autocommit = True
        row = self.execute("SELECT pg_backend_pid()", prepare=False).fetchone()
        # A pooler answers for the server, but the session it lends has the server's process behind it.
        self.pooled = row is None or row[0] != self.info.backend_pid
        if self.pooled:
            self.prepare_threshold = None
        else:
            names, values = _session_settings(DEADLINES[Purpose.WORK])
            self.execute(
                "SELECT set_config(n, v, false) FROM unnest(%s::text[], %s::text[]) AS s (n, v)",
                (names, values),
                prepare=False,
            )
        self.autocommit = False

    def alive(self) -> bool:
        """Whether it can be lent again: a look at its socket, and a question if it was idle for long."""
        if self.closed or self.cut_after_s is not None:
            return False
        try:
            said = bool(select.select([self.fileno()], [], [], 0)[0])  # unasked: a notification, or farewell
            if said or time.monotonic() - self._answered > _TRUST_S:
                self._answer_s = CONNECT_S
                self.execute("", prepare=False)
                self.rollback()
        except (psycopg.Error, OSError, ValueError):
            return False
        return True

    def _start_query(self) -> PQGen[None]:
        # What psycopg does before a statement when no transaction is open, but for several statements in one
        # message: its own way takes one answer only.
        if self.autocommit or self.pgconn.transaction_status != TransactionStatus.IDLE:
            return
        if self.pgconn.pipeline_status:
            raise psycopg.NotSupportedError("a pipeline can't begin a transaction with deadlines of its own")
        self.pgconn.send_query(self._begin)
        for result in (yield from generators.execute(self.pgconn)):
            if result.status != ExecStatus.COMMAND_OK:
                raise psycopg.errors.error_from_result(result, encoding=self.info.encoding)


def connect(conninfo: str, watchdog: Watchdog) -> Connection:
    """A new connection, ready for :attr:`Purpose.WORK`."""
    params = make_conninfo(conninfo, application_name="bec", connect_timeout=CONNECT_S, **_KEEPALIVE)
    new = Connection.connect(params).watched_by(watchdog)
    try:
        new.set_up()
        new.prepare_for(Purpose.WORK)
    except BaseException:
        new.close()
        raise
    return new


def _session_settings(deadline: Deadline) -> tuple[list[str], list[str]]:
    settings = {**deadline.settings, **_SERVER_KEEPALIVE}
    return list(settings), list(settings.values())
