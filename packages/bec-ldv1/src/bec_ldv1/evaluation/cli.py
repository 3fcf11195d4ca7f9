"""``bec ldv1 evaluate``. What is heavy to import (OpenCV, torch) is imported when the command runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from bec_ldv1.printing import say

if TYPE_CHECKING:
    from bec_ldv1.evaluation.detect import Detector
    from bec_ldv1.evaluation.pages import PageLines

_SOME_FAILED = 6  # the exit status that `bec` has for work of which a part failed


@click.command()
@click.option(
    "--truth",
    required=True,
    type=click.Path(path_type=Path),
    help="Hand-made lines: a .jsonl file, a PAGE or ALTO file, or a folder of such XML files.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with the page images (also below it). Default: the truth's folder.",
)
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    help="Score the lines in this file or folder (same forms as --truth) instead of running a detector.",
)
@click.option(
    "--detector",
    type=click.Choice(["model", "projection"]),
    default="model",
    show_default=True,
    help="What finds the lines: the model, or the classical projection profile to compare with.",
)
@click.option(
    "--model-path",
    type=click.Path(path_type=Path),
    help="A checkpoint. Default: the model in the package.",
)
@click.option("--json", "as_json", is_flag=True, help="Write the report as JSON.")
def evaluate(
    truth: Path,
    images: Path | None,
    predictions: Path | None,
    detector: str,
    model_path: Path | None,
    as_json: bool,
) -> int:
    """Score line detection against ground truth.

    The definitions of all figures are in docs/evaluation.md.
    """
    from bec_ldv1.evaluation.pages import TruthError
    from bec_ldv1.evaluation.readers import read_pages
    from bec_ldv1.evaluation.report import evaluate as evaluate_pages

    pages = read_pages(truth, _warn)
    failed = 0
    if predictions:
        found = read_pages(predictions, _warn)
    else:
        results = _detect(pages, images or _images_of(pages, truth), detector, model_path)
        found = [page for page in results if page is not None]
        failed = len(pages) - len(found)
        if failed and not found:
            raise TruthError(f"none of the {len(pages)} pages can be processed; the reasons are above")
        pages = [page for page, result in zip(pages, results, strict=True) if result is not None]
    try:
        report = evaluate_pages(found, pages)
    except ValueError as error:
        raise TruthError(str(error)) from error
    if failed:
        note = f"pages that can't be processed, left out of all figures: {failed}"
        report = attrs.evolve(report, notes=(*report.notes, note))
    if as_json:
        say(json.dumps(report.to_json(), indent=2))
    else:
        say(report.to_text(), nl=False)
    return _SOME_FAILED if failed else 0


def _warn(message: str) -> None:
    say(message, err=True)


def _images_of(pages: Sequence[PageLines], truth: Path) -> Path:
    """Where the images are: in a truth that is a folder and has any of them, else beside the truth."""
    from bec_ldv1.evaluation.pages import Names, composed

    if not truth.is_dir():
        return truth.parent
    held = Names(composed(path.name) for path in truth.rglob("*") if path.suffix.lower() != ".xml")
    return truth if any(held.meant_by(page.name) for page in pages) else truth.parent


def _detect(
    pages: Sequence[PageLines], folder: Path, detector: str, model_path: Path | None
) -> list[PageLines | None]:
    """Run the detector over all pages, with a progress bar on stderr; None is a page that can't be processed."""
    from bec_ldv1.evaluation.detect import detect_pages, model_detector, projection_detector
    from bec_ldv1.evaluation.images import find_images
    from bec_ldv1.network.setup import start_engine

    images = find_images(pages, folder)
    problems: list[str] = []
    with ExitStack() as stack:
        if detector == "projection":
            find: Detector = projection_detector
        else:
            engine = stack.enter_context(start_engine(model_path))
            find = model_detector(engine)
        results: Iterable[PageLines | None] = detect_pages(pages, images, find, problems.append)
        bar = stack.enter_context(
            click.progressbar(results, length=len(pages), label="detecting", file=sys.stderr)
        )
        found = list(bar)
    for problem in problems:
        _warn(problem)
    return found
