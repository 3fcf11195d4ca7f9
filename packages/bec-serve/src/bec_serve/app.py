"""The application: its pages, its stream, its files, behind the guard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from bec_core import BecError
from bec_serve.guard import Guard
from bec_serve.live import Live
from bec_serve.pages import ACTIONS, PAGES, ROUTES
from bec_serve.problems import answer_to
from bec_serve.routing import action_route, page_route
from bec_serve.serving import Serving

_FOREVER = "max-age=31536000, immutable"


class _Static(StaticFiles):
    """Our own files; their addresses change with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        if scope["query_string"] and answer.status_code == 200:
            answer.headers["cache-control"] = _FOREVER
        return answer


def make_app(serving: Serving) -> Starlette:
    """The application over these services."""
    live = Live(serving, [page for page in PAGES if page.live])

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await live.end()
        serving.reads.close()
        serving.files.close()
        serving.drawings.close()

    app = Starlette(
        routes=[
            Mount("/static", _Static(directory=Path(__file__).parent / "static")),
            Route("/live", live.stream),
            *(page_route(page) for page in PAGES),
            *(action_route(action) for action in ACTIONS),
            *ROUTES,
        ],
        middleware=[Middleware(Guard, serving)],
        exception_handlers={BecError: answer_to, HTTPException: answer_to, Exception: answer_to},
        lifespan=lifespan,
    )
    app.state.serving, app.state.live = serving, live
    return app
