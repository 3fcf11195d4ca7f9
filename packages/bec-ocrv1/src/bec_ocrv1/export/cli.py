"""``bec ocrv1 export``. What is heavy to import (pyarrow) is imported when the command runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bec_ocrv1.printing import say

if TYPE_CHECKING:
    from bec_ocrv1.export.pages import ExportVolume

FORMATS = ("txt", "page", "alto", "hocr", "jsonl")


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--format", "form", type=click.Choice(FORMATS), required=True, help="What to write.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the files."
)
def export(sources: tuple[str, ...], form: str, out: Path) -> None:
    """Write recognised volumes in the formats of other programs, from their artifacts alone.

    A SOURCE is a volume's .parquet file or a folder with artifacts (such as --out of `bec run`); paths, s3:// and
    file:// URLs will do. docs/ocr.md says what each format holds.

    \b
    Examples:
      bec ocrv1 export --format txt scans-bec/ --out text/
      bec ocrv1 export --format page s3://bucket/ocr/W22084 --out page-xml/
    """
    from bec_ocrv1.export.pages import ExportError
    from bec_ocrv1.export.write import write_volume

    try:
        for volume in _volumes(sources, places=form != "txt"):
            files = write_volume(volume, form, out)
            lines = sum(len(page.lines) for page in volume.pages)
            failed = f", {len(volume.failed)} failed pages left out" if volume.failed else ""
            say(f"{volume.name}: {len(volume.pages)} pages, {lines} lines, {files} files{failed}")
    except (ExportError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _volumes(sources: tuple[str, ...], *, places: bool) -> Iterator[ExportVolume]:
    """Every source's volumes, read one at a time; what is left out is said on stderr."""
    from bec_ocrv1.export.pages import ExportError
    from bec_ocrv1.export.read import find_artifacts, read_volume

    artifacts = {}
    for source in sources:
        found = find_artifacts(source)
        for path in found.unfinished:
            say(f"left out, as no success.json says that it is finished: {path}", err=True)
        for artifact in found.artifacts:
            if artifact.name in artifacts:
                raise ExportError(f"there are two volumes {artifact.name}; export them one at a time")
            artifacts[artifact.name] = artifact
    return (read_volume(artifact, places=places) for artifact in artifacts.values())
