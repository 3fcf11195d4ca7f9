"""Telling a service manager how the process stands: systemd's notification protocol (``sd_notify``), one datagram each.

Everything here is for a machine: no answer comes, and a manager that can't be told fails no worker.
"""

from __future__ import annotations

import socket
import threading

from loguru import logger

from bec_core.settings import Supervision

_SEND_S = 1.0  # a manager that does not read must not hold a worker up


class ServiceManager:
    """Who started the process and watches it; without a socket (started by hand), nobody is told anything."""

    def __init__(self, supervision: Supervision) -> None:
        self._address = _address(supervision.notify_socket)
        self.watchdog_s = supervision.watchdog_s if self._address else None
        self._lock = threading.Lock()
        self._status = ""
        self._is_ready = False
        self._is_stopping = False
        self._complained = False

    @property
    def watches_start_or_stop(self) -> bool:
        """Whether it is the time for starting or for stopping that runs, not the watchdog's alone."""
        return not self._is_ready or self._is_stopping

    def ready(self, status: str) -> None:
        """The start is over: said once, and not once it stops."""
        with self._lock:
            first = not self._is_ready
            self._is_ready = True
        if first and not self._is_stopping:
            self._send("READY=1")
        self.status(status)

    def stopping(self, status: str) -> None:
        """The process is about to end; said once."""
        with self._lock:
            first = not self._is_stopping
            self._is_stopping = True
        if first:
            self._send("STOPPING=1")
        self.status(status)

    def status(self, text: str) -> None:
        """What ``systemctl status`` shows; sent when it is another one."""
        line = " ".join(text.split())
        with self._lock:
            if line == self._status:
                return
            self._status = line
        self._send(f"STATUS={line}")

    def alive(self) -> None:
        """Feed the watchdog."""
        if self.watchdog_s is not None:
            self._send("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """The start or the stop goes on: allow it this much more from now."""
        self._send(f"EXTEND_TIMEOUT_USEC={_microseconds(seconds)}")

    def watch_every(self, seconds: float | None = None) -> None:
        """Let the watchdog wait this long from now on; None: as long as it was told to at first."""
        if self.watchdog_s is not None:
            self._send(f"WATCHDOG_USEC={_microseconds(seconds or self.watchdog_s)}", "WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(_SEND_S)
                sender.sendto("\n".join(lines).encode("utf-8", "backslashreplace"), self._address)
        except OSError as error:
            if not self._complained:
                self._complained = True
                logger.warning("the service manager can't be told that {}: {}", lines[0], error)


def _address(notify_socket: str | None) -> str | None:
    """Where datagrams go: a path, or an abstract socket, whose name begins with a zero byte in place of the @."""
    if notify_socket is None:
        return None
    if notify_socket.startswith("/"):
        return notify_socket
    if notify_socket.startswith("@"):
        return "\0" + notify_socket[1:]
    logger.warning("NOTIFY_SOCKET={} is no Unix socket: no service manager is told anything", notify_socket)
    return None


def _microseconds(seconds: float) -> int:
    return max(1, round(1e6 * seconds))
