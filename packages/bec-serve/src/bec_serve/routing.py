"""The two kinds of routes: pages, which show what was read, and actions, which a form asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import field, frozen
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bec_serve.errors import Refused
from bec_serve.rights import Right
from bec_serve.serving import Serving
from bec_serve.visitors import Visitor

Values = Mapping[str, Any]
"""What a template is filled with."""

Read = Callable[[Serving, Values, Mapping[str, str]], Awaitable[Values]]
"""Reads a page's values: of the path's parameters and the query."""

_AT_ONCE_S = 0.2
"""A page that takes longer to read is answered by one that says so, and asks again by itself."""

_MOST_FIELDS = 1000
_MOST_BYTES = 8 * 2**20


@frozen
class Page:
    """A page.

    Attributes:
        path: as Starlette writes paths.
        template: blocks named ``live_…``, each alone in an element of that id, are read again while somebody looks.
            They are the same for all viewers: nothing of the visitor may stand in them.
        read: reads its values; through ``serving.reads`` what is in the database.
        live: whether it has such blocks.
    """

    path: str
    template: str
    read: Read
    live: bool = field(default=False, kw_only=True)


@frozen
class Action:
    """Something that a form does, for those who have the right.

    Attributes:
        path: as Starlette writes paths.
        right: what is needed.
        do: does it; the form is the visitor's own, and came from a page of ours.
    """

    path: str
    right: Right
    do: Callable[[Serving, Request, FormData], Awaitable[Response]]


def serving_of(request: Request) -> Serving:
    """The services of the application that the request is for."""
    serving: Serving = request.app.state.serving
    return serving


def visitor_of(request: Request) -> Visitor:
    """Who asks."""
    visitor: Visitor = request.state.visitor
    return visitor


def render(request: Request, template: str, values: Values, *, status: int = 200) -> HTMLResponse:
    """A page for this visitor, with what its forms need."""
    serving, visitor = serving_of(request), visitor_of(request)
    text = serving.templates.get_template(template).render(
        **values,
        visitor=visitor,
        given=serving.access.given,
        form_token=serving.visitors.form_token(visitor),
        here=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
    )
    answer = HTMLResponse(text, status)
    serving.visitors.remember(answer, visitor, secure=request.url.scheme == "https")
    return answer


def page_route(page: Page) -> Route:
    """The route of a page; everybody who may look may see it."""

    reading: set[asyncio.Task[Values]] = set()

    async def show(request: Request) -> Response:
        read = page.read(serving_of(request), request.path_params, dict(request.query_params))
        task = asyncio.create_task(_finished(read))
        reading.add(task)
        task.add_done_callback(reading.discard)
        try:
            values = await asyncio.wait_for(asyncio.shield(task), _AT_ONCE_S)
        except TimeoutError:  # it goes on, and what it reads is kept for the next look
            task.add_done_callback(_take_note)
            answer = render(request, "reading.html", {"is_live": False}, status=202)
            answer.headers["retry-after"] = "1"
            return answer
        return render(request, page.template, {"is_live": page.live, **values})

    return Route(page.path, show, methods=["GET"])


async def _finished(read: Awaitable[Values]) -> Values:
    return await read


def _take_note(task: asyncio.Task[Values]) -> None:
    """The error of a page that nobody waits for any more is told to the next who asks."""
    if not task.cancelled():
        task.exception()


def action_route(action: Action) -> Route:
    """The route of an action."""

    async def act(request: Request) -> Response:
        if not visitor_of(request).may(action.right):
            raise Refused(f"this needs the right to {action.right.value}: log in with its token")
        form = await sent_form(request)
        try:
            return await action.do(serving_of(request), request, form)
        finally:
            await form.close()

    return Route(action.path, act, methods=["POST"])


async def sent_form(request: Request) -> FormData:
    """The form that was sent.

    Raises:
        Refused: it is not this visitor's (a forgery, or a cookie that is gone), or too large.
    """
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > _MOST_BYTES:
        raise Refused("this form says no length, or is too large")
    form = await request.form(max_files=10, max_fields=_MOST_FIELDS, max_part_size=_MOST_BYTES)
    visitor, token = visitor_of(request), form.get("form_token")
    if not visitor.by_header and not (
        isinstance(token, str) and serving_of(request).visitors.form_is_theirs(visitor, token)
    ):
        raise Refused("this form is too old, or not yours: load the page again, and send it once more")
    return form
