"""One failure: the task, its traceback, its failed pages with pictures of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bec_core import BecError
from bec_core.admin.page_bytes import page_bytes
from bec_core.errors import NotFoundError
from bec_core.models import TaskStatus
from bec_serve import readings
from bec_serve.routing import Page, Values, serving_of
from bec_serve.serving import Serving
from bec_serve.thumbnails import NoPicture, thumbnail

_PAGES = 60
_PICTURE_S = 600.0


async def read(serving: Serving, path: Values, query: Mapping[str, str]) -> Values:
    """The failure; of its failed pages the first ones."""
    found = await readings.failure(serving, path["task_id"])
    lines = found.lines or ()
    return {
        "at": datetime.now(UTC),
        "task": found.task,
        "failed": found.task.status in (TaskStatus.TERMINAL_FAILED, TaskStatus.RETRYABLE_FAILED),
        "known": found.lines is not None,
        "lines": lines[:_PAGES],
        "more": max(0, len(lines) - _PAGES),
    }


async def picture(request: Request) -> Response:
    """A small picture of a failed page, as its source gives it now."""
    serving = serving_of(request)
    task_id, number = request.path_params["task_id"], request.path_params["number"]
    found = await readings.failure(serving, task_id)
    lines = found.lines or ()
    if number >= len(lines):
        raise NotFoundError(f"task {task_id} has no failed page {number}")
    ref, name = found.task.ref, str(lines[number].get("img_filename"))

    def made() -> bytes:
        return thumbnail(page_bytes(serving.session, ref, name))

    try:
        data = await serving.files.get(("picture", task_id, number), made, fresh_s=_PICTURE_S)
    except NoPicture as error:
        return PlainTextResponse(f"{error}\n", 422)
    except BecError as error:
        return PlainTextResponse(f"{type(error).__name__}\n", 404)
    return Response(data, media_type="image/jpeg", headers={"cache-control": "private, max-age=600"})


PAGE = Page("/failures/{task_id:int}", "failure.html", read)
ROUTES = (Route("/failures/{task_id:int}/pages/{number:int}.jpg", picture, methods=["GET"]),)
