"""The pages, a module for each; what they have is gathered here.

A module has ``PAGE`` (or several), and ``ACTIONS`` if its forms do something.
"""

from __future__ import annotations

from starlette.routing import BaseRoute

from bec_serve.pages import (
    compare,
    failure,
    failures,
    job,
    login,
    marks,
    overview,
    redrive,
    sample,
    volume,
    volumes,
    worker,
    workers,
)  # fmt: skip
from bec_serve.routing import Action, Page

PAGES: tuple[Page, ...] = (
    overview.PAGE, job.PAGE, volumes.PAGE, volume.PAGE, marks.PAGE, sample.PAGE, compare.PAGE, failures.PAGE,
    failures.GROUP, failure.PAGE, redrive.PAGE, workers.PAGE, worker.PAGE,
)  # fmt: skip
ACTIONS: tuple[Action, ...] = (redrive.ACTION, *volume.ACTIONS)
ROUTES: tuple[BaseRoute, ...] = (*login.ROUTES, *failure.ROUTES, *volume.ROUTES, *marks.ROUTES)
"""What is neither: logging in, images, drawings, files."""
