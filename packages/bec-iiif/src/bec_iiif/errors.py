"""What can come of a request in place of an answer. The source turns it into BEC's own errors."""

from __future__ import annotations


class FetchError(Exception):
    """There is no answer; ``str()`` is one sentence with the URL."""

    retryable = False


class Refused(FetchError):
    """The server answers with a status that asking again won't change (404, 403, 501 …)."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Unavailable(FetchError):
    """The server is silent, breaks off, or says that it can't now; ``status`` if it said one."""

    retryable = True

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class NotAllowed(FetchError):
    """The address is none that is asked: another scheme, a private network, a redirect out of https."""


class TooLarge(FetchError):
    """The answer is larger than its reader's bound."""
