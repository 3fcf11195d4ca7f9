"""The embedded server's life: started by its first user, shared, stopped by its last."""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from loguru import logger
from psycopg.pq import PGconn, Ping

from bec_core.db.embedded.accounts import Account, server_account
from bec_core.db.embedded.binaries import programs
from bec_core.db.embedded.cluster import Cluster, kill_and_wait, run_program
from bec_core.db.embedded.files import SharedLock, exclusive_lock, keep_small, tail
from bec_core.db.embedded.standby import Standby
from bec_core.errors import DatabaseUnavailable

# Recovery after a crash replays at most max_wal_size, but disks can be slow.
_START_SECONDS = 120.0
# A dead server's children end by themselves within moments; after that they are made to.
_ORPHAN_SECONDS = 2.0
_SILENT_SECONDS = 10.0
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.01


class EmbeddedServer:
    """A server that this process becomes a user of by :meth:`enter`; made by :func:`embedded_server`.

    ``idle_s``: how long it is kept for the next user when the last one has left.
    """

    def __init__(self, cluster: Cluster, account: Account, idle_s: float = 0.0) -> None:
        self._cluster = cluster
        self._account = account
        self._idle_s = idle_s
        self._pid = os.getpid()
        self._conninfo = ""
        self._user: SharedLock | None = None

    def enter(self) -> None:
        """Become a user of the server, which runs from now on.

        Raises:
            DatabaseUnavailable: it can't be started.
        """
        with self._alone():
            self._user = self._as_user()
        try:
            self.ensure_running()
        except BaseException:
            self.leave()
            raise

    @property
    def process(self) -> psutil.Process | None:
        """The server's process, if it runs."""
        return self._cluster.postmaster()

    @property
    def idle_s(self) -> float:
        """How long it is kept for the next user when the last one has left, in seconds."""
        return self._idle_s

    @property
    def conninfo(self) -> str:
        """How to connect, as a libpq string without secrets.

        It stays the same when the server is started anew, except where the folder's name is too long for
        a socket and another program has taken the TCP port meanwhile.
        """
        return self._conninfo

    def ensure_running(self) -> str:
        """Start the server unless it runs (it may have been killed), and return ``conninfo``.

        Takes some milliseconds if it runs; any thread may call it, and a connection pool may take it as its
        ``conninfo``, so that it finds a server that was killed running again. Raises DatabaseUnavailable, with the end
        of the server's log, when it can't be started.
        """
        with _explained(self._cluster.root), self._alone():
            started = time.monotonic()
            keep_small(self._cluster.log)
            begun = self._ensure()
            took = 1000 * (time.monotonic() - started)
        if begun:
            logger.debug("Started PostgreSQL in {} in {:.0f} ms", self._cluster.root, took)
        else:
            logger.debug("PostgreSQL in {} runs (seen in {:.0f} ms)", self._cluster.root, took)
        return self._conninfo

    def leave(self) -> None:
        """Stop using the server; its last user stops it, whoever started it, or has it stopped when it was idle."""
        if os.getpid() != self._pid or self._user is None:
            return  # a forked child inherits this object, but its parent is the user
        try:
            with self._alone():
                if self._user.release() and not (self._idle_s and self._keep()):
                    self._stop()
        # The user's work is done and safe in the database: a server left behind must not spoil that.
        except (OSError, DatabaseUnavailable, psutil.Error) as error:
            logger.warning("PostgreSQL in {} may still run: {}", self._cluster.root, error)

    def stop_unused(
        self, is_due: Callable[[], bool] = lambda: True, last: Callable[[], None] = lambda: None
    ) -> bool:
        """Stop the server unless somebody uses it; with nobody else at work on it.

        ``is_due`` says whether it is to be looked at at all (else False); ``last`` is called at the end of that.
        """
        with self._alone():
            if not is_due():
                return False
            if self._as_user().release():
                self._stop()
            last()
            return True

    def _as_user(self) -> SharedLock:
        return SharedLock(self._account, self._cluster.root / "users.lock")

    def _keep(self) -> bool:
        """Let the server run, and somebody wait beside it; False: that can't be."""
        if self._cluster.postmaster() is None:
            return False
        try:
            Standby(self._account, self._cluster.root).arrange(self._idle_s)
        except OSError as error:
            logger.warning("nobody can wait for the end of PostgreSQL's idle time: {}", error)
            return False
        return True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only process at work on the server's files, with the rights of its account."""
        path = self._cluster.root / "start.lock"
        with (
            self._account.acting(),
            exclusive_lock(self._account, path, _START_SECONDS + _STOP_SECONDS),
        ):
            yield

    def _ensure(self) -> bool:
        """Wait for the server, or start it (then true). Holds the start lock."""
        begun = False
        since = time.monotonic()
        self._cluster.check_trust(self._account)
        while (answer := self._ask()) != Ping.OK:
            waited = time.monotonic() - since
            if answer == Ping.REJECT:  # it is starting up or shutting down, whoever told it to
                if waited > _START_SECONDS:
                    raise self._failure("neither becomes ready nor ends")
            elif not (living := self._living()):
                self._start()
                begun = True
            elif self._cluster.postmaster() is None:
                if waited > _ORPHAN_SECONDS:
                    kill_and_wait(living)
            elif waited > _SILENT_SECONDS:
                raise self._failure(f"runs (process {living[0].pid}) but does not answer; end it")
            time.sleep(_POLL_SECONDS)
        return begun

    def _ask(self) -> Ping:
        port = None
        if self._cluster.tcp:
            found = self._cluster.pid_file()
            if found is None or found.port is None or self._cluster.postmaster() is None:
                return Ping.NO_RESPONSE  # whatever listens on that port now is not ours
            port = found.port
        self._conninfo = self._cluster.conninfo(port)
        return Ping(PGconn.ping(self._conninfo.encode()))

    def _living(self) -> list[psutil.Process]:
        # A server that ended properly has removed this file; then there is no need to look at every process.
        if (self._cluster.data / "postmaster.pid").exists():
            return self._cluster.processes()
        return []

    def _start(self) -> None:
        cluster, account = self._cluster, self._account
        if blocked := account.first_blocked(cluster.root):
            raise _unreachable(account, blocked)
        folder = programs(cluster.root, account)
        cluster.create(folder, account)
        port = self._free_port() if cluster.tcp else None
        cluster.clear_way(account)
        cluster.configure(account, port)
        before = cluster.log.stat().st_size if cluster.log.exists() else 0
        # Relative paths, because pg_ctl passes them through a shell.
        command: list[str | Path] = [folder / "pg_ctl", "start", "-w", "-t", f"{_START_SECONDS:.0f}", "-s"]
        command += ["-D", cluster.data.name, "-l", cluster.log.name]
        result = run_program(command, account, cwd=cluster.root, timeout=_START_SECONDS + 30)
        if result.returncode:
            raise self._failure("did not start", before, result.stderr)

    def _free_port(self) -> int:
        """The port of the server that was killed, for the sake of its clients, or any free one."""
        found = self._cluster.pid_file()
        for port in (found.port if found and found.port else 0, 0):
            with socket.socket() as probe, suppress(OSError):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
        raise DatabaseUnavailable("No TCP port is free on 127.0.0.1 for PostgreSQL.")

    def _stop(self) -> None:
        server = self._cluster.postmaster()
        if server is None:
            return
        started = time.monotonic()
        # PostgreSQL's "fast" shutdown: clients are cut off, nothing is lost.
        server.send_signal(signal.SIGINT)
        # It removes its pid file at the very end; waiting for the process would need somebody to reap it.
        while self._cluster.postmaster() == server:
            if time.monotonic() - started > _STOP_SECONDS:
                raise self._failure(f"(process {server.pid}) did not stop within {_STOP_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)
        took = 1000 * (time.monotonic() - started)
        logger.debug("Stopped PostgreSQL in {} in {:.0f} ms", self._cluster.root, took)

    def _failure(self, what: str, log_offset: int = 0, said: str = "") -> DatabaseUnavailable:
        log = tail(self._cluster.log, log_offset) or said.strip()
        return DatabaseUnavailable(
            f"The embedded PostgreSQL in {self._cluster.root} {what}. The end of {self._cluster.log}:\n{log}"
        )


@contextmanager
def embedded_server(home: Path, *, idle_s: float = 0.0) -> Iterator[EmbeddedServer]:
    """Use the PostgreSQL server below ``home`` (``BEC_HOME``, absolute), starting it if it doesn't run.

    It is shared by all processes that give the same ``home``, and stops when the last of them has left,
    whoever started it: at once, or when it was idle for ``idle_s`` seconds. A user is a lock on a file, so one that
    is killed counts no longer; if the last one is killed, the server stays for the next. Nothing outside ``home`` is
    written. As root the server runs as the account that owns ``home/postgres``, at first ``nobody``.

    Raises DatabaseUnavailable, with the way out, when it can't be had.
    """
    if not home.is_absolute():
        raise ValueError(f"home must be an absolute path, not {home}")
    with _explained(home):
        cluster = Cluster(home.resolve() / "postgres")
        account = server_account(cluster.root)
        _make_root(cluster.root, account)
        with account.acting():
            cluster.check_trust(account)
        server = EmbeddedServer(cluster, account, idle_s)
        server.enter()
    try:
        yield server
    finally:
        server.leave()


def stop_idle_server(home: Path) -> bool | None:
    """Stop the server below ``home`` unless somebody uses it (then False); None: none runs there.

    Raises:
        DatabaseUnavailable: it can't be stopped.
    """
    cluster = Cluster(home.resolve() / "postgres")
    if not cluster.root.is_dir():
        return None
    with _explained(home):
        account = server_account(cluster.root)
        with account.acting():
            cluster.check_trust(account)
        server = EmbeddedServer(cluster, account)
        if server.process is None:
            return None
        server.stop_unused()
    return server.process is None


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn an error of the file system into one that names the folder and the way out."""
    try:
        yield
    except OSError as error:
        raise DatabaseUnavailable(
            f"The embedded PostgreSQL can't use {error.filename or folder}: {error.strerror}. Set BEC_HOME "
            "to a folder of your own with room in it, or BEC_SQL_* to use another PostgreSQL server."
        ) from error


def _make_root(root: Path, account: Account) -> None:
    """Make the server's folder, private to its account, and the folders above it."""
    if root.is_dir() or root.is_symlink():
        return
    home = root.parent
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    if blocked := account.first_blocked(there):
        raise _unreachable(account, blocked)
    for folder in [*reversed(home.parents), home]:
        if not folder.exists():
            with suppress(FileExistsError):
                folder.mkdir()
                if account.switch:  # the account must get through, whatever root's umask is
                    with _just_made(folder) as fd:
                        os.fchmod(fd, stat.S_IMODE(os.fstat(fd).st_mode) | 0o011)
    made = Path(tempfile.mkdtemp(dir=home, prefix=".postgres-"))
    if account.switch:
        with _just_made(made) as fd:
            if os.listdir(fd):  # noqa: PTH208 - of this folder, whatever its name now stands for
                raise FileExistsError(errno.ENOTEMPTY, "something was put into it", str(made))
            os.fchown(fd, account.uid, account.gid)
    try:
        made.rename(root)
    except OSError:
        made.rmdir()
        if not root.is_dir():  # else another process was quicker
            raise


@contextmanager
def _just_made(folder: Path) -> Iterator[int]:
    """A handle on a folder that this process has just made, and on nothing else that somebody put in its place."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(fd).st_uid != os.geteuid():
            raise DatabaseUnavailable(
                f"{folder} was replaced while it was made: set BEC_HOME to a folder of your own."
            )
        yield fd
    finally:
        os.close(fd)


def _unreachable(account: Account, blocked: Path) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"PostgreSQL can't run as root, and the account {account.name!r}, which runs it instead, can't enter "
        f"{blocked}: set BEC_HOME to a folder that every account can reach (/var/lib/bec, say), or run bec "
        "as a normal user."
    )
