"""A visitor and the signed cookie that says who that is; forms carry a second signature over the cookie's id."""

from __future__ import annotations

import hmac
import secrets

from attrs import evolve, frozen
from itsdangerous import BadData, Signer, URLSafeTimedSerializer
from starlette.requests import HTTPConnection
from starlette.responses import Response

from bec_serve.rights import Access, Right

_KEPT_S = 30 * 24 * 3600


@frozen
class Visitor:
    """Who asks.

    Attributes:
        id: random, the same as long as the cookie is kept; empty for a program that shows its token in a header.
        rights: what they may do.
        name: what they call themselves, if they said so.
        logged_in: some right was proven.
    by_header: a program: no browser sends that header by itself, so nobody can forge its requests.
    """

    id: str
    rights: frozenset[Right]
    name: str = ""
    by_header: bool = False
    logged_in: bool = False

    def may(self, right: Right) -> bool:
        """Whether they have it."""
        return right in self.rights

    @property
    def may_act(self) -> bool:
        """For templates."""
        return Right.ACT in self.rights

    @property
    def may_mark(self) -> bool:
        """For templates."""
        return Right.MARK in self.rights


class Visitors:
    """Knows visitors by their cookies.

    Args:
        access: the rights that there are.
        cookie: the cookie's name; cookies know no ports, so two of these servers on a host need two names.
    """

    def __init__(self, access: Access, cookie: str) -> None:
        self._access = access
        self._cookie = cookie
        key = access.seal
        self._serializer = URLSafeTimedSerializer(key, salt="bec serve visitor")
        self._forms = Signer(key, salt="bec serve form")

    def of(self, request: HTTPConnection) -> Visitor:
        """Who asks: by ``Authorization``, else by the cookie, else a new one with what everybody may."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return Visitor("", self._access.free | self._access.proven_by(token.strip()), by_header=True)
        try:
            said = self._serializer.loads(request.cookies.get(self._cookie, ""), max_age=_KEPT_S)
            rights = frozenset(Right(one) for one in said["rights"]) & self._access.given
            return Visitor(
                str(said["id"]), self._access.free | rights, str(said["name"]), logged_in=bool(rights)
            )
        except (BadData, KeyError, TypeError, ValueError):
            return Visitor(secrets.token_urlsafe(16), self._access.free)

    def with_more(self, visitor: Visitor, rights: frozenset[Right]) -> Visitor:
        """The visitor with these rights too, under a new id: what was signed for the old one is worth nothing."""
        return evolve(visitor, id=secrets.token_urlsafe(16), rights=visitor.rights | rights, logged_in=True)

    def remember(self, response: Response, visitor: Visitor, *, secure: bool) -> None:
        """Let the response carry the cookie."""
        if visitor.by_header:
            return
        said = {
            "id": visitor.id,
            "rights": sorted(visitor.rights - self._access.free),
            "name": visitor.name,
        }
        response.set_cookie(
            self._cookie, str(self._serializer.dumps(said)),
            max_age=_KEPT_S, httponly=True, samesite="lax", secure=secure,
        )  # fmt: skip

    def forget(self, response: Response) -> None:
        """Let the response take the cookie away."""
        response.delete_cookie(self._cookie, httponly=True, samesite="lax")

    def form_token(self, visitor: Visitor) -> str:
        """What a form of this visitor must carry."""
        return self._forms.get_signature(visitor.id.encode()).decode()

    def form_is_theirs(self, visitor: Visitor, token: str) -> bool:
        """Whether a form carries it."""
        return bool(visitor.id) and hmac.compare_digest(
            self.form_token(visitor).encode(), token.encode("utf-8", "surrogatepass")
        )
