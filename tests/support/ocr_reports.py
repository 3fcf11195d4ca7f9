"""Recognised volumes made up in memory, for tests of reports, and a look at the HTML that comes out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from attrs import field, frozen

from bec_core import Page, PageData, PageError, Volume, VolumeRef, Work
from bec_ocrv1.artifacts import PageText, ReadLine
from bec_ocrv1.records import to_parquet
from support.bar_volumes import LEFT, TOP, drawn_page, etag

HOSTILE = "</p><script>alert(1)</script><img src=x onerror=alert(2)>\"'&.png"
FOLDER = "W1-I1-121212"


@frozen
class MadeVolume:
    """A :class:`bec_core.ReportVolume` whose pages and artifacts are given."""

    volume: Volume
    artifacts: Mapping[str, bytes]
    pictures: Mapping[str, bytes]
    marker: Mapping[str, Any] = field(factory=dict)
    work: Work = Work()
    served_at: str | None = None

    @property
    def basename(self) -> str:
        return f"{self.volume.ref.w_id}-{self.volume.ref.i_id}-{self.volume.version}"

    def artifact(self, suffix: str) -> bytes:
        return self.artifacts[suffix]

    def read_page(self, page: Page) -> PageData:
        try:
            data = self.pictures[page.filename]
        except KeyError:
            raise PageError(f"there is no image {page.filename}", stage="fetch") from None
        return PageData(data, etag(data), f"file:///{page.filename}")


def made_volume(texts: list[PageText], pictures: Mapping[str, bytes], *, errors: bytes = b"") -> MadeVolume:
    pages = tuple(Page(index, text.image) for index, text in enumerate(texts))
    artifacts = {".parquet": to_parquet(texts)} | ({"-errors.jsonl": errors} if errors else {})
    volume = Volume(VolumeRef("W1", "I1"), b"\x12" * 16, "121212", pages)
    return MadeVolume(volume, artifacts, pictures, {"timestamp": "2026-01-02", "x": [1]})


def read(name: str, data: bytes, *lines: tuple[str, float], **more: Any) -> PageText:
    """A page whose lines say these texts so surely."""
    found = []
    for number, (text, sure) in enumerate(lines):
        top = TOP + 172 * number
        corners = ((LEFT, top), (LEFT + 200, top), (LEFT + 200, top + 111), (LEFT, top + 111))
        course = ((LEFT, top + 55), (LEFT + 200, top + 55))
        found.append(ReadLine(text, sure, (LEFT, top, 200, 112), corners, course))
    height = 160 + 172 * max(2, len(lines))
    return PageText(name, etag(data), width=700, height=height, lines=tuple(found), **more)


DATA = drawn_page(["bde", "bkra"])


def small_volume() -> MadeVolume:
    texts = [
        read("1.png", DATA, ("ཀ་ཁ", 0.9), ("གང་", 0.3)),
        read("2.png", DATA, ("ཅ", 0.6), ("", 0.0)),
        PageText("3.png", None, ok=False, error_stage="fetch", error_type="X", error_message="gone"),
    ]
    return made_volume(texts, {"1.png": DATA, "2.png": DATA})


class _Balance(HTMLParser):
    """Fails on an element that is not closed where it should be."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check_html(path: Path) -> str:
    """The file's text; its elements are nested, and all that it names is there."""
    html = path.read_text(encoding="utf-8")
    parser = _Balance()
    parser.feed(html)
    assert parser.open == []
    for link in re.findall(r'(?:href|src)="([^"#:]+)["#]', html):
        assert (path.parent / link).exists(), link
    return html
