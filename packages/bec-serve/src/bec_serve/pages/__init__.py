"""The pages, a module for each; what they have is gathered here.

A module has ``PAGE`` (or several), and ``ACTIONS`` if its forms do something.
"""

from __future__ import annotations

from starlette.routing import BaseRoute

from bec_serve.pages import login, marks, overview, volume, volumes
from bec_serve.routing import Action, Page

PAGES: tuple[Page, ...] = (overview.PAGE, volumes.PAGE, volume.PAGE, marks.PAGE)
ACTIONS: tuple[Action, ...] = (*volume.ACTIONS,)
ROUTES: tuple[BaseRoute, ...] = (*login.ROUTES, *volume.ROUTES, *marks.ROUTES)
"""What is neither: logging in, drawings, files."""
