"""The stream: pages that somebody looks at are read every two seconds, once for all, and sent when they change.

A stream is that of one page: its address with the query. Of each part only what is new for that viewer is sent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from urllib.parse import parse_qsl, urlsplit

from attrs import define, field
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import compile_path

from bec_core.errors import BecError
from bec_serve.problems import described
from bec_serve.routing import Page, Values
from bec_serve.serving import Serving
from bec_serve.templating import live_parts

EVERY_S = 2.0
_WORD_S = 10.0  # at least so often a viewer hears that the stream lives
_PAGES = 200
_VIEWERS = 1000


@define(eq=False)
class _Topic:
    """A page that is looked at: its parts as they are now, and a number that rises with each change of them."""

    page: Page
    path: Values
    query: dict[str, str]
    viewers: int = 0
    number: int = 0
    parts: dict[str, str] = field(factory=dict)
    trouble: str | None = None
    changed: asyncio.Condition = field(factory=asyncio.Condition)
    reader: asyncio.Task[None] | None = None


class Live:
    """The streams of all viewers.

    Args:
        serving: the services.
        pages: those that can be looked at so.
        every_s: how often a page is read while somebody looks.
    """

    def __init__(self, serving: Serving, pages: Sequence[Page], *, every_s: float = EVERY_S) -> None:
        self._serving = serving
        self._routes = [(*compile_path(page.path), page) for page in pages]
        self._every_s = every_s
        self._topics: dict[str, _Topic] = {}
        self._viewers = 0
        self._closed = False

    async def stream(self, request: Request) -> Response:
        """Answer with the stream of the page that the query's ``page`` names."""
        address = request.query_params.get("page", "")
        topic = self._topics.get(address) or self._new_topic(address)
        if topic is None:
            return PlainTextResponse("there is no such live page\n", 404)
        if self._viewers >= _VIEWERS or (address not in self._topics and len(self._topics) >= _PAGES):
            return PlainTextResponse("too many look at once\n", 503, {"retry-after": "30"})
        return StreamingResponse(
            self._events(address, topic), media_type="text/event-stream", headers={"x-accel-buffering": "no"}
        )

    def _new_topic(self, address: str) -> _Topic | None:
        parts = urlsplit(address)
        for pattern, _, convertors, page in self._routes:
            if found := pattern.match(parts.path):
                path = {name: convertors[name].convert(value) for name, value in found.groupdict().items()}
                return _Topic(page, path, dict(parse_qsl(parts.query)))
        return None

    async def _events(self, address: str, topic: _Topic) -> AsyncIterator[str]:
        self._topics.setdefault(address, topic)
        topic.viewers += 1
        self._viewers += 1
        if topic.reader is None:
            topic.reader = asyncio.create_task(self._keep_reading(topic))
        seen, sent, said = 0, dict[str, str](), None
        try:
            while not self._closed:
                async with topic.changed:
                    if topic.number == seen:
                        with suppress(TimeoutError):
                            await asyncio.wait_for(topic.changed.wait(), _WORD_S)
                    seen = topic.number
                    new = {name: html for name, html in topic.parts.items() if sent.get(name) != html}
                    trouble = topic.trouble
                if trouble is not None:
                    yield _event("trouble", {"text": trouble})
                elif new or said is not None or not sent:
                    sent.update(new)
                    yield _event("parts", new)
                else:
                    yield _event("alive", {})
                said = trouble
        finally:
            topic.viewers -= 1
            self._viewers -= 1
            if not topic.viewers:
                self._topics.pop(address, None)
                if topic.reader is not None:
                    topic.reader.cancel()

    async def _keep_reading(self, topic: _Topic) -> None:
        while True:
            parts, trouble = topic.parts, None
            try:
                values = await topic.page.read(self._serving, topic.path, topic.query)
                parts = live_parts(self._serving.templates, topic.page.template, values)
            except BecError as error:
                trouble = described(error)[2]
            except Exception as error:  # noqa: BLE001 - it is logged, and told to those who look
                trouble = described(error)[2]
            if parts != topic.parts or trouble != topic.trouble or not topic.number:
                async with topic.changed:
                    topic.parts, topic.trouble = parts, trouble
                    topic.number += 1
                    topic.changed.notify_all()
            await asyncio.sleep(self._every_s)

    async def end(self) -> None:
        """End every stream, so that nobody is waited for."""
        self._closed = True
        for topic in list(self._topics.values()):
            if topic.reader is not None:
                topic.reader.cancel()
            async with topic.changed:
                topic.changed.notify_all()


def _event(name: str, data: dict[str, str]) -> str:
    """One event of a stream (WHATWG HTML, server-sent events): JSON has no raw newline, so one line of data."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
