"""Which addresses may be asked: a message in a queue must not lead a worker to its own network.

Server-side request forgery is held off where it happens, at the connection: the name is looked up once, every address
is judged, and the connection goes to an address that was judged; so a name that changes its address between the
look-up and the connection gains nothing, and neither does a redirect.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urljoin, urlsplit

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import LocationParseError, NameResolutionError, NewConnectionError
from urllib3.util import parse_url

from bec_iiif.errors import NotAllowed

_NAT64 = ip_network("64:ff9b::/96")


def normal_url(url: str) -> str:
    """The URL with its host in small letters, without a fragment, with what must be escaped escaped.

    What is escaped already stays so (``%2F`` in an image's id is no slash).

    Raises:
        NotAllowed: it is no http or https URL with a host, or it holds a user's name.
    """
    try:
        parsed = parse_url(url.strip())
    except LocationParseError as error:
        raise NotAllowed(f"{url[:200]!r} is not a URL: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise NotAllowed(f"{url[:200]!r} is not an http or https URL")
    if parsed.auth:
        raise NotAllowed(f"{parsed.host}: a URL with a user's name or password is not asked")
    port = None if parsed.port == {"http": 80, "https": 443}[parsed.scheme] else parsed.port
    return parsed._replace(fragment=None, port=port, path=parsed.path or "/").url


def normal_joined(base: str, url: str) -> str:
    """``url``, which may be relative, as :func:`normal_url` has it.

    Raises:
        NotAllowed: as :func:`normal_url`.
    """
    try:
        return normal_url(urljoin(base, url.strip()))
    except ValueError as error:  # brackets that are no address's
        raise NotAllowed(f"{url[:200]!r} is not a URL: {error}") from None


def host_of(url: str) -> str:
    """The URL's host, with its port where it has one."""
    return urlsplit(url).netloc


def is_public(text: str) -> bool:
    """Whether an IP address is one of the open Internet, also where an IPv6 one stands for an IPv4 one."""
    address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast


class _Guarded:
    """Connects to a looked-up address that is public, and to no other."""

    _dns_host: str
    host: str
    port: int

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        try:
            found = socket.getaddrinfo(name.strip("[]"), self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            reason = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
            raise NameResolutionError(name, self, reason) from error  # type: ignore[arg-type]  # a mixin
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        if inside := [address for address in addresses if not is_public(address)]:
            raise NotAllowed(
                f"{name} is not asked: {inside[0]} is an address of this machine or of a private network"
                " (BEC_IIIF_ALLOW_PRIVATE=1 allows it)"
            )
        trouble: NewConnectionError | None = None
        for address in addresses:
            self._dns_host = address  # what is connected to; certificates are still checked against the name
            try:
                connected: socket.socket = super()._new_conn()  # type: ignore[misc]  # of urllib3's connection
                return connected
            except NewConnectionError as error:
                trouble = error
            finally:
                self._dns_host = name
        raise trouble or NewConnectionError(self, f"{name} has no address")  # type: ignore[arg-type]


class _GuardedHTTP(_Guarded, HTTPConnection):
    """http to public addresses."""


class _GuardedHTTPS(_Guarded, HTTPSConnection):
    """https to public addresses."""


class _GuardedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _GuardedHTTP


class _GuardedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPS


def connections(*, allow_private: bool, at_once: int, **more: Any) -> PoolManager:
    """Pools of connections, to public addresses alone unless ``allow_private``; ``at_once`` are kept for a host."""
    manager = PoolManager(num_pools=32, maxsize=at_once, block=False, **more)
    if not allow_private:
        manager.pool_classes_by_scheme = {"http": _GuardedHTTPPool, "https": _GuardedHTTPSPool}
    return manager
