"""One volume's page: the verdict, the worst pages, the distributions, the errors, the contact sheet's data."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from statistics import median
from typing import Any

from bec_core import work_html
from bec_ldv1.output.report.charts import NOTHING, even_bins, histogram, integer_bins, mark_of, strip
from bec_ldv1.output.report.markup import document, json_block, plural, text, text_only
from bec_ldv1.output.report.view import PageView, Pixels, VolumeView
from bec_ldv1.output.turned import TURNED
from bec_ldv1.record.suspicion import CHECK, Level, Verdict, verdict

SURE = 0.85
"""Lines of less confidence are drawn as unsure."""

WORST = 6
"""How many pages stand at the top."""

FEWEST = 4
"""Fewer pages have no distribution, as they have no "usual"."""

VERDICTS = {Verdict.GOOD: "Looks good", Verdict.LOOK: "Worth a look", Verdict.BAD: "Needs attention"}

UNITS = {"segment": "A segment is a piece of a line, as the network found it: a line may have several."}
"""What a unit means, where it needs saying."""

STAGES = {
    "fetch": "The image could not be fetched",
    "decode": "The image could not be decoded",
    "detect": "The line detection failed",
    "rectify": "The page could not be straightened",
    "record": "The result could not be recorded",
}
"""A page error's stage in words."""


def volume_page(volume: VolumeView, footer: str) -> str:
    """The HTML of a volume; ``footer`` is plain text."""
    units = f"{volume.unit}s"
    return document(
        "volume.html",
        ("shared.js", "volume.js"),
        title=text(volume.title),
        work=work_html(volume.work),
        version=text(volume.version),
        explained=text(UNITS.get(volume.unit, "")),
        units=text(units),
        served=_served(volume),
        verdict=_verdict(volume),
        worst=_worst(volume),
        charts=_charts(volume),
        errors=_errors(volume),
        filters=_filters(volume),
        row=str(_row_height(volume)),
        details=_details(volume),
        footer=text(footer),
        data=json_block(page_data(volume)),
    )


def summary(volume: VolumeView) -> str:
    """The volume in one sentence, as plain text."""
    total = len(volume.pages)
    with_lines = sum(page.facts.lines > 0 for page in volume.pages)
    parts = [f"{with_lines:,} of {plural(total, 'page')} have {volume.unit}s"]
    if volume.typical.lines is not None:
        parts[0] += f", usually {volume.typical.lines:g} a page"
    errors, checks = volume.count(Level.ERROR), volume.count(Level.CHECK)
    parts.append(f"{plural(errors, 'page')} failed" if errors else "no page failed")
    if checks:
        parts.append(f"{plural(checks, 'page')} should be looked at")
    return "; ".join(parts) + "."


def page_data(volume: VolumeView) -> dict[str, Any]:
    """What the page's script works on: one short record per page (the keys are explained in the code)."""
    return {
        "unit": volume.unit,
        "units": f"{volume.unit}s",
        "row": _row_height(volume),
        "sure": round(100 * SURE),
        "pages": [_record(page) for page in volume.pages],
    }


def svg_path(points: Pixels, *, closed: bool = True) -> str:
    """An SVG path through whole pixels, in relative coordinates because they are short."""
    rows = points.tolist()
    (x, y), steps = rows[0], []
    for next_x, next_y in rows[1:]:
        steps.append(f"{next_x - x} {next_y - y}")
        x, y = next_x, next_y
    end = "z" if closed else ""
    return f"M{rows[0][0]} {rows[0][1]}l{' '.join(steps)}{end}" if steps else f"M{x} {y}{end}"


def _record(page: PageView) -> dict[str, Any]:
    """One page of :func:`page_data`."""
    facts = page.facts
    confidences = [outline.confidence for outline in page.outlines]
    record: dict[str, Any] = {
        "n": page.number,
        "f": text_only(page.filename),
        "w": page.width,
        "h": page.height,
        "p": page.picture,
        "u": page.unseen,
        "d": [svg_path(outline.points) for outline in page.outlines],
        "k": page.findings.level,
        "s": page.findings.score,
        "y": [*page.findings.reasons, *([_trouble(page)] if page.error else [])],
        "c": facts.lines,
        "a": round(facts.rotation, 2),
        "v": None if facts.coverage is None else round(100 * facts.coverage),
    }
    if page.quarter_turns:
        record["t"] = f"{TURNED[page.quarter_turns]}, shown upright"
    known = [confidence for confidence in confidences if confidence is not None]
    baselines = [outline.baseline for outline in page.outlines if outline.baseline is not None]
    if baselines:
        record["b"] = [svg_path(baseline, closed=False) for baseline in baselines]
    if known and len(known) == len(confidences):
        record["q"] = [round(100 * confidence) for confidence in known]  # per line, in percent
    return record


