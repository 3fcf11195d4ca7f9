"""A TCP proxy whose network can go silent: nothing is passed on any more, and nobody is told.

with SilentNetwork(upstream) as network:
    ...  # connect to network.host, network.port
    network.fall_silent()
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self


@dataclass
class SilentNetwork:
    """Passes bytes between a free port of 127.0.0.1 and ``upstream`` (a unix socket, or a host and port)."""

    upstream: Path | tuple[str, int]
    _silent: threading.Event = field(default_factory=threading.Event)
    _sockets: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def dsn(self, database: str, user: str = "postgres") -> str:
        return f"host=127.0.0.1 port={self.port} user={user} dbname={database} sslmode=disable gssencmode=disable"

    def fall_silent(self) -> None:
        """From now on swallow what either side says; connections stay, new ones are taken and never answered."""
        self._silent.set()

    def recover(self) -> None:
        """Pass on what comes from now on; what was swallowed is lost."""
        self._silent.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            if self._silent.is_set():
                continue
            if isinstance(self.upstream, Path):
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self.upstream))
            else:
                server = socket.create_connection(self.upstream)
            self._sockets.append(server)
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self._silent.is_set():
                    target.sendall(data)
            if not self._silent.is_set():  # who vanished doesn't say farewell
                target.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        for one in self._sockets:
            one.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
