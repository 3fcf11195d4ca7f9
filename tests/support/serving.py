"""Visiting the pages of ``bec serve`` in a test: tokens, forms."""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.testclient import TestClient

LOOK, MARK, ACT = "look-" + "l" * 20, "mark-" + "m" * 20, "act-" + "a" * 20
ORIGIN = {"origin": "http://127.0.0.1:8420"}
"""What a browser says with a form of ours."""

Client = Callable[..., TestClient]
"""Makes a client of an application of its own: see the fixture."""


def form_token(page: str) -> str:
    """What the forms of a page carry."""
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found
    return found[1]


def log_in(client: TestClient, token: str) -> int:
    """Log in as people do; the answer's status."""
    fields = {"form_token": form_token(client.get("/login").text), "token": token, "next": "/"}
    return client.post("/login", data=fields, headers=ORIGIN).status_code
