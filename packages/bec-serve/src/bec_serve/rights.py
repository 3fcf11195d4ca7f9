"""Who may do what: three rights, each with a token of its own, and links that let one in once."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Mapping
from enum import StrEnum

from attrs import frozen

from bec_core import Secret, SettingsError

_LEAST = 16
_LINK_S = 3600.0
_LINKS = 100


class Right(StrEnum):
    """What a visitor may do."""

    LOOK = "look"
    """See every page."""
    MARK = "mark"
    """Say of pages what is wrong with them."""
    ACT = "act"
    """Do to jobs what operators do on the command line."""


def new_token() -> str:
    """A token that nobody guesses: 256 random bits."""
    return secrets.token_urlsafe(32)


@frozen
class Access:
    """The rights that there are in this process.

    Attributes:
        tokens: what proves a right, for each that must be proven; a right that is neither here nor free nobody has.
        free: what everybody has who reaches this process.
    """

    tokens: Mapping[Right, Secret]
    free: frozenset[Right] = frozenset()

    def __attrs_post_init__(self) -> None:
        values = [token.reveal() for token in self.tokens.values()]
        if any(len(value) < _LEAST for value in values):
            raise SettingsError(
                f"a token of bec serve needs at least {_LEAST} characters; a good one:"
                " python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
        if len(set(values)) < len(values):
            raise SettingsError("each right of bec serve needs a token of its own: two are the same")

    @property
    def given(self) -> frozenset[Right]:
        """The rights that somebody can have here."""
        return self.free | frozenset(self.tokens)

    def proven_by(self, token: str) -> frozenset[Right]:
        """The rights that this token proves, with looking, which all others need; none for a wrong one."""
        shown = token.encode("utf-8", "surrogatepass")
        right = frozenset(
            right for right, one in self.tokens.items() if hmac.compare_digest(one.reveal().encode(), shown)
        )
        return right | {Right.LOOK} if right else frozenset()

    @property
    def seal(self) -> bytes:
        """A key for signing that follows from all tokens: other tokens, and nothing signed before is worth anything."""
        digest = hmac.new(b"bec serve", digestmod="sha256")
        for right in sorted(self.tokens):
            digest.update(f"{right}={self.tokens[right].reveal()}\n".encode())
        return digest.digest() if self.tokens else secrets.token_bytes(32)


class Links:
    """Links that give rights once, within an hour: what is printed at the start is worth nothing once it was used."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[float, frozenset[Right]]] = {}

    def issue(self, rights: frozenset[Right]) -> str:
        """A new one's secret part."""
        secret = new_token()
        while len(self._open) >= _LINKS:
            del self._open[next(iter(self._open))]
        self._open[secret] = (time.monotonic() + _LINK_S, rights)
        return secret

    def redeem(self, secret: str) -> frozenset[Right]:
        """The rights that it gives; none if there is no such link any more."""
        until, rights = self._open.pop(secret, (0.0, frozenset[Right]()))
        return rights if time.monotonic() < until else frozenset()
