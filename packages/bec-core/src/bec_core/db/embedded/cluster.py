"""The data directory: made once, configured at every start, and who is running on it."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from attrs import frozen
from loguru import logger
from psycopg.conninfo import make_conninfo

from bec_core.db.embedded.accounts import Account
from bec_core.db.embedded.binaries import MAJOR
from bec_core.db.embedded.files import sync_folder, write_for
from bec_core.errors import DatabaseUnavailable

ROLE = "bec"
_PORT = 5432  # names the socket; no TCP port is opened with it
# sun_path's size (108 on Linux, 104 elsewhere) less the closing zero.
_SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103
_INITDB_SECONDS = 300.0
# No process has it (it is above every system's limit), so PostgreSQL sees that the file is a dead server's.
_NO_PROCESS = 2**31 - 1

# Paths in it are relative to the data directory: no quoting, and no limit on the server's side.
_CONFIGURATION = """\
# Written by bec at every start; ALTER SYSTEM sets what shall differ.
listen_addresses = '{addresses}'
port = {port}
unix_socket_directories = '../run'
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = 64MB
# Everything inside BEC_HOME: no files in /dev/shm (which is tiny in containers).
dynamic_shared_memory_type = mmap
# A small server without replicas: fewer processes, less log to write and to keep.
io_method = sync
wal_level = minimal
max_wal_senders = 0
max_logical_replication_workers = 0
min_wal_size = 32MB
max_wal_size = 256MB
timezone = 'UTC'
log_timezone = 'UTC'
client_encoding = 'UTF8'
# The log is for what happens to the server; a statement that fails is its client's to report.
log_checkpoints = off
log_min_error_statement = panic
"""


@frozen
class PidFile:
    """What ``postmaster.pid`` says: the server's process, and its TCP port where one was written."""

    pid: int
    port: int | None


