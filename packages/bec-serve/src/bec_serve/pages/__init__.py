"""The pages, a module for each; what they have is gathered here.

A module has ``PAGE`` (or several), and ``ACTIONS`` if its forms do something.
"""

from __future__ import annotations

from starlette.routing import BaseRoute

from bec_serve.pages import login, overview
from bec_serve.routing import Action, Page

PAGES: tuple[Page, ...] = (overview.PAGE,)
ACTIONS: tuple[Action, ...] = ()
ROUTES: tuple[BaseRoute, ...] = (*login.ROUTES,)
"""What is neither: logging in, images."""