def _trouble(page: PageView) -> str:
    """A page's error in words."""
    if page.error is None:
        return ""
    words = STAGES.get(page.error.stage, f"The step “{page.error.stage}” failed")
    return text_only(f"{words}: {page.error.message}")


def _served(volume: VolumeView) -> str:
    """The link to where people mark its pages."""
    if volume.served_at is None:
        return ""
    return f' · <a href="{text(volume.served_at)}" rel="noreferrer">In bec serve, with marks</a>'


def _verdict(volume: VolumeView) -> str:
    """The strip that answers whether the volume is good."""
    word = verdict([page.findings.level for page in volume.pages], lines=volume.lines)
    usual = "" if volume.typical.lines is None else f"{volume.typical.lines:g}"
    stats = (
        ("", "pages", f"{len(volume.pages):,}"),
        ("", f"{volume.unit}s", f"{volume.lines:,}"),
        ("", f"{volume.unit}s a page, usually", usual),
        ("error", "pages failed", volume.count(Level.ERROR)),
        ("check", "pages to look at", volume.count(Level.CHECK)),
        ("", "blank pages", volume.count(Level.BLANK)),
    )
    listed = "".join(
        f'<div class="{name}"><dt>{text(label)}</dt><dd>{value}</dd></div>'
        for name, label, value in stats
        if value
    )
    bars = strip([(page.facts.lines, page.findings.level) for page in volume.pages])
    drawn = {mark_of(page.facts.lines, page.findings.level) for page in volume.pages}
    key = "".join(
        f'<span class="{name}"><i></i>{words}</span>'
        for name, words in (
            (Level.FINE, f"{volume.unit}s found"),
            (Level.CHECK, "to look at"),
            (NOTHING, f"to look at, no {volume.unit}s"),
            (Level.ERROR, "failed"),
            (Level.BLANK, "blank"),
        )
        if name in drawn
    )
    glance = (
        f'<div class="at-a-glance">{bars}<div class="key">{key}<output id="under"></output></div></div>'
        if bars
        else ""
    )
    return (
        f'<section class="verdict {word}" aria-label="Verdict"><p>{VERDICTS[word]}</p>'
        f'<p>{text(summary(volume))}</p><dl class="stats">{listed}</dl>'
        f"{glance}</section>"
    )


def _worst(volume: VolumeView) -> str:
    """The pages that a person should open first."""
    ranked = sorted(volume.pages, key=lambda page: (-page.findings.score, page.number))
    chosen = [page for page in ranked if page.findings.score >= CHECK][:WORST]
    if not chosen:
        return ""
    items = "".join(_worst_item(page) for page in chosen)
    return (
        '<section aria-labelledby="first"><h2 id="first">Look at these first</h2>'
        f'<ol class="worst">{items}</ol></section>'
    )


def _worst_item(page: PageView) -> str:
    """One page of the worst."""
    ratio = min(8.0, max(0.5, page.width / page.height))
    if page.picture is None:
        picture = f'<span class="unseen">{text(page.unseen)}</span>'
    else:
        picture = f'<img src="thumbs/{page.picture}" alt="" loading="lazy" decoding="async">'
    reasons = [_trouble(page)] if page.error else list(page.findings.reasons)
    listed = "".join(f"<li>{text(reason)}</li>" for reason in reasons)
    return (
        f'<li><a href="#p{page.number}"><span class="frame" data-index="{page.number - 1}" '
        f'style="--r:{ratio:.3f}">{picture}</span><span><b>Page {page.number}</b>'
        f'<span class="file">{text(page.filename)}</span><ul>{listed}</ul></span></a></li>'
    )


