"""Which names this server answers to: a stranger's name that was made to lead here (DNS rebinding) is refused."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether what listens there is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def own_names() -> set[str]:
    """The names of this machine."""
    return {socket.gethostname().lower(), socket.getfqdn().lower()}


class Hosts:
    """Judges the ``Host`` and ``Origin`` of requests; an address in digits can't have been rebound.

    Args:
        names: those that are ours besides ``localhost``.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = {"localhost", *(name.lower().rstrip(".") for name in names)}

    def allows(self, host: str) -> bool:
        """Whether a ``Host`` header is one of ours."""
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname, parts.port  # noqa: F841 - a bad port raises
        except ValueError:
            return False
        if name is None or parts.path or parts.query or parts.fragment or parts.username is not None:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name.rstrip(".") in self._names
        return True


def same_origin(origin: str, host: str) -> bool:
    """Whether a request with this ``Origin`` came from a page of the host that it asks; TLS may end before us."""
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and bool(host) and parts.netloc.lower() == host.lower()
