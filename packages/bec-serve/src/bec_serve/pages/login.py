"""Logging in with a token, and out."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bec_serve.rights import Right
from bec_serve.routing import render, sent_form, serving_of, visitor_of

_WRONG_S = 0.5


async def show(request: Request) -> Response:
    """The form that takes a token."""
    return _form(request, _own_path(request.query_params.get("next", "")), old="old" in request.query_params)


async def log_in(request: Request) -> Response:
    """Add what the token proves to what the visitor may."""
    form = await sent_form(request)
    serving, visitor = serving_of(request), visitor_of(request)
    token, target = form.get("token"), _own_path(str(form.get("next", "")))
    rights = serving.access.proven_by(token.strip()) if isinstance(token, str) else frozenset[Right]()
    if not rights:
        await asyncio.sleep(_WRONG_S)
        return _form(request, target, wrong=True)
    answer = RedirectResponse(target, 303)
    serving.visitors.remember(
        answer, serving.visitors.with_more(visitor, rights), secure=request.url.scheme == "https"
    )
    return answer


async def log_out(request: Request) -> Response:
    """Forget what the visitor may."""
    await sent_form(request)
    answer = RedirectResponse("/", 303)
    serving_of(request).visitors.forget(answer)
    return answer


def _form(request: Request, target: str, *, old: bool = False, wrong: bool = False) -> Response:
    proven = sorted(serving_of(request).access.tokens)
    values = {"next": target, "old": old, "wrong": wrong, "proven": proven, "is_live": False}
    return render(request, "login.html", values, status=403 if wrong else 200)


def _own_path(target: str) -> str:
    """Where to go afterwards: a path of ours, whatever was asked for."""
    parts = urlsplit(target)
    own = not parts.scheme and not parts.netloc and parts.path.startswith("/") and "\\" not in target
    if not own or parts.path.startswith(("//", "/login")):
        return "/"
    return parts.path + (f"?{parts.query}" if parts.query else "")


ROUTES = (
    Route("/login", show, methods=["GET"]),
    Route("/login", log_in, methods=["POST"]),
    Route("/logout", log_out, methods=["POST"]),
)
