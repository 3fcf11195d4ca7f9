"""Asking a server: at its pace, again where that may help, within bounds of time, size and redirects."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from importlib.metadata import version

from attrs import frozen
from loguru import logger
from urllib3 import BaseHTTPResponse, PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError, InvalidHeader, MaxRetryError, ProtocolError, SSLError

from bec_iiif.address import connections, host_of, normal_joined, normal_url
from bec_iiif.errors import NotAllowed, Refused, TooLarge, Unavailable
from bec_iiif.pace import Pace

TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
"""Statuses after which a server is asked again (those from 520 are what networks of delivery say of their source)."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PIECE = 1 << 16


@frozen(kw_only=True)
class Patience:
    """How long one waits for a server, in seconds, and how often it is asked.

    Attributes:
        connect_s: for a connection.
        silence_s: between two pieces of an answer.
        whole_s: for a whole answer.
        attempts: so often is a server asked for one thing, if it says that it can't now.
        silent_attempts: the same, if it says nothing or breaks off: that takes long, and nothing can end the wait.
        first_pause_s: before it is asked again; later pauses are longer.
        longest_pause_s: the longest pause that is waited for in place, also where a server names one.
        redirects: so many are followed.
    """

    connect_s: float = 10.0
    silence_s: float = 30.0
    whole_s: float = 300.0
    attempts: int = 5
    silent_attempts: int = 2
    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    redirects: int = 5


@frozen
class Answer:
    """What a server gave: ``status`` is 200, or 304 (then there is no data); ``url`` after all redirects."""

    status: int
    data: bytes
    url: str
    headers: Mapping[str, str]


def user_agent(contact: str | None = None) -> str:
    """How BEC names itself to servers."""
    own = f"bec/{version('bec-core')} bec-iiif/{version('bec-iiif')}"
    return f"{own} ({contact})" if contact else own


