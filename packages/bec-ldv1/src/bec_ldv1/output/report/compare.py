"""Two runs over the same volumes, side by side: what to look at before a model is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import attrs
from loguru import logger

from bec_core import Page, ReportVolume, volume_title
from bec_ldv1.errors import PageProblem
from bec_ldv1.output.report.adapt import (
    RecordedPage,
    SourceOutline,
    in_picture,
    record_file,
    recorded_pages,
    source_outlines,
    stand_in,
    without_picture,
)
from bec_ldv1.output.report.changes import Change, LineChanges, compare_lines
from bec_ldv1.output.report.compare_page import ComparedPage, ComparedVolume, Side, comparison_page
from bec_ldv1.output.report.pictures import Picture, make_pictures
from bec_ldv1.output.report.write import THREADS, save_page
from bec_ldv1.page.decode import decode
from bec_ldv1.record.facts import has_whole_lines

DRAWN = 300
"""So many changed pages are drawn, the worst; the others are counted."""

_ORDER = list(Change)


@attrs.frozen(eq=False)
class _Pair:
    """One page in both runs; None is where a run has no such page; ``page`` is the newer one's."""

    page: Page
    before: RecordedPage | None
    after: RecordedPage | None
    volumes: tuple[ReportVolume, ReportVolume]
    whole_lines: bool
    title: str


@attrs.frozen(eq=False)
class _Difference:
    """What became of a pair."""

    pair: _Pair
    change: Change
    lines: LineChanges
    outlines: tuple[list[SourceOutline], list[SourceOutline]]
    size: tuple[int, int]

    @property
    def rank(self) -> tuple[int, float]:
        """Worst first."""
        return _ORDER.index(self.change), -self.lines.score


def write_comparison(
    pairs: Sequence[tuple[ReportVolume, ReportVolume]],
    directory: Path,
    *,
    names: tuple[str, str] = ("before", "after"),
    drawn: int = DRAWN,
) -> Path:
    """Compare volumes with their counterparts of another run, page by page, and write what changed, worst first.

    Pages are paired by file name. Whole lines are compared where both runs recorded them, else the contract's
    contours. The ``drawn`` worst pages are shown side by side. Returns the file to open.

    Raises:
        ValueError: a volume's records can't be read as line-detection records.
        OSError: the comparison can't be written.
    """
    changed, worst = 0, list[_Difference]()
    volumes: list[ComparedVolume] = []
    with ThreadPoolExecutor(THREADS, thread_name_prefix="compare") as pool:
        for before, after in pairs:
            found = list(pool.map(_difference, _paired(before, after)))
            volumes.append(_compared_volume(found))
            differences = [item for item in found if item.change is not Change.SAME]
            changed += len(differences)
            worst = sorted([*worst, *differences], key=lambda item: item.rank)[:drawn]
        for kind in ("thumbs", "pages"):
            (directory / kind).mkdir(parents=True, exist_ok=True)
        pages = list(pool.map(lambda item: _drawn(item[1], item[0], directory), enumerate(worst, 1)))
    path = directory / "index.html"
    save_page(path, comparison_page(volumes, pages, changed, names))
    return path


def _paired(before: ReportVolume, after: ReportVolume) -> list[_Pair]:
    """The pages of two volumes, in the newer one's order; those that only the older one has come last."""
    old, new = (recorded_pages(volume, record_file(volume)) for volume in (before, after))
    whole_lines = has_whole_lines([page.record for page in old]) and has_whole_lines(
        [page.record for page in new]
    )
    by_name = {page.page.filename: page for page in old}
    title = volume_title(after.volume)
    pairs = [
        _Pair(page.page, by_name.pop(page.page.filename, None), page, (before, after), whole_lines, title)
        for page in new
    ]
    return pairs + [
        _Pair(page.page, page, None, (before, after), whole_lines, title) for page in by_name.values()
    ]


def _difference(pair: _Pair) -> _Difference:
    """Compare a page's lines."""
    sides = (pair.before, pair.after)
    works = [side is not None and side.error is None for side in sides]
    if pair.before is None:
        change = Change.ADDED
    elif pair.after is None:
        change = Change.LOST
    elif works[0] != works[1]:
        change = Change.WORKS if works[1] else Change.FAILS
    else:
        change = Change.SAME
    size = _size(pair)
    before, after = (_outlines(side, size, whole_lines=pair.whole_lines) for side in sides)
    lines = compare_lines(
        [outline.polygon for outline in before], [outline.polygon for outline in after], size
    )
    if change is Change.SAME and lines.score:
        change = Change.CHANGED
    return _Difference(pair, change, lines, (before, after), size)


