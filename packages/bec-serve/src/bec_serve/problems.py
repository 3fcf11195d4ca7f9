"""What a visitor sees when something goes wrong."""

from __future__ import annotations

from loguru import logger
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bec_core import SettingsError
from bec_core.errors import ConflictError, InvalidMessage, NotFoundError, ServiceError
from bec_serve.errors import NoAnswer, Refused
from bec_serve.routing import render

_STATUSES: tuple[tuple[type[Exception], int, str], ...] = (
    (NotFoundError, 404, "There is no such thing"),
    (ConflictError, 409, "That can't be done now"),
    (Refused, 403, "Not allowed"),
    (SettingsError, 400, "That can't be"),
    (InvalidMessage, 400, "That can't be"),
    (NoAnswer, 503, "No answer"),
    (ServiceError, 503, "Out of reach"),
)


def described(error: Exception) -> tuple[int, str, str]:
    """A status, a heading and a sentence for an error."""
    if isinstance(error, HTTPException):
        heading = "There is no such page" if error.status_code == 404 else "That can't be"
        return error.status_code, heading, error.detail
    for kind, status, heading in _STATUSES:
        if isinstance(error, kind):
            return status, heading, str(error)
    logger.opt(exception=error).error("a page failed")
    return 500, "This page failed", f"{type(error).__name__} (not foreseen; the log of bec serve shows where)"


async def answer_to(request: Request, error: Exception) -> Response:
    """The page for an error."""
    status, heading, text = described(error)
    return render(
        request, "problem.html", {"heading": heading, "text": text, "is_live": False}, status=status
    )