class Fetcher:
    """Asks servers for things; used from many threads.

    Args:
        pace: how often a host is asked.
        patience: how long one waits.
        agent: the User-Agent.
        allow_private: whether servers of this machine and of private networks may be asked.
    """

    def __init__(self, pace: Pace, patience: Patience, *, agent: str, allow_private: bool) -> None:
        self._pace = pace
        self._patience = patience
        self._pools: PoolManager = connections(allow_private=allow_private, at_once=8)
        self._agent = agent
        self._lock = threading.Lock()
        self._moved: set[str] = set()  # hosts that led from http to https

    def get(
        self, url: str, *, most_bytes: int, accept: str, known: Mapping[str, str] | None = None
    ) -> Answer:
        """What the URL gives.

        Args:
            url: where.
            most_bytes: the largest answer that is read (after decompression).
            accept: the media types that are wanted.
            known: conditional headers of what is at hand; then the answer may be 304.

        Raises:
            Refused: the server says no.
            Unavailable: it is silent, breaks off, or can't now, again and again.
            NotAllowed: the URL, or where it leads, is none that is asked.
            TooLarge: more than ``most_bytes`` came.
        """
        headers = {"User-Agent": self._agent, "Accept": accept, "Accept-Encoding": "gzip", **(known or {})}
        here = self._upgraded(normal_url(url))
        for _ in range(self._patience.redirects + 1):
            answer = self._insist(here, headers, most_bytes)
            if answer.status not in _REDIRECTS:
                return answer
            here = self._next(here, answer.headers.get("Location"))
        raise NotAllowed(
            f"{url} leads from one address to the next, more than {self._patience.redirects} times"
        )

    def _next(self, here: str, location: str | None) -> str:
        if not location:
            raise NotAllowed(f"{here} leads elsewhere, but does not say where")
        there = normal_joined(here, location)
        if here.startswith("https:") and there.startswith("http:"):
            raise NotAllowed(f"{here} leads to {there}, out of https")
        if there == here.replace("http:", "https:", 1):
            with self._lock:
                self._moved.add(host_of(here))
        return there

    def _upgraded(self, url: str) -> str:
        """The URL as https, where its host has led there before: asking twice each time would be rude."""
        with self._lock:
            moved = url.startswith("http:") and host_of(url) in self._moved
        return url.replace("http:", "https:", 1) if moved else url

    def _insist(self, url: str, headers: Mapping[str, str], most_bytes: int) -> Answer:
        """One URL's answer, asked for again where that may help."""
        patience = self._patience
        again = Retry(
            total=patience.attempts - 1,
            connect=patience.silent_attempts - 1,
            read=patience.silent_attempts - 1,
            backoff_factor=patience.first_pause_s,
            backoff_max=patience.longest_pause_s,
            backoff_jitter=patience.first_pause_s / 2,
            status_forcelist=TRY_AGAIN,
        )
        host = host_of(url)
        while True:
            self._pace.wait(host)
            answer: Answer | None = None
            trouble: Exception | None = None
            try:
                answer = self._once(url, headers, most_bytes)
            except HTTPError as error:
                if isinstance(error, SSLError):
                    raise Unavailable(f"{url}: the connection is not safe: {error}") from error
                trouble = error
            if answer is not None and not again.is_retry("GET", answer.status):
                if answer.status in (200, 304) or answer.status in _REDIRECTS:
                    return answer
                raise Refused(f"{url}: the server says {answer.status}", answer.status)
            said = f"the server says {answer.status}" if answer else str(trouble)
            status = answer.status if answer else None
            try:
                again = again.increment("GET", url, error=trouble)
            except MaxRetryError:
                attempts = len(again.history) + 1
                raise Unavailable(f"{url}: {said} ({attempts} attempts)", status) from trouble
            named = _named_pause(again, answer)
            pause_s = max(again.get_backoff_time(), patience.first_pause_s) if named is None else named
            self._pace.leave_alone(host, pause_s)
            if pause_s > patience.longest_pause_s:
                raise Unavailable(f"{url}: {said}, and to ask again in {pause_s:.0f} s", status) from trouble
            logger.debug("{}: {}; asking again in {:.1f} s", url, said, pause_s)

    def _once(self, url: str, headers: Mapping[str, str], most_bytes: int) -> Answer:
        ends = time.monotonic() + self._patience.whole_s
        response = self._pools.urlopen(
            "GET",
            url,
            headers=dict(headers),
            redirect=False,
            retries=False,
            preload_content=False,
            timeout=Timeout(connect=self._patience.connect_s, read=self._patience.silence_s),
        )
        whole = False
        try:
            wanted = response.status == 200
            data = self._read(url, response, most_bytes, ends) if wanted else b""
            whole = wanted
            return Answer(response.status, data, url, response.headers)
        finally:
            if whole:
                response.release_conn()
            elif not _drained(response):
                response.close()

    def _read(self, url: str, response: BaseHTTPResponse, most_bytes: int, ends: float) -> bytes:
        announced = response.headers.get("Content-Length", "")
        if announced.isdigit() and int(announced) > most_bytes:
            raise TooLarge(f"{url}: {int(announced):,} bytes, more than {most_bytes:,}")
        pieces: list[bytes] = []
        size = 0
        while piece := response.read1(_PIECE, decode_content=True):  # not read(): that waits for a full piece
            pieces.append(piece)
            size += len(piece)
            if size > most_bytes:
                raise TooLarge(f"{url}: more than {most_bytes:,} bytes")
            if time.monotonic() > ends:
                raise ProtocolError(f"not whole after {self._patience.whole_s:.0f} s")
        return b"".join(pieces)


def _drained(response: BaseHTTPResponse) -> bool:
    """Read a short answer that nobody wants (a redirect's) to its end, so that its connection serves again."""
    announced = response.headers.get("Content-Length", "")
    if not announced.isdigit() or int(announced) > _PIECE:
        return False
    try:
        response.drain_conn()
    except HTTPError:
        return False
    return True


def _named_pause(again: Retry, answer: Answer | None) -> float | None:
    """The pause that a server asks for, in seconds."""
    if answer is None or not (named := answer.headers.get("Retry-After")):
        return None
    try:
        return again.parse_retry_after(named)
    except InvalidHeader:
        return None
