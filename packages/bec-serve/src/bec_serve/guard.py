"""What every request goes through before a page sees it: whose name, who asks, from where; and the answers' headers."""

from __future__ import annotations

from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bec_serve.hosts import same_origin
from bec_serve.rights import Right
from bec_serve.serving import Serving
from bec_serve.visitors import Visitor

POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
    "frame-src 'self'",
    "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
))  # fmt: skip
"""The content security policy: nothing inline, nothing from elsewhere."""

_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with no-referrer, browsers would send forms with "Origin: null"
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_OPEN = ("/static/", "/login")
"""What one needs no right for."""


class Guard:
    """Lets through what may pass; ``request.state.visitor`` says who asks."""

    def __init__(self, app: ASGIApp, serving: Serving) -> None:
        self._app = app
        self._serving = serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(request)
        await (answer or self._app)(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        """What is answered at once; None: the request may pass."""
        host = request.headers.get("host", "")
        if not self._serving.hosts.allows(host):
            return PlainTextResponse(
                "bec serve does not answer to this name; if it is yours: bec serve --host-name NAME\n", 421
            )
        visitor = self._serving.visitors.of(request)
        request.state.visitor = visitor
        reading = request.method in ("GET", "HEAD")
        if not reading and not visitor.by_header and not same_origin(request.headers.get("origin", ""), host):
            return PlainTextResponse("this form was sent from a page that is not of bec serve\n", 403)
        if reading and (link := request.query_params.get("token")) is not None:
            return (
                self._let_in(request, visitor, link) if request.method == "GET" else Response(status_code=204)
            )
        if visitor.may(Right.LOOK) or request.url.path.startswith(_OPEN):
            return None
        if visitor.by_header or not reading or request.url.path == "/live":
            return PlainTextResponse("this needs a token\n", 401, {"www-authenticate": "Bearer"})
        return RedirectResponse(f"/login?next={quote(_target(request), safe='')}", 303)

    def _let_in(self, request: Request, visitor: Visitor, link: str) -> Response:
        """Turn a link into a cookie, and take it out of the address."""
        rights = self._serving.links.redeem(link)
        rest = request.url.remove_query_params("token")
        place = rest.path + (f"?{rest.query}" if rest.query else "")
        if not rights:
            return RedirectResponse(f"/login?old=1&next={quote(place, safe='')}", 303)
        answer = RedirectResponse(place, 303)
        visitors = self._serving.visitors
        visitors.remember(answer, visitors.with_more(visitor, rights), secure=request.url.scheme == "https")
        return answer


def _target(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
