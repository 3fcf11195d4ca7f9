"""``bec ocreval``: what can be done with texts beside running the job.

What is heavy is imported when a command runs.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attrs import asdict

from bec_ocreval.config import OcrEvalConfig
from bec_ocreval.printing import say

if TYPE_CHECKING:
    from bec_ocreval.results import VolumeResult


@click.group()
def ocreval() -> None:
    """Recognised text: score it, look at its spelling."""


@ocreval.command()
@click.argument(
    "parquet", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option(
    "--truth",
    type=click.Path(path_type=Path, exists=True),
    help="Ground truth: a folder with a .txt, PAGE or ALTO file a page, or JSON lines; or one such file.",
)
@click.option(
    "--report", type=click.Path(path_type=Path, file_okay=False), help="Write the report into this folder."
)
@click.option("--json", "as_json", is_flag=True, help="Write the figures as JSON.")
def score(parquet: tuple[Path, ...], truth: Path | None, report: Path | None, as_json: bool) -> None:
    """Score the texts of an OCR job's PARQUET files, as the job ocreval does.

    A file's name says which volume it is of ({W_ID}-{I_ID}-{version}.parquet). The definitions of all
    figures are in docs/ocr-evaluation.md.
    """
    from bec_ocreval.offline import OfflineVolume, evaluate_file
    from bec_ocreval.report.job_page import added
    from bec_ocreval.truth.find import Truth
    from bec_ocreval.truth.load import load_truth

    known = None if truth is None else Truth(load_truth(truth))
    volumes: list[OfflineVolume] = [evaluate_file(path, known, OcrEvalConfig()) for path in parquet]
    everything = added([volume.result for volume in volumes])
    if as_json:
        listed = {volume.basename: figures(volume.result) for volume in volumes}
        say(json.dumps({"all": figures(everything), "volumes": listed}, indent=2))
    else:
        for volume in volumes if len(volumes) > 1 else ():
            say(f"{volume.basename}: {sentence(volume.result)}")
        say(sentence(everything))
    if report is not None:
        from bec_ocreval.report import write_report

        say(f"report: {write_report(volumes, report)}", err=as_json)


@ocreval.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option(
    "--most",
    default=20,
    show_default=True,
    type=click.IntRange(0),
    help="So many ill-formed syllables are listed.",
)
def spelling(files: tuple[Path, ...], most: int) -> None:
    """Count the syllables of text FILES by kind, and list the ill-formed ones, the most frequent first."""
    from bec_ocreval.scoring.syllables import syllables
    from bec_ocreval.spelling.check import Kind, kind

    found = Counter[str]()
    for path in files:
        try:
            found.update(syllables(path.read_bytes().decode("utf-8-sig").splitlines()))
        except UnicodeDecodeError as error:
            raise click.ClickException(f"{path} is not text in UTF-8: {error}") from error
    kinds = Counter[Kind]()
    for syllable, count in found.items():
        kinds[kind(syllable)] += count
    for one in Kind:
        say(f"{kinds[one]:>10,}  {one.value.replace('_', ' ')}")
    bad = [(syllable, count) for syllable, count in found.most_common() if kind(syllable) is Kind.ILL_FORMED]
    for syllable, count in bad[:most]:
        say(f"{count:>10,}  {syllable}")


def figures(volume: VolumeResult) -> dict[str, object]:
    """A volume's figures for a program."""
    from bec_ocreval.measures import metrics

    return {
        **metrics(volume),
        "signs": dict(volume.signs),
        "spelling": asdict(volume.spelling),
    }


def sentence(volume: VolumeResult) -> str:
    """A volume's figures for a person."""
    from bec_ocreval.figures import percent
    from bec_ocreval.report.volume_page import summary

    rates = [("CER", volume.characters.rate), ("SER", volume.syllables.rate)]
    rates += [("well spelt", volume.spelling.share), ("confidence", volume.confidence)]
    shown = ", ".join(f"{name} {percent(rate)}" for name, rate in rates if rate is not None)
    return f"{shown or 'nothing to measure'} ({re.sub('[.]$', '', summary(volume))})"
