"""An HTTP proxy that behaves badly on command: what a network and a busy service do to a client.

    with FaultyProxy("http://127.0.0.1:5000") as proxy:
        proxy.fail(Fault("status", status=503), method="GET", path="page", times=2)
        ...  # use proxy.url in place of the service's

A rule that matches is used up ``times`` times, in the order in which the rules were given; whatever no
rule matches is passed on. ``proxy.seen`` lists every request as (method, path with query, fault or None).
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from support.http_server import QuietServer

Kind = Literal[
    "status",  # answer with an error; nothing reaches the service
    "truncate",  # pass on, announce the whole body, send its first half, close
    "hang",  # say nothing for `seconds`, then close; nothing reaches the service
    "stall",  # pass on, send the first half of the body, then nothing for `seconds`
    "drop",  # close the connection; nothing reaches the service
    "drop_upload",  # read half of the request's body, then close; nothing reaches the service
    "lose_answer",  # pass on, then close without an answer: the service has done it
    "slow",  # pass on after `seconds`
]


@dataclass
class Fault:
    """One way to fail."""

    kind: Kind
    status: int = 503
    code: str = "SlowDown"
    seconds: float = 60.0


@dataclass
class _Rule:
    fault: Fault
    method: str
    path: str
    left: int


@dataclass
class FaultyProxy:
    """A proxy in front of ``upstream`` (``http://host:port``) on a free port of 127.0.0.1."""

    upstream: str
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)
    _rules: list[_Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail(self, fault: Fault, *, method: str = "", path: str = "", times: int = 1) -> None:
        """From now on let the next ``times`` requests whose path contains ``path`` fail."""
        with self._lock:
            self._rules.append(_Rule(fault, method, path, times))

    def heal(self) -> None:
        """Forget all rules and what was seen."""
        with self._lock:
            self._rules.clear()
            self.seen.clear()

    def next_fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for rule in self._rules:
                if rule.left > 0 and rule.method in ("", method) and rule.path in path:
                    rule.left -= 1
                    self.seen.append((method, path, rule.fault.kind))
                    return rule.fault
            self.seen.append((method, path, None))
            return None

    def close(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(QuietServer):
    proxy: FaultyProxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    def _serve(self) -> None:
        proxy = self.server.proxy
        fault = proxy.next_fault(self.command, self.path)
        kind = fault.kind if fault else None
        size = int(self.headers.get("Content-Length") or 0)
        if kind == "drop" or kind == "drop_upload":
            if kind == "drop_upload":
                self.rfile.read(size // 2)
            return self._hang_up()
        body = self.rfile.read(size)
        if fault and kind == "hang":
            proxy.stopping.wait(fault.seconds)
            return self._hang_up()
        if fault and kind == "status":
            text = f"<Error><Code>{fault.code}</Code><Message>told to fail</Message></Error>".encode()
            return self._answer(fault.status, [("Content-Type", "application/xml")], text)
        if fault and kind == "slow":
            proxy.stopping.wait(fault.seconds)
        status, headers, answer = self._pass_on(body)
        if kind == "lose_answer":
            return self._hang_up()
        if fault and kind in ("truncate", "stall"):
            self._answer(status, headers, answer, send=len(answer) // 2)
            if kind == "stall":
                proxy.stopping.wait(fault.seconds)
            return self._hang_up()
        return self._answer(status, headers, answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve

    def _pass_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        # The Host header goes on unchanged: it is part of what the client signed.
        target = urlsplit(self.server.proxy.upstream)
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "expect"):
                    connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    def _answer(
        self, status: int, headers: list[tuple[str, str]], body: bytes, *, send: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                self.send_header(name, value)
        announced = [value for name, value in headers if name.lower() == "content-length"]
        of_head = self.command == "HEAD" and announced
        self.send_header("Content-Length", announced[0] if of_head else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:send])
            self.wfile.flush()

    def _hang_up(self) -> None:
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            time.sleep(0)  # it is closed already