def _charts(volume: VolumeView) -> str:
    """The distributions over the pages that were processed; none of a handful, which the contact sheet shows better."""
    facts = [page.facts for page in volume.pages if not page.facts.failed]
    if len(facts) < FEWEST:
        return ""
    counts = [page.lines for page in facts]
    angles = [page.rotation for page in facts if page.lines]
    covered = [100 * page.coverage for page in facts if page.lines and page.coverage is not None]
    top = max(20, 10 * -(-int(max(covered, default=0) + 1) // 10))
    bins = integer_bins(counts)
    ends = (bins[0].label, bins[-1].label) if bins else ("", "")
    charts = "".join(
        (
            histogram(f"{volume.unit.capitalize()}s per page", bins, ends),
            histogram(
                "Rotation", even_bins(angles, -5, 5, 20, "°"), ("5° clockwise", "5° counter-clockwise")
            ),
            histogram(
                f"Share of the page that the {volume.unit}s cover",
                even_bins(covered, 0, top, 20, " %"),
                ("0 %", f"{top} %"),
            ),
        )
    )
    if not charts:
        return ""
    return (
        '<section aria-labelledby="figures"><h2 id="figures">Distributions</h2>'
        f'<div class="charts">{charts}</div></section>'
    )


def _errors(volume: VolumeView) -> str:
    """The page errors with their reasons."""
    failed = [page for page in volume.pages if page.error is not None]
    if not failed:
        return ""
    rows = "".join(
        f'<tr><td class="number"><a href="#p{page.number}">{page.number}</a></td>'
        f'<td class="name">{text(page.filename)}</td>'
        f"<td>{text(STAGES.get(page.error.stage, page.error.stage))}"
        f'<br><span class="quiet">{text(page.error.message)} ({text(page.error.kind)})</span></td></tr>'
        for page in failed
        if page.error is not None
    )
    return (
        '<section aria-labelledby="failed"><h2 id="failed">Pages that failed</h2><div class="scroll"><table>'
        '<thead><tr><th class="number">Page</th><th>Image</th><th>Why</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _filters(volume: VolumeView) -> str:
    """The contact sheet's filter, with how many pages each choice has; choices of none are left out."""
    choices: Sequence[tuple[str, str, int]] = (
        ("all", "All", len(volume.pages)),
        ("error", "Failed", volume.count(Level.ERROR)),
        ("check", "To look at", volume.count(Level.CHECK)),
        ("blank", "Blank", volume.count(Level.BLANK)),
    )
    return "".join(
        f'<label class="pick"><input type="radio" name="filter" value="{value}"'
        f"{' checked' if value == 'all' else ''}>"
        f'{label} <span class="number">{count:,}</span></label>'
        for value, label, count in choices
        if count or value == "all"
    )


def _row_height(volume: VolumeView) -> int:
    """How high the contact sheet's rows are: leaves are wide and low, books' pages narrow and high."""
    ratios = [page.width / page.height for page in volume.pages]
    usual = median(ratios) if ratios else 1.0
    return round(min(240.0, max(100.0, 230 / math.sqrt(usual))))


def _details(volume: VolumeView) -> str:
    """The marker, for those who want to know how the volume was made; and what the score means."""
    units = f"{volume.unit}s"
    items = "".join(
        f"<dt>{text(key)}</dt><dd>{text(value if isinstance(value, str) else json.dumps(value))}</dd>"
        for key, value in volume.marker.items()
    )
    return (
        "<details><summary>How this volume was processed</summary>"
        f'<dl class="marker">{items}</dl></details>'
        "<details><summary>How suspicion is computed</summary><p>Every page gets 0 to 100. On a page "
        f"with {units} it is added up what speaks for an error, each against what is usual in the volume: letters and "
        f"rows of writing outside all {units}, an undecided network, an unsure {volume.unit}, another number of them "
        f"than around it, another height or cover, {units} that lie too near to each other or too far apart, that are "
        "too short, uneven, or in halves, and a page that lay askew. The weights were fitted on rendered volumes whose "
        "wrong pages are known. Failed pages have 100; pages with rows of writing and nothing found 90, with other ink "
        "70, or 40 among the first and last two, where covers lie; pages with lost strokes or a missing part of the "
        "picture at least 70; with writing that the model does not know, or laid down unlike the others, 60; clearly "
        "unlike their neighbours 40. A volume's first page with lines is taken for a title page if it has fewer of "
        "them than the pages after it and no writing outside: it is not compared with the others. Blank pages have "
        f"none. From {CHECK} on a page should be looked at. The score ranks pages for a person; it does not say that "
        "a page is wrong.</p></details>"
    )
