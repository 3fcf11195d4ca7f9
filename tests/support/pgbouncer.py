"""A real pgbouncer in transaction mode."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from support.services import PostgresServer

_PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextlib.contextmanager
def pgbouncer(server: PostgresServer, folder: Path, *, sessions: int = 2) -> Iterator[int]:
    """The port of a pgbouncer that lends so few sessions of ``server`` to whoever comes."""
    if _PROGRAM is None:
        pytest.skip("pgbouncer is not installed (apt-get install pgbouncer)")
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "users.txt").write_text('"postgres" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={server.folder}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
        f"unix_socket_dir =\nauth_type = any\nauth_file = {folder}/users.txt\npool_mode = transaction\n"
        f"default_pool_size = {sessions}\nlogfile = {folder}/log\n".replace(
            "auth_type = any", "auth_type = trust"
        )
    )
    user = None
    if os.geteuid() == 0:  # it refuses to run as root
        user = "nobody"
        for path in (folder, *folder.iterdir()):
            os.chown(path, pwd.getpwnam(user).pw_uid, -1)
        for parent in folder.parents:
            if parent.stat().st_uid == 0 and parent != Path("/") and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
    process = subprocess.Popen(
        [_PROGRAM, "-q", str(folder / "pgbouncer.ini")],
        user=user,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(
                    f"host=127.0.0.1 port={port} user=postgres dbname=postgres", connect_timeout=2
                ).close()
                break
            assert process.poll() is None, "pgbouncer did not start"
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)
