"""A library's server and a source that is in a hurry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bec_iiif.fetch import Patience
from bec_iiif.settings import IiifSettings
from bec_iiif.source import IiifSource, make_source
from support.iiif_server import HURRIED, IiifServer, iiif_server


@pytest.fixture
def library() -> Iterator[IiifServer]:
    with iiif_server() as server:
        yield server


@pytest.fixture
def source_of(tmp_path: Path) -> Callable[..., IiifSource]:
    """Makes a source over one cache; each is like a process of its own."""

    def make(*, patience: Patience = HURRIED, **settings: object) -> IiifSource:
        values = {"requests_per_second": 1000.0, "allow_private": True, **settings}
        return make_source(tmp_path / "cache", IiifSettings(**values), patience)  # type: ignore[arg-type]

    return make


@pytest.fixture
def source(source_of: Callable[..., IiifSource]) -> IiifSource:
    return source_of()
