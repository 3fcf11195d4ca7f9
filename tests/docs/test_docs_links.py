"""The documentation's links lead somewhere, and every page is reached from the index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.places import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "packages/**/*.md", "samples/*.md", "training/*.md", "systemd/*.md")
    for path in ROOT.glob(pattern)
)  # fmt: skip


def _links(text: str) -> Iterator[str]:
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose))


def _anchors(page: Path) -> set[str]:
    """The anchors that a forge makes from a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page):
    dead = []
    for link in _links((ROOT / page).read_text()):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            dead.append(link)
    assert dead == []


def test_every_page_is_reached_from_the_index():
    reached: set[Path] = set()
    pending = [DOCS / "README.md"]
    while pending:
        page = pending.pop().resolve()
        if page.suffix != ".md" or not page.is_file() or page in reached:
            continue
        reached.add(page)
        pending += [
            page.parent / link.partition("#")[0] for link in _links(page.read_text()) if "://" not in link
        ]
    assert {path.resolve() for path in DOCS.rglob("*.md")} - reached == set()
