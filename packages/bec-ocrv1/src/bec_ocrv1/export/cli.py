"""``bec ocrv1 export``. What is heavy to import (pyarrow) is imported when the command runs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bec_ocrv1.printing import say

if TYPE_CHECKING:
    from bec_core import Catalogue
    from bec_ldv1.artifacts.writing.find import Artifact

FORMATS = ("txt", "page", "alto", "hocr", "jsonl", "pdf")
_SOME_FAILED = 6  # the exit status that `bec` has for work of which a part failed


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--format", "form", type=click.Choice(FORMATS), required=True, help="What to write.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the files."
)
@click.option(
    "--images",
    type=click.Path(path_type=Path, exists=True),
    help="Folder with the volumes' page images, at any depth, or a PDF that was run; for pdf.",
)
@click.option(
    "--upright",
    is_flag=True,
    help="Sizes and coordinates of the images as viewers show them (EXIF orientation applied), not as stored.",
)
def export(sources: tuple[str, ...], form: str, out: Path, images: Path | None, upright: bool) -> int:
    """Write recognised volumes in the formats of other programs, from their artifacts alone (a PDF: and the images).

    A SOURCE is a volume's .parquet file or a folder with artifacts (such as --out of `bec run`); paths, s3:// and
    file:// URLs will do. docs/ocr.md says what each format holds.

    \b
    Examples:
      bec ocrv1 export --format txt scans-bec/ --out text/
      bec ocrv1 export --format page s3://bucket/ocr/W22084 --out page-xml/
      bec ocrv1 export --format pdf scans-bec/ --images scans/ --out pdf/
    """
    if (form == "pdf") != (images is not None):
        raise click.UsageError("--format pdf and --images go together: a PDF shows the page images")
    if upright and form in ("txt", "pdf"):
        raise click.UsageError(f"--upright does nothing to {form}, which has no coordinates of images")
    from bec_core import SettingsError, open_catalogue
    from bec_ldv1.artifacts.writing.errors import ExportError
    from bec_ldv1.artifacts.writing.find import artifacts_of
    from bec_ocrv1.export.read import find_texts

    left_out = 0
    try:
        catalogue = open_catalogue()
        for artifact in artifacts_of(sources, find_texts, partial(say, err=True)):
            if images is None:
                _write(artifact, form, out, catalogue, as_shown=upright)
            else:
                left_out += _write_pdf(artifact, images, out, catalogue)
    except (ExportError, SettingsError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if left_out:
        say(f"{left_out} pages could not be written; the reasons are above", err=True)
        return _SOME_FAILED
    return 0


def _write(artifact: Artifact, form: str, out: Path, catalogue: Catalogue, *, as_shown: bool) -> None:
    from bec_ocrv1.export.read import read_volume
    from bec_ocrv1.export.write import write_volume

    volume = read_volume(artifact, places=form != "txt", as_shown=as_shown, catalogue=catalogue)
    files = write_volume(volume, form, out)
    lines = sum(len(page.lines) for page in volume.pages)
    failed = f", {len(volume.failed)} failed pages left out" if volume.failed else ""
    say(f"{volume.name}: {len(volume.pages)} pages, {lines} lines, {files} files{failed}")


def _write_pdf(artifact: Artifact, images: Path, out: Path, catalogue: Catalogue) -> int:
    """Write a volume's PDF; the number of pages that are left out."""
    from bec_ldv1.artifacts.writing.works import work_of
    from bec_ocrv1.export.pdf import write_pdf
    from bec_ocrv1.export.read import read_texts_of
    from bec_ocrv1.export.write import creator

    name, work = artifact.name, work_of(artifact, catalogue)
    pages = read_texts_of(artifact)
    written, problems = write_pdf(name, pages, images, out / f"{name}.pdf", creator(), work)
    for problem in problems:
        say(problem, err=True)
    say(f"{name}: {written} pages")
    return len(problems)
