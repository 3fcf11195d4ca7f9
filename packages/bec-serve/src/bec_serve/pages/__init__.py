"""The pages, a module for each; what they have is gathered here.

A module has ``PAGE`` (or several), and ``ACTIONS`` if its forms do something.
"""

from __future__ import annotations

from starlette.routing import BaseRoute

from bec_serve.pages import failure, failures, job, login, overview, redrive, worker, workers
from bec_serve.routing import Action, Page

PAGES: tuple[Page, ...] = (
    overview.PAGE, job.PAGE, failures.PAGE, failures.GROUP, failure.PAGE, redrive.PAGE, workers.PAGE, worker.PAGE,
)  # fmt: skip
ACTIONS: tuple[Action, ...] = (redrive.ACTION,)
ROUTES: tuple[BaseRoute, ...] = (*login.ROUTES, *failure.ROUTES)
"""What is neither: logging in, images."""
