"""The HTML of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from bec_ocrv1.report.differences import LineDifference, Part, differing_parts
from bec_ocrv1.report.markup import document, figures, percent, plural, text


@frozen
class ComparedVolume:
    """A volume's sums: pages, lines, lines whose texts differ, edits; pages that only one run could read."""

    title: str
    pages: int = 0
    lines: int = 0
    changed: int = 0
    edits: int = 0
    fails: int = 0
    works: int = 0


@frozen
class ShownLine:
    """A line whose texts differ: where it stands, its image's file (None: not to be had), and its size."""

    volume: str
    page: int
    filename: str
    line: LineDifference
    crop: str | None = None
    size: tuple[int, int] = (0, 0)


def comparison_page(
    volumes: Sequence[ComparedVolume], lines: Sequence[ShownLine], changed: int, names: tuple[str, str]
) -> str:
    """The whole page; ``changed`` counts all lines that differ, of which ``lines`` differ most."""
    total = sum(volume.lines for volume in volumes)
    left = changed - len(lines)
    rest = f'<p class="quiet">Not shown, as they differ less: {plural(left, "line")}.</p>' if left else ""
    body = "".join(
        (
            f"<p>{text(_summary(changed, total, names))}</p>",
            figures(
                ("pages", f"{sum(volume.pages for volume in volumes):,}"),
                ("lines", f"{total:,}"),
                ("lines that differ", f"{changed:,}"),
                ("edits", f"{sum(volume.edits for volume in volumes):,}"),
                ("pages fail now", f"{sum(volume.fails for volume in volumes):,}"),
                ("pages work now", f"{sum(volume.works for volume in volumes):,}"),
            ),
            _table(volumes),
            "<h2>Lines that differ, the most first</h2>",
            f"<p><del>only in {text(names[0])}</del> <ins>only in {text(names[1])}</ins></p>",
            f'<ol class="lines">{"".join(_line(line, names) for line in lines)}</ol>' if lines else "",
            rest,
        )
    )
    return document(f"{names[0]} and {names[1]}", body, up="Text recognition, two jobs compared")


def _summary(changed: int, total: int, names: tuple[str, str]) -> str:
    """The comparison in one sentence."""
    if not changed:
        return f"{names[0]} and {names[1]} read the same on all {plural(total, 'line')}."
    share = f"{changed / total:.0%}" if changed / total >= 0.01 else "under 1%"
    return f"{changed:,} of {plural(total, 'line')} ({share}) differ between {names[0]} and {names[1]}."


def _table(volumes: Sequence[ComparedVolume]) -> str:
    rows = "".join(
        f"<tr><td>{text(volume.title)}</td>"
        + "".join(
            f'<td class="number">{value:,}</td>'
            for value in (
                volume.pages,
                volume.lines,
                volume.changed,
                volume.edits,
                volume.fails,
                volume.works,
            )
        )
        + "</tr>"
        for volume in volumes
    )
    heads = "".join(
        f'<th class="number">{name}</th>'
        for name in ("Pages", "Lines", "Differ", "Edits", "Fail now", "Work now")
    )
    return (
        f'<details><summary>By volume</summary><div class="scroll"><table><thead><tr><th>Volume</th>{heads}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div></details>"
    )


def _line(shown: ShownLine, names: tuple[str, str]) -> str:
    """A line: its image, and its text in both runs, differences coloured."""
    parts = differing_parts(*shown.line.texts)
    image = ""
    if shown.crop is not None:
        width, height = shown.size
        size = f'width="{width}" height="{height}"'
        image = f'<img src="{text(shown.crop)}" {size} alt="" loading="lazy" decoding="async">'
    sides = "".join(
        _side(name, side is not None, [_marked(part, which) for part in parts])
        for which, (name, side) in enumerate(zip(names, (shown.line.before, shown.line.after), strict=True))
    )
    return (
        f'<li class="line"><header><span>{text(shown.volume)}</span><span>Page {shown.page}, {_places(shown.line)}'
        f"</span><span>{text(shown.filename)}</span><span>{_sure(shown.line)}</span></header>{image}{sides}</li>"
    )


def _side(name: str, there: bool, parts: Sequence[str]) -> str:
    label = f'<span class="label">{text(name)}</span> '
    if not there:
        return f'<p class="reading nothing">{label}has no such line</p>'
    return f'<p class="reading" lang="bo">{label}{"".join(parts)}</p>'


def _marked(part: Part, which: int) -> str:
    """One run's side of a part."""
    said = (part.before, part.after)[which]
    if part.same or not said:
        return text(said)
    tag = ("del", "ins")[which]
    return f"<{tag}>{text(said)}</{tag}>"


def _places(line: LineDifference) -> str:
    """Its number; both where they differ."""
    numbers = sorted({side[0] for side in (line.before, line.after) if side is not None})
    return "line " + " / ".join(map(str, numbers))


def _sure(line: LineDifference) -> str:
    """The confidences."""
    return " → ".join(
        "–" if side is None else percent(side[1].confidence) for side in (line.before, line.after)
    )
