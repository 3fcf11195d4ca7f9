"""A plugin's source from the command line: asked for by its own names, worked on, read by the next job."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from support.cli import Bec, install_reader_plugin
from support.plugin_folders import lay_out

_PLUGIN = """
from bec_core import SourceType, hookimpl

@hookimpl
def bec_sources():
    return [SourceType("shelf", "kit_books_source:Shelf", "Books.", in_messages={in_messages}, prefixes=("shelf:",))]
"""
_SOURCE = """
import hashlib
from bec_core import Page, PageData, SettingsError, Volume, VolumeRef, stable_id

class Shelf:
    def __init__(self, setup):
        pass
    def find(self, place):
        if not place.startswith("shelf:"):
            raise SettingsError(f"{place} is no book")
        return [VolumeRef(stable_id(place), "1", f"shelf:{place}")]
    def resolve(self, ref):
        etag = hashlib.md5(ref.source.encode()).digest()
        return Volume(ref, etag, etag.hex()[:6], (Page(0, "p1.png"), Page(1, "p2.png")))
    def read_page(self, volume, page):
        return PageData(f"{volume.ref.source} {page.filename}".encode(), page.filename, volume.ref.source)
"""
URL = "shelf://example.org/a?b=1#2"
WORK = ("--poll-wait", "0", "--shutdown-after-empty", "1")


@pytest.fixture
def books(bec: Bec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Bec:
    in_messages = getattr(request, "param", True)
    files = {"kit_books.py": _PLUGIN.format(in_messages=in_messages), "kit_books_source.py": _SOURCE}
    lay_out(tmp_path / "plugins", "bec-books", {"books": "kit_books"}, files)
    install_reader_plugin(tmp_path / "plugins")
    for module in ("kit_books", "kit_books_source"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    bec.ok("jobs", "create", "--name", "checksum")
    return bec


def test_its_volumes_go_through_the_queue_and_to_the_jobs_that_follow(books: Bec, tmp_path: Path) -> None:
    books.ok("jobs", "create", "--name", "reader", "--input", "lines=checksum", "--follow")
    asked = ("queue", "enqueue", "--job-name", "checksum", "--source", "shelf")
    lines = tmp_path / "books.txt"
    lines.write_text(f"# books\n{URL}\nshelf://example.org/c  # a comment\n")
    sent = books.ok(*asked, "--file", str(lines), "--json").json["sent"]
    assert [one["source"] for one in sent] == [f"shelf:{URL}", "shelf:shelf://example.org/c"]
    assert books.ok(*asked, "--volume", URL, "--json").json["sent"] == []
    assert books("worker", "--job-name", "checksum", *WORK).code == 0
    markers = sorted(tmp_path.rglob("checksum/**/success.json"))
    assert {json.loads(path.read_text())["source"] for path in markers} == {one["source"] for one in sent}
    assert books("worker", "--job-name", "reader", *WORK).code == 0
    assert len(list(tmp_path.rglob("reader/**/success.json"))) == 2, "asked for by their whole source"
    said = books(*asked, "--volume", "W1,I1")
    assert (said.code, said.err.strip()) == (2, "bec: W1,I1 is no book")
    said = books(*asked[:-1], "shelves", "--volume", URL)
    assert "there is no source 'shelves' (known: bdrc, file," in said.err


@pytest.mark.parametrize("books", [False], indirect=True)
def test_what_messages_may_not_name_is_not_sent(books: Bec) -> None:
    done = books("queue", "enqueue", "--job-name", "checksum", "--source", "shelf", "--volume", URL)
    assert done.code == 2
    assert "volumes of the source shelf can't be asked for here: no message may name them" in done.err