def _outlines(side: RecordedPage | None, size: tuple[int, int], *, whole_lines: bool) -> list[SourceOutline]:
    """What a run found on a page; nothing where the page is missing, or its spline can't be solved."""
    if side is None or side.record is None:
        return []
    try:
        return source_outlines(side.record, size, whole_lines=whole_lines)
    except PageProblem as problem:
        logger.warning("{}: the lines can't be compared: {}", side.page.filename, problem)
        return []


def _size(pair: _Pair) -> tuple[int, int]:
    """Width and height of the stored image: recorded, in the manifest, or read from the page itself."""
    records = [
        side.record for side in (pair.after, pair.before) if side is not None and side.record is not None
    ]
    for record in records:
        if record.details is not None:
            return record.details.width, record.details.height
    page = pair.page
    if page.width and page.height:
        return page.width, page.height
    volume = pair.volumes[0 if pair.after is None else 1]
    try:
        image = decode(volume.read_page(page).data)
    except Exception:  # noqa: BLE001 - a page that can't be read any more is compared as recorded
        stand_ins = [without_picture(record) for record in records]
        return max((picture.width for picture in stand_ins), default=4), max(
            (picture.height for picture in stand_ins), default=3
        )
    return image.stored_size


def _compared_volume(found: Sequence[_Difference]) -> ComparedVolume:
    """The sums over a volume's pages."""
    counts = {change: sum(item.change is change for item in found) for change in Change}
    return ComparedVolume(
        title=found[0].pair.title if found else "",
        counts=counts,
        before=sum(len(item.lines.before) for item in found),
        after=sum(len(item.lines.after) for item in found),
    )


@attrs.frozen
class _Shown:
    """A page's pictures: what is known of them, their file's name, or why there are none."""

    picture: Picture | None
    file: str | None
    unseen: str | None


def _drawn(item: _Difference, rank: int, directory: Path) -> ComparedPage:
    """Make the pictures of a changed page; one does for both runs if they saw the same bytes."""
    pair = item.pair
    shown = [
        None
        if recorded is None
        else partial(_pictures, volume, recorded, directory, f"{rank:04d}-{name}.jpg")
        for recorded, volume, name in zip(
            (pair.before, pair.after), pair.volumes, ("before", "after"), strict=True
        )
    ]
    after = None if shown[1] is None else shown[1]()
    before = after if after is not None and _same_image(pair) else (None if shown[0] is None else shown[0]())
    return ComparedPage(
        rank=rank,
        volume=pair.title,
        number=pair.page.index + 1,
        filename=pair.page.filename,
        change=item.change,
        before=_side(item, 0, before),
        after=_side(item, 1, after),
    )


def _side(item: _Difference, which: int, shown: _Shown | None) -> Side | None:
    """One run's side of a changed page; ``which`` is 0 for before and 1 for after."""
    recorded = (item.pair.before, item.pair.after)[which]
    if recorded is None or shown is None:
        return None
    seen = shown.picture or stand_in(recorded.record, *item.size)
    return Side(
        width=seen.view_width,
        height=seen.view_height,
        picture=shown.file,
        unseen=shown.unseen,
        outlines=[in_picture(outline, seen).points for outline in item.outlines[which]],
        fates=(item.lines.before, item.lines.after)[which],
        error=recorded.error,
    )


def _same_image(pair: _Pair) -> bool:
    """Whether both runs saw the same bytes the same side up; a run that never got them counts as the same."""
    sides = [side for side in (pair.before, pair.after) if side is not None]
    etags = {side.record.source_etag for side in sides if side.record is not None}
    turns = {side.quarter_turns for side in sides}
    return len(sides) == 2 and len(etags - {None}) <= 1 and len(turns) == 1


def _pictures(volume: ReportVolume, recorded: RecordedPage, directory: Path, name: str) -> _Shown:
    """Make a page's pictures."""
    try:
        data = volume.read_page(recorded.page).data
        places = (directory / "pages" / name, directory / "thumbs" / name)
        picture = make_pictures(data, *places, recorded.quarter_turns)
    except Exception as error:  # noqa: BLE001 - whatever a source or a decoder raises, the page says why
        return _Shown(None, None, str(error) or type(error).__name__)
    return _Shown(picture, name, None)