@frozen
class Cluster:
    """The files of one embedded server, all below ``root`` (``BEC_HOME/postgres``)."""

    root: Path

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.root / "data"

    @property
    def run(self) -> Path:
        """The folder of the server's socket; only its account and root can enter it."""
        return self.root / "run"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.root / "server.log"

    @property
    def password(self) -> Path:
        """The password for TCP connections, in libpq's format."""
        return self.root / "password"

    @property
    def seal(self) -> Path:
        """What says that the data directory was made here, by bec."""
        return self.root / "made-here"

    def seal_text(self) -> str:
        """What the seal must say: no archive or repository that brings a data directory along can know it."""
        found = self.data.lstat()
        return f"{found.st_ino} {found.st_uid}\n"

    def check_trust(self, account: Account) -> None:
        """Refuse a server that bec did not make here for this account: its settings and data could run anything.

        Raises DatabaseUnavailable, with the way out.
        """
        if not self.root.exists() and not self.root.is_symlink():
            return
        for path in (self.root, self.data, self.run, self.seal):
            try:
                found = path.lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISLNK(found.st_mode):
                raise _untrusted(path, "is a link", "name the real folder with BEC_HOME")
            if found.st_uid != account.uid:
                owner = f"belongs to user id {found.st_uid}, not to {account.name}"
                raise _untrusted(path, owner, "set BEC_HOME to a folder of your own")
            if found.st_mode & 0o022:
                raise _untrusted(path, "can be written by others", f"chmod go-w {path}, if nobody else did")
        if not (self.data.is_dir() and any(self.data.iterdir())):
            return
        self._check_version()
        wanted = self.seal_text()
        if not self.seal.is_file() or self.seal.read_text(errors="replace") != wanted:
            raise _untrusted(
                self.data,
                "was not made here by bec (it was copied, or came with something else)",
                "move it away to begin anew; or, if you know that it is yours, say so with "
                f"echo {wanted.strip()} > {self.seal} (as {account.name})",
            )
        for name in ("postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf"):
            if (self.data / name).is_symlink():
                raise _untrusted(self.data / name, "is a link", "remove it")
        if found_settings := _runs_code(self.data / "postgresql.auto.conf"):
            raise _untrusted(
                self.data / "postgresql.auto.conf",
                f"sets {', '.join(found_settings)}, which can run programs",
                "remove those lines",
            )

    @property
    def tcp(self) -> bool:
        """Whether the socket's path can't be used by a client, so that 127.0.0.1 and a password must do."""
        socket = os.fsencode(self.run / f".s.PGSQL.{_PORT}")
        return len(socket) > _SOCKET_PATH_BYTES or b"," in socket  # libpq splits host names at commas

    def conninfo(self, port: int | None = None) -> str:
        """How to connect; ``port`` is needed when ``tcp`` holds.

        Everything is spelled out, because PG* variables of the user's shell fill what is left open.
        """
        common = {
            "user": ROLE,
            "dbname": "postgres",
            "sslmode": "disable",
            "gssencmode": "disable",
            "connect_timeout": "10",
        }
        if not self.tcp:
            return make_conninfo(host=str(self.run), port=_PORT, hostaddr="", **common)
        return make_conninfo(
            host="127.0.0.1",
            hostaddr="127.0.0.1",
            port=port,
            password="",  # empty: taken from the file, and PGPASSWORD is not looked at
            passfile=str(self.password),
            require_auth="scram-sha-256",
            **common,
        )

    def create(self, programs: Path, account: Account) -> None:
        """Make the data directory unless it is there; half-made ones are thrown away.

        Raises DatabaseUnavailable when it can't be made or another version of PostgreSQL made it.
        """
        if self.data.is_dir() and any(self.data.iterdir()):
            self._check_version()
            return
        for leftover in self.root.glob("new-*"):
            _remove_half_made(leftover)
        logger.debug("Making a database in {}", self.data)
        building = Path(tempfile.mkdtemp(dir=self.root, prefix="new-"))
        try:
            secret = secrets.token_urlsafe(24)
            write_for(account, building / "password", secret)
            write_for(account, self.password, f"127.0.0.1:*:*:{ROLE}:{secret}\n")
            self._initdb(programs, account, building)
            (building / "data").rename(self.data)
            write_for(account, self.seal, self.seal_text())
            sync_folder(self.root)
        finally:
            shutil.rmtree(building, ignore_errors=True)

    def _initdb(self, programs: Path, account: Account, building: Path) -> None:
        # Trust on the socket: only the account and root can enter its folder, the same two that could
        # read the data files anyway. The builtin provider depends on no locale of the machine.
        command: list[str | Path] = [
            programs / "initdb",
            f"--username={ROLE}",
            "--pgdata=data",
            "--pwfile=password",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            "--set=dynamic_shared_memory_type=mmap",  # as in _CONFIGURATION: nothing is left if it is killed
        ]
        result = run_program(command, account, cwd=building, timeout=_INITDB_SECONDS)
        if result.returncode:
            raise DatabaseUnavailable(
                f"No database could be made in {self.root} (initdb, exit status {result.returncode}):\n"
                f"{_last_lines(result.stderr or result.stdout)}"
            )

    def _check_version(self) -> None:
        try:
            found = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise DatabaseUnavailable(
                f"{self.data} is not empty, and not a PostgreSQL database: move it away."
            ) from None
        if found != str(MAJOR):
            raise DatabaseUnavailable(
                f"{self.data} was made by PostgreSQL {found}, and this version of bec brings {MAJOR}: move "
                "it away to begin anew, or set BEC_HOME to another folder; the bec version that made it "
                "can still read it."
            )

    def configure(self, account: Account, port: int | None) -> None:
        """Write the server's settings; ``port`` is the TCP port on 127.0.0.1 or None for none."""
        if not self.run.is_dir():
            self.run.mkdir(mode=0o700)
        text = _CONFIGURATION.format(addresses="127.0.0.1" if port else "", port=port or _PORT)
        write_for(account, self.data / "postgresql.conf", text)

    def pid_file(self) -> PidFile | None:
        """What ``postmaster.pid`` says, or None when there is none or it was cut short."""
        try:
            lines = (self.data / "postmaster.pid").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return None
        try:
            return PidFile(abs(int(lines[0])), int(lines[3]) if len(lines) > 3 else None)
        except (IndexError, ValueError):
            return None

    def postmaster(self) -> psutil.Process | None:
        """The living server process that ``postmaster.pid`` names; never an unrelated one or a zombie."""
        found = self.pid_file()
        if found is None:
            return None
        try:
            process = psutil.Process(found.pid)
        except psutil.Error:
            return None
        return process if _works_in(process, self.data) else None

    def processes(self) -> list[psutil.Process]:
        """All living server processes that work on this data directory."""
        return _working_in(self.data)

    def clear_way(self, account: Account) -> None:
        """Make a dead server's lock files harmless; call it only when no server process lives.

        PostgreSQL won't start while the process named there lives, though that may by now be an unrelated
        one, or a zombie that nobody reaps. In ``postmaster.pid`` only the number is replaced: the rest lets
        PostgreSQL itself see whether the dead server's shared memory is in use.
        """
        for left in self.run.glob(".s.PGSQL.*"):
            left.unlink(missing_ok=True)
        path = self.data / "postmaster.pid"
        if not path.exists():
            return
        if self.pid_file() is None:
            path.unlink()
            return
        rest = path.read_text(errors="surrogateescape").partition("\n")[2]
        write_for(account, path, f"{_NO_PROCESS}\n{rest}")


