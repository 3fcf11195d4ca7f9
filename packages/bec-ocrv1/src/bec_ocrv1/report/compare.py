"""Two OCR jobs over the same volumes: the lines whose texts differ, those that differ most first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attrs import evolve, frozen

from bec_core import Page, PageData, ReportVolume, volume_title
from bec_ocrv1.artifacts import PageText
from bec_ocrv1.report.compare_page import ComparedVolume, ShownLine, comparison_page
from bec_ocrv1.report.differences import LineDifference, paired_lines
from bec_ocrv1.report.markup import save
from bec_ocrv1.report.pictures import open_image, save_line
from bec_ocrv1.report.recorded import RecordedPage, recorded_pages, text_file
from bec_ocrv1.report.write import THREADS

SHOWN = 500
"""So many lines are shown, those that differ most; the others are counted."""


@frozen
class _Difference:
    """A line whose texts differ, and where it stands."""

    volume: ReportVolume
    page: Page
    text: PageText
    line: LineDifference

    @property
    def rank(self) -> int:
        """The most edits first."""
        return -self.line.edits


def write_comparison(
    pairs: Sequence[tuple[ReportVolume, ReportVolume]],
    directory: Path,
    *,
    names: tuple[str, str] = ("before", "after"),
    shown: int = SHOWN,
) -> Path:
    """Compare volumes with their counterparts of another job, line by line, and write what differs.

    Pages are paired by file name, lines by their place. The ``shown`` lines that differ most have their image and both
    texts, with the differences coloured. Returns the file to open.

    Raises:
        ValueError: a volume's artifacts hold no text.
        OSError: the comparison can't be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    volumes, worst, changed = list[ComparedVolume](), list[_Difference](), 0
    for before, after in pairs:
        compared, differences = _compared(before, after)
        volumes.append(compared)
        changed += len(differences)
        worst = sorted([*worst, *differences], key=lambda item: item.rank)[:shown]
    (directory / "lines").mkdir(exist_ok=True)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="compare") as pool:
        lines = list(pool.map(lambda item: _shown(item[1], item[0], directory), enumerate(worst, 1)))
    path = directory / "index.html"
    save(path, comparison_page(volumes, lines, changed, names))
    return path


def _compared(before: ReportVolume, after: ReportVolume) -> tuple[ComparedVolume, list[_Difference]]:
    """A volume's sums, and its lines that differ."""
    volume = ComparedVolume(volume_title(after.volume))
    differences = []
    for page, old, new in _paired_pages(before, after):
        lines = paired_lines(_text(old), _text(new))
        changed = [line for line in lines if line.changed]
        works = [_text(side) is not None for side in (old, new)]
        volume = evolve(
            volume,
            pages=volume.pages + 1,
            lines=volume.lines + len(lines),
            changed=volume.changed + len(changed),
            edits=volume.edits + sum(line.edits for line in changed),
            fails=volume.fails + (works == [True, False]),
            works=volume.works + (works == [False, True]),
        )
        for line in changed:
            # the image is cut from the side that has the line
            side, source = (new, after) if line.after is not None else (old, before)
            text = _text(side)
            assert text is not None
            differences.append(_Difference(source, page, text, line))
    return volume, differences


def _paired_pages(
    before: ReportVolume, after: ReportVolume
) -> Iterator[tuple[Page, RecordedPage | None, RecordedPage | None]]:
    """The pages of two volumes, in the later one's order; those that only the earlier one has come last."""
    old = {page.page.filename: page for page in recorded_pages(before, text_file(before))}
    for page in recorded_pages(after, text_file(after)):
        yield page.page, old.pop(page.page.filename, None), page
    for left in old.values():
        yield left.page, left, None


def _text(side: RecordedPage | None) -> PageText | None:
    """What a run read on a page; None where it has none or failed."""
    return None if side is None or side.text is None or not side.text.ok else side.text


def _shown(item: _Difference, rank: int, directory: Path) -> ShownLine:
    """A line with its image, where that can be had."""
    shown = ShownLine(volume_title(item.volume.volume), item.page.index + 1, item.page.filename, item.line)
    side = item.line.after or item.line.before
    assert side is not None
    try:
        data: PageData = item.volume.read_page(item.page)
        size = save_line(
            open_image(item.text, data), item.text, side[1], directory / "lines" / f"{rank:04d}.jpg"
        )
    except Exception:  # noqa: BLE001 - whatever a source or a decoder raises: the texts are compared without the image
        return shown
    return shown if size is None else evolve(shown, crop=f"lines/{rank:04d}.jpg", size=size)
