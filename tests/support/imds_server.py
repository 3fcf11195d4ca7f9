"""An instance metadata service (IMDSv2) for tests: tokens that end, notices that appear, silence."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

from support.http_server import QuietServer


class Metadata:
    """What the service says; change it while it runs."""

    def __init__(self) -> None:
        self.values = {"instance-id": "i-0123456789abcdef0", "placement/region": "us-east-1"}
        self.tokens: set[str] = set()
        self.silent_s = 0.0
        self.asked: list[str] = []
        self.url = ""

    def interrupt(self, in_s: float) -> None:
        """Announce a spot interruption."""
        at = datetime.now(UTC) + timedelta(seconds=in_s)
        said = {"action": "terminate", "time": at.strftime("%Y-%m-%dT%H:%M:%SZ")}
        self.values["spot/instance-action"] = json.dumps(said)

    def rebalance(self) -> None:
        """Recommend to leave."""
        self.values["events/recommendations/rebalance"] = json.dumps({"noticeTime": "2026-01-02T03:04:05Z"})

    def terminate(self) -> None:
        """Let the group take the instance out."""
        self.values["autoscaling/target-lifecycle-state"] = "Terminated"


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""

    def _say(self, status: int, text: str = "") -> None:
        time.sleep(self.server.metadata.silent_s)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self) -> None:
        told: Metadata = self.server.metadata
        if self.path != "/latest/api/token" or not self.headers.get("X-aws-ec2-metadata-token-ttl-seconds"):
            self._say(400)
            return
        token = f"token-{len(told.asked)}"
        told.tokens.add(token)
        told.asked.append("token")
        self._say(200, token)

    def do_GET(self) -> None:
        told: Metadata = self.server.metadata
        told.asked.append(self.path)
        if self.headers.get("X-aws-ec2-metadata-token") not in told.tokens:
            self._say(401)
            return
        text = told.values.get(self.path.removeprefix("/latest/meta-data/"))
        self._say(404 if text is None else 200, text or "")


@contextmanager
def imds_server() -> Iterator[Metadata]:
    """The service, and what it says."""
    server = QuietServer(("127.0.0.1", 0), _Handler)
    server.metadata = metadata = Metadata()  # type: ignore[attr-defined]
    metadata.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield metadata
    finally:
        server.shutdown()
        server.server_close()