# Settings that make the server start programs, load libraries, or read further settings.
_RUNS_CODE = re.compile(
    r"^\s*(\w*_command|\w*_libraries|\w*_library(?:_path)?|include\w*|data_directory|hba_file|ident_file"
    r"|extension_control_path|\w+\.\w+)\b",
    re.IGNORECASE | re.MULTILINE,
)


def _runs_code(path: Path) -> list[str]:
    try:
        return sorted(set(_RUNS_CODE.findall(path.read_text(errors="replace"))))
    except FileNotFoundError:
        return []


def _untrusted(path: Path, what: str, way_out: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(f"{path} {what}, so no server is started or used there: {way_out}.")


def run_program(
    command: Sequence[str | Path], account: Account, *, cwd: Path, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs; raises DatabaseUnavailable when it can't be run or hangs."""
    try:
        return account.run(command, cwd=cwd, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise DatabaseUnavailable(f"{command[0]} did not end within {timeout:.0f} s.") from None
    except OSError as error:
        as_whom = f" as {account.name}" if account.switch else ""
        raise DatabaseUnavailable(f"{command[0]} can't be run{as_whom}: {error.strerror}") from error


def kill_and_wait(processes: list[psutil.Process], timeout: float = 5.0) -> None:
    """Kill orphaned processes of PostgreSQL and wait until they work no more (zombies don't)."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    deadline = time.monotonic() + timeout
    while any(_is_alive(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(0.01)


def _remove_half_made(folder: Path, timeout: float = 5.0) -> None:
    """Remove what an initdb left whose user was killed; it may still be at work, and is ended."""
    deadline = time.monotonic() + timeout
    while folder.exists() and time.monotonic() < deadline:
        kill_and_wait([*_working_in(folder), *_working_in(folder / "data")])
        # Errors are ignored because a process that is about to end changes files meanwhile: once more, then.
        shutil.rmtree(folder, ignore_errors=True)


def _working_in(folder: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _works_in(process, folder)]


def _works_in(process: psutil.Process, folder: Path) -> bool:
    """Whether it is one of PostgreSQL's processes, alive, with ``folder`` as its working directory."""
    try:
        return (
            process.name() in ("postgres", "initdb")
            and _is_alive(process)
            and process.cwd() == os.path.realpath(folder)
        )
    except psutil.Error:
        return False


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _last_lines(text: str, count: int = 15) -> str:
    return "\n".join(text.strip().splitlines()[-count:])
