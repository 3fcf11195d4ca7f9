"""The HTML of a volume: its own page, and one for each of its pages."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bec_core import work_html
from bec_ocrv1.report.markup import document, figures, percent, text
from bec_ocrv1.report.view import LineView, PageView, VolumeView, mean_confidence
from bec_ocrv1.text import characters

SHOWN = 400
"""So many lines stand on a volume's page, the least sure; the others are on their pages."""


def volume_page(volume: VolumeView) -> str:
    """The volume: figures, the least sure lines, the pages."""
    lines = volume.lines
    failed = [page for page in volume.pages if page.error is not None]
    ranked = sorted(lines, key=lambda item: (item[1].confidence, item[0].number, item[1].number))[:SHOWN]
    left = len(lines) - len(ranked)
    rest = f'<p class="quiet">{left:,} more lines are surer; they are on their pages.</p>' if left else ""
    body = "".join(
        (
            work_html(volume.work),
            f'<p class="quiet">Recognised text · version {text(volume.version)}</p>',
            figures(
                ("pages", f"{len(volume.pages):,}"),
                ("lines", f"{len(lines):,}"),
                ("characters", f"{sum(characters(line.text) for _, line in lines):,}"),
                ("mean confidence", percent(mean_confidence([line for _, line in lines]))),
                ("pages failed", f"{len(failed):,}"),
            ),
            '<h2 id="unsure">Lines, the least sure first</h2>',
            _lines([(page, line, _link(page, line)) for page, line in ranked]),
            rest,
            '<h2 id="pages">Pages</h2>',
            _table(volume.pages),
            _details(volume),
        )
    )
    return document(volume.title, body, up='<a href="../index.html">All volumes</a>')


def page_page(volume: VolumeView, index: int) -> str:
    """One page: its picture with the lines, and their texts in reading order."""
    page = volume.pages[index]
    links = ['<a href="../index.html">The volume</a>']
    for other, words in ((index - 1, "← page before"), (index + 1, "next page →")):
        if 0 <= other < len(volume.pages):
            links.append(f'<a href="{text(volume.pages[other].name)}.html">{words}</a>')
    if page.error is not None:
        body = f'<p class="bad">{text(page.error)}</p>'
    else:
        body = figures(("lines", len(page.lines)), ("mean confidence", percent(page.confidence)))
    unseen = "" if page.unseen is None else f'<p class="bad">No picture: {text(page.unseen)}</p>'
    lines = _lines([(page, line, f"Line {line.number}") for line in page.lines], up="../")
    body = f'<p class="quiet">{text(page.filename)}</p>{body}{_leaf(page)}{unseen}{lines}'
    return document(f"{volume.title}, page {page.number}", body, up="".join(links))


def _link(page: PageView, line: LineView) -> str:
    return (
        f'<a href="pages/{text(page.name)}.html#l{line.number}">Page {page.number}, line {line.number}</a>'
        f"<span>{text(page.filename)}</span>"
    )


def _lines(items: Sequence[tuple[PageView, LineView, str]], *, up: str = "") -> str:
    """Lines with the HTML of what they are called; ``up`` leads to the volume's folder."""
    if not items:
        return '<p class="quiet">No lines.</p>'
    listed = "".join(
        f'<li class="line {line.level}" id="{"" if up else f"p{page.number}"}l{line.number}">'
        f"<header>{name}<span>{percent(line.confidence)}</span></header>{_crop(line, up)}{reading(line.text)}</li>"
        for page, line, name in items
    )
    return f'<ol class="lines">{listed}</ol>'


def _crop(line: LineView, up: str) -> str:
    if line.crop is None:
        return ""
    width, height = line.size
    return f'<img src="{up}{text(line.crop)}" width="{width}" height="{height}" alt="" loading="lazy" decoding="async">'


def reading(line: str) -> str:
    """A text as it is shown."""
    if not line:
        return '<p class="reading nothing">nothing was recognised</p>'
    return f'<p class="reading" lang="bo">{text(line)}</p>'


def _leaf(page: PageView) -> str:
    """The picture with the lines drawn on it; each leads to its text."""
    if page.picture is None:
        return ""
    width, height = page.size
    drawn = "".join(
        f'<a href="#l{line.number}" class="{line.level}"><title>{line.number}: {text(line.text)}</title>'
        f'<polygon points="{" ".join(f"{x},{y}" for x, y in line.polygon)}"/></a>'
        for line in page.lines
        if line.polygon
    )
    return (
        f'<div class="leaf"><img src="../{text(page.picture)}" width="{width}" height="{height}" alt="">'
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="The lines on the page">{drawn}</svg></div>'
    )


def _table(pages: Sequence[PageView]) -> str:
    rows = "".join(
        f'<tr><td class="number"><a href="pages/{text(page.name)}.html">{page.number}</a></td>'
        f'<td>{text(page.filename)}</td><td class="number">{len(page.lines)}</td>'
        f'<td class="number">{percent(page.confidence)}</td>'
        f'<td class="bad">{text(page.error or page.unseen or "")}</td></tr>'
        for page in pages
    )
    return (
        '<div class="scroll"><table><thead><tr><th class="number">Page</th><th>Image</th><th class="number">Lines</th>'
        f'<th class="number">Confidence</th><th></th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _details(volume: VolumeView) -> str:
    """The marker, for those who want to know how the volume was made."""
    items = "".join(
        f"<dt>{text(key)}</dt><dd>{text(value if isinstance(value, str) else json.dumps(value))}</dd>"
        for key, value in volume.marker.items()
    )
    return (
        f'<details><summary>How this volume was processed</summary><dl class="marker">{items}</dl></details>'
    )
