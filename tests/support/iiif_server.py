"""A library's server on this machine: manifests, image services, and the ways in which such servers misbehave."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from bec_iiif.fetch import Patience
from support.http_server import QuietServer

HURRIED = Patience(
    connect_s=1.0,
    silence_s=0.3,
    whole_s=1.0,
    attempts=3,
    first_pause_s=0.02,
    longest_pause_s=0.5,
    redirects=3,
)
"""How a test waits for a server."""


@dataclass
class Reply:
    """What the server does: an answer, or in place of one silence, or a body that breaks off or only drips."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    silent_s: float = 0.0
    breaks_off: bool = False
    drips_s: float = 0.0

    @classmethod
    def of_json(cls, value: Any, **headers: str) -> Reply:
        return cls(json.dumps(value).encode(), headers={"Content-Type": "application/ld+json", **headers})

    @classmethod
    def image(cls, data: bytes, **headers: str) -> Reply:
        return cls(data, headers={"Content-Type": "image/jpeg", **headers})


@dataclass
class Asked:
    """A request as it came: the path is as the client wrote it."""

    path: str
    headers: Mapping[str, str]
    at: float


Answering = Callable[[str], Reply | None]


@dataclass
class IiifServer:
    """Replies by path; ``troubles`` come first, one a request; ``services`` are asked for what has no reply."""

    url: str
    replies: dict[str, Reply] = field(default_factory=dict)
    troubles: dict[str, list[Reply]] = field(default_factory=dict)
    services: list[Answering] = field(default_factory=list)
    etags: bool = False
    asked: list[Asked] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    def reply_to(self, path: str) -> Reply:
        if self.troubles.get(path):
            return self.troubles[path].pop(0)
        if path in self.replies:
            return self.replies[path]
        for service in self.services:
            if (found := service(path)) is not None:
                return found
        return Reply(b"<html>no such thing</html>", 404, {"Content-Type": "text/html"})


@contextmanager
def iiif_server() -> Iterator[IiifServer]:
    """A running server."""
    found: IiifServer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found.asked.append(Asked(self.path, dict(self.headers), time.monotonic()))
            reply = found.reply_to(self.path)
            if reply.silent_s:
                ended.wait(reply.silent_s)
                self.close_connection = True
                return
            etag = f'"{hashlib.md5(reply.body).hexdigest()}"' if found.etags and reply.status == 200 else None
            if etag and self.headers.get("If-None-Match") == etag:
                self.send_response(304)
                self.send_header("ETag", etag)
                self.end_headers()
                return
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            if etag:
                self.send_header("ETag", etag)
            self.end_headers()
            if reply.drips_s:
                for n in range(len(reply.body)):
                    if ended.wait(reply.drips_s):
                        return
                    self.wfile.write(reply.body[n : n + 1])
            elif reply.breaks_off:
                self.wfile.write(reply.body[: len(reply.body) // 2])
                self.close_connection = True
            else:
                self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    ended = threading.Event()
    server = QuietServer(("127.0.0.1", 0), Handler)
    found = IiifServer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def image_service(
    prefix: str, data: bytes | Callable[[str], bytes], sizes: str = r"full/(full|max)/0/(default|native)\.jpg",
    info: Callable[[str], dict[str, Any]] | None = None, refuses: int = 400,
) -> Answering:  # fmt: skip
    """An image server below a path: it gives ``data`` (of an id) for requests like ``sizes`` and refuses all others."""

    def answer(path: str) -> Reply | None:
        if not path.startswith(prefix):
            return None
        if path.endswith("/info.json") and info is not None:
            return Reply.of_json(info(path.removesuffix("/info.json")))
        asked = re.fullmatch(rf"({re.escape(prefix)}.+?)/((?:full|pct:|\d)[^/]*/[^/]+/[^/]+/[^/]+)", path)
        if asked is None:
            return None
        if not re.fullmatch(sizes, asked[2]):
            return Reply(b"unsupported size", refuses, {"Content-Type": "text/plain"})
        return Reply.image(data(asked[1]) if callable(data) else data)

    return answer
