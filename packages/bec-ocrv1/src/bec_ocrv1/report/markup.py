"""The report's HTML: templates filled with escaped text.

Whatever comes from a volume (names, texts, messages, the marker) goes through :func:`text`. The pages have no script,
their Content-Security-Policy allows none, and nothing comes from the network.
"""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

_POLICY = (
    "default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)


def text(value: object) -> str:
    """Any value as text inside an element or a quoted attribute; half surrogates become question marks."""
    return escape(str(value).encode("utf-8", "replace").decode())


def document(title: str, body: str, *, up: str = "") -> str:
    """A whole page: ``title`` is plain text, ``body`` is HTML, ``up`` the page to go back to and its name."""
    return Template(_asset("page.html")).substitute(
        title=text(title), body=body, policy=_POLICY, style=_asset("report.css"), up=up
    )


def plural(count: int, noun: str) -> str:
    """ "1 page", "1,234 pages"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def percent(share: float | None) -> str:
    """ "93 %", or a dash for what is not known."""
    return "–" if share is None else f"{100 * share:.0f} %"


def figures(*stats: tuple[str, object]) -> str:
    """The figures at the top of a page: what they are, and their values."""
    listed = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in stats)
    return f'<dl class="stats">{listed}</dl>'


def save(path: Path, html: str) -> None:
    """Write a page; half surrogates, which names on disk may hold, become question marks."""
    path.write_text(html, encoding="utf-8", errors="replace")


@cache
def _asset(name: str) -> str:
    """A file of the package's ``assets`` folder."""
    return (files("bec_ocrv1.report") / "assets" / name).read_text(encoding="utf-8")
