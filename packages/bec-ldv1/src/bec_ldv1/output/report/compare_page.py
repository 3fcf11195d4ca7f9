"""The HTML of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from bec_ldv1.output.report.changes import Change, Fate
from bec_ldv1.output.report.markup import document, json_block, plural, text, text_only
from bec_ldv1.output.report.view import PageTrouble, Pixels
from bec_ldv1.output.report.volume_page import STAGES, svg_path

CHANGES = {
    Change.FAILS: "fails now",
    Change.LOST: "is gone",
    Change.CHANGED: "changed",
    Change.ADDED: "is new",
    Change.WORKS: "works now",
    Change.SAME: "unchanged",
}
"""What became of a page, in words."""


@attrs.frozen(eq=False)
class Side:
    """A page as one run saw it; outlines in pixels of the picture, one fate each."""

    width: int
    height: int
    picture: str | None
    unseen: str | None
    outlines: Sequence[Pixels]
    fates: Sequence[Fate]
    error: PageTrouble | None


@attrs.frozen(eq=False)
class ComparedPage:
    """A changed page: its rank (1 is the worst), its volume, and both sides; None is where it is missing."""

    rank: int
    volume: str
    number: int
    filename: str
    change: Change
    before: Side | None
    after: Side | None


@attrs.frozen
class ComparedVolume:
    """A volume's sums: pages by change, and lines on either side."""

    title: str
    counts: Mapping[Change, int]
    before: int
    after: int


def comparison_page(
    volumes: Sequence[ComparedVolume], pages: Sequence[ComparedPage], changed: int, names: tuple[str, str]
) -> str:
    """The whole page; ``changed`` counts all changed pages, of which ``pages`` are the worst."""
    total = sum(sum(volume.counts.values()) for volume in volumes)
    left = changed - len(pages)
    return document(
        "compare.html",
        ("shared.js", "compare.js"),
        before=text(names[0]),
        after=text(names[1]),
        summary=text(_summary(total, changed, names)),
        stats=_stats(volumes, total),
        rows="".join(_row(volume) for volume in volumes),
        left=text(f"{plural(left, 'less changed page')} not drawn." if left else ""),
        data=json_block({"names": list(names), "pages": [_record(page) for page in pages]}),
    )


def _summary(total: int, changed: int, names: tuple[str, str]) -> str:
    """The comparison in one sentence."""
    if not changed:
        return f"{names[0]} and {names[1]} found the same lines on all {plural(total, 'page')}."
    share = f"{changed / total:.0%}" if changed / total >= 0.01 else "under 1%"
    return f"{plural(changed, 'page')} of {total:,} ({share}) changed between {names[0]} and {names[1]}."


def _stats(volumes: Sequence[ComparedVolume], total: int) -> str:
    """The figures at the top."""
    counts = {change: sum(volume.counts[change] for volume in volumes) for change in Change}
    figures = (
        ("", "pages compared", total),
        ("check", "pages changed", counts[Change.CHANGED]),
        ("error", "pages fail now", counts[Change.FAILS]),
        ("", "pages work now", counts[Change.WORKS]),
        ("", "pages new or gone", counts[Change.ADDED] + counts[Change.LOST]),
        ("", "lines before", sum(volume.before for volume in volumes)),
        ("", "lines after", sum(volume.after for volume in volumes)),
    )
    return "".join(
        f'<div class="{kind if value else ""}"><dt>{label}</dt><dd>{value:,}</dd></div>'
        for kind, label, value in figures
    )


def _row(volume: ComparedVolume) -> str:
    """A volume in the table."""
    counts = volume.counts
    figures = (
        sum(counts.values()),
        counts[Change.CHANGED],
        counts[Change.FAILS],
        counts[Change.WORKS],
        counts[Change.ADDED] + counts[Change.LOST],
        volume.before,
        volume.after,
    )
    cells = "".join(f'<td class="number{"" if value else " zero"}">{value:,}</td>' for value in figures)
    return f'<tr><td class="name">{text(volume.title)}</td>{cells}</tr>'


def _record(page: ComparedPage) -> dict[str, Any]:
    """A page as the script wants it."""
    return {
        "i": page.rank,
        "v": text_only(page.volume),
        "n": page.number,
        "f": text_only(page.filename),
        "k": page.change,
        "t": _words(page),
        "s": [_side(page.before), _side(page.after)],
    }


def _words(page: ComparedPage) -> str:
    """What became of a page's lines, in words."""
    before = page.before.fates if page.before is not None else ()
    after = page.after.fates if page.after is not None else ()
    parts = [] if page.change is Change.CHANGED else [CHANGES[page.change]]
    for count, words in (
        (list(before).count(Fate.GONE), "gone"),
        (list(after).count(Fate.NEW), "new"),
        (list(after).count(Fate.MOVED), "moved"),
    ):
        if count:
            parts.append(f"{plural(count, 'line')} {words}")
    return ", ".join(parts)


def _side(side: Side | None) -> dict[str, Any] | None:
    """One side as the script wants it."""
    if side is None:
        return None
    error = side.error
    return {
        "w": side.width,
        "h": side.height,
        "p": side.picture,
        "u": None if side.unseen is None else text_only(side.unseen),
        "d": [[svg_path(points), fate] for points, fate in zip(side.outlines, side.fates, strict=True)],
        "e": None if error is None else text_only(f"{STAGES.get(error.stage, error.stage)}: {error.message}"),
    }
