"""Reads are shared, the stream says what changed, and trouble is told."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import define
from jinja2 import DictLoader, Environment

from bec_core.errors import DatabaseUnavailable
from bec_serve.cache import Cache
from bec_serve.errors import NoAnswer
from bec_serve.live import Live
from bec_serve.routing import Page


def running(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


def test_many_who_ask_at_once_cost_one_read() -> None:
    async def test() -> None:
        cache, calls = Cache(4), []

        def read() -> int:
            time.sleep(0.05)
            calls.append(1)
            return 7

        assert set(await asyncio.gather(*(cache.get("x", read) for _ in range(100)))) == {7}
        assert await cache.get("x", read) == 7
        assert len(calls) == 1
        cache.close()

    running(test)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The cache's time, which stands still until a test moves it."""
    now = [1000.0]
    monkeypatch.setattr("bec_serve.cache.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


async def until_read(cache: Cache) -> None:
    """Wait for whatever is being read."""
    for entry in cache._entries.values():
        if entry.reading is not None:
            await entry.reading


def test_what_is_old_is_shown_while_it_is_read_anew(clock: list[float]) -> None:
    async def test() -> None:
        cache, numbers = Cache(1), iter(range(10))

        async def shown() -> int:
            return await cache.get("x", lambda: next(numbers), fresh_s=2.0)

        assert await shown() == 0
        clock[0] += 3
        assert await shown() == 0
        await until_read(cache)
        assert await shown() == 1
        clock[0] += 30  # nobody looked for long: what is shown is of now
        assert await shown() == 2
        cache.close()

    running(test)


def test_what_costs_much_is_read_seldom(clock: list[float]) -> None:
    async def test() -> None:
        cache = Cache(1)

        def read() -> None:
            clock[0] += 0.2  # so long it takes

        for _ in range(150):  # fifteen seconds
            await cache.get("x", read, fresh_s=0.0)
            await until_read(cache)
            clock[0] += 0.1
        assert cache.reads == 2  # at most two hundredths of the time

        def hard() -> None:
            clock[0] += 1000.0

        await cache.get("y", hard)
        before = cache.reads
        clock[0] += 61  # but nothing gets older than a minute for that
        await cache.get("y", lambda: None)
        await until_read(cache)
        assert cache.reads == before + 1
        cache.close()

    running(test)


def test_trouble_is_told_to_all_and_looked_at_again() -> None:
    async def test() -> None:
        cache, calls = Cache(1), []

        def read() -> int:
            calls.append(1)
            if len(calls) == 1:
                raise DatabaseUnavailable("PostgreSQL: gone")
            return 1

        for _ in range(3):
            with pytest.raises(DatabaseUnavailable):
                await cache.get("x", read, fresh_s=0.1)
        assert len(calls) == 1
        await asyncio.sleep(0.12)
        assert await cache.get("x", read, fresh_s=0.1) == 1
        cache.close()

    running(test)


def test_a_read_that_hangs_is_not_waited_for_long() -> None:
    async def test() -> None:
        cache, go_on = Cache(1, patience_s=0.05), threading.Event()
        with pytest.raises(NoAnswer):
            await cache.get("x", lambda: go_on.wait(10))
        go_on.set()
        await asyncio.sleep(0.1)
        assert await cache.get("x", lambda: False) is True
        cache.close()

    running(test)


TEMPLATES = Environment(
    loader=DictLoader(
        {"page": "{% block live_a %}<p>{{ a }}</p>{% endblock %}{% block live_b %}{{ b }}{% endblock %}"}
    ),
    autoescape=True,
)


@define
class Fake:
    """What the stream needs of the services."""

    templates: Environment = TEMPLATES


async def events(body: AsyncIterator[Any]) -> AsyncIterator[tuple[str, dict[str, str]]]:
    async for text in body:
        name, data = text.removesuffix("\n\n").split("\ndata: ")
        yield name.removeprefix("event: "), json.loads(data)


def test_a_stream_sends_what_changed_and_all_viewers_share_one_reading() -> None:
    async def test() -> None:
        values, reads = {"a": "<b>", "b": "1"}, []

        async def read(*_: object) -> dict[str, str]:
            reads.append(1)
            if values["a"] == "broken":
                raise DatabaseUnavailable("PostgreSQL: gone")
            return dict(values)

        live: Any = Live(Fake(), [Page("/p/{name}", "page", read, live=True)], every_s=0.05)  # type: ignore[arg-type]
        topic = live._new_topic("/p/x?span=day")
        assert live._new_topic("/q") is None
        viewers = [events(live._events("/p/x?span=day", topic)) for _ in range(20)]
        for one in viewers:
            assert await anext(one) == ("parts", {"live_a": "<p>&lt;b&gt;</p>", "live_b": "1"})
        before = len(reads)
        await asyncio.sleep(0.3)
        assert len(reads) - before <= 8  # of 20 viewers
        values["b"] = "2"
        assert await anext(viewers[0]) == ("parts", {"live_b": "2"})
        values["a"] = "broken"
        assert await anext(viewers[0]) == ("trouble", {"text": "PostgreSQL: gone"})
        values["a"] = "<b>"
        assert await anext(viewers[0]) == ("parts", {})
        for one in viewers:
            await one.aclose()
        await asyncio.sleep(0.1)
        after = len(reads)
        await asyncio.sleep(0.2)
        assert len(reads) == after  # nobody looks, nothing is read
        assert not live._topics

    running(test)
