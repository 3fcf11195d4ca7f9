"""``bec ldv1 export``. What is heavy to import (pyarrow, OpenCV) is imported when the command runs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bec_ldv1.printing import say

if TYPE_CHECKING:
    from bec_ldv1.artifacts.writing.volume import ExportVolume
    from bec_ldv1.output.export.pages import ExportPage

FORMATS = ("page", "alto", "hocr", "coco", "csv", "jsonl")
_SOME_FAILED = 6  # the exit status that `bec` has for work of which a part failed


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--format", "form", type=click.Choice(FORMATS), help="What to write; needs --out.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for the files.")
@click.option(
    "--crops",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for one straightened image per line; needs --images.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path, exists=True),
    help="Folder with the volumes' page images, at any depth, or a PDF that was run.",
)
@click.option(
    "--mask/--no-mask",
    default=True,
    show_default=True,
    help="Whether what lies outside a line's outline is painted over in the crop.",
)
@click.option(
    "--upright",
    is_flag=True,
    help="Sizes and coordinates of the images as viewers show them (EXIF orientation applied), not as stored.",
)
def export(
    sources: tuple[str, ...],
    form: str | None,
    out: Path | None,
    crops: Path | None,
    images: Path | None,
    mask: bool,
    upright: bool,
) -> int:
    """Write finished volumes in the formats of other programs, from their artifacts alone.

    A SOURCE is a volume's .parquet file or a folder with artifacts (such as --out of `bec run`); paths, s3:// and
    file:// URLs will do. docs/export.md says what each format holds.

    \b
    Examples:
      bec ldv1 export --format page scans-bec/ --out page-xml/
      bec ldv1 export --format coco s3://bucket/ldv1/W22084 --out coco/
      bec ldv1 export scans-bec/ --crops lines/ --images scans/
    """
    if (form is None) != (out is None):
        raise click.UsageError("--format and --out go together")
    if (crops is None) != (images is None):
        raise click.UsageError("--crops and --images go together: crops are cut from the page images")
    if form is None and crops is None:
        raise click.UsageError("say what to write: --format FORMAT --out DIR, or --crops DIR --images DIR")
    if upright and crops is not None:
        raise click.UsageError("--upright and --crops don't go together: line images are always upright")
    from bec_core import SettingsError
    from bec_ldv1.artifacts.writing.errors import ExportError

    uncut = 0
    try:
        for volume in _volumes(sources, as_shown=upright):
            if form is not None and out is not None:
                _write(volume, form, out)
            if crops is not None and images is not None:
                uncut += _crop(volume, crops, images, mask=mask)
    except (ExportError, SettingsError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if uncut:
        say(f"the lines of {uncut} pages could not be cut; the reasons are above", err=True)
        return _SOME_FAILED
    return 0


def _volumes(sources: tuple[str, ...], *, as_shown: bool) -> Iterator[ExportVolume[ExportPage]]:
    """Every source's volumes, read one at a time; what is left out is said on stderr."""
    from bec_core import open_catalogue
    from bec_ldv1.artifacts.writing.find import artifacts_of, find_artifacts
    from bec_ldv1.output.export.read import read_volume

    artifacts = artifacts_of(sources, find_artifacts, partial(say, err=True))
    return map(partial(read_volume, as_shown=as_shown, catalogue=open_catalogue()), artifacts)


def _write(volume: ExportVolume[ExportPage], form: str, out: Path) -> None:
    from bec_ldv1.output.export.write import write_volume

    files = write_volume(volume, form, out)
    lines = sum(len(page.lines) for page in volume.pages)
    failed = f", {len(volume.failed)} failed pages left out" if volume.failed else ""
    say(f"{volume.name}: {len(volume.pages)} pages, {lines} lines, {files} files{failed}")


def _crop(volume: ExportVolume[ExportPage], crops: Path, images: Path, *, mask: bool) -> int:
    """Cut a volume's lines; the number of pages that could not be cut."""
    from bec_ldv1.output.export.crops import write_crops

    written, problems = write_crops(volume, images, crops, mask=mask)
    for problem in problems:
        say(problem, err=True)
    say(f"{volume.name}: {written} line images")
    return len(problems)
