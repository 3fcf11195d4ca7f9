"""The plugin: what ``bec`` imports to list job types. Light on purpose: no pyarrow, no rapidfuzz."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from bec_core import VERDICTS, Input, JobType, Metric, Resource, hookimpl
from bec_ocreval.config import OcrEvalConfig

if TYPE_CHECKING:
    import click

METRICS = (
    Metric("cer", "Character error rate.", weight="chars", better="lower", percent=True),
    Metric("ser", "Syllable error rate.", weight="syllables", better="lower", percent=True),
    Metric("scored", "Pages with ground truth."),
    Metric("chars", "Characters of the ground truth."),
    Metric("syllables", "Syllables of the ground truth."),
    Metric("pages", "Pages that were evaluated."),
    Metric("suspicious", "Pages that should be looked at.", better="lower"),
    Metric("blank", "Pages on which there was nothing to read."),
    Metric("confidence", "Mean confidence of the lines.", weight="lines", better="higher", percent=True),
    Metric("lines", "Lines with a confidence."),
    Metric("well_formed", "Syllables spelt by the rules.", weight="judged", better="higher", percent=True),
    Metric("lines_a_page", "Lines with a confidence a page.", weight="pages"),
    Metric("verdict", "The volume in a word.", better="lower", labels=VERDICTS),
    Metric("judged", "Syllables read that are neither Sanskrit nor numbers."),
)


@hookimpl
def bec_job_types() -> list[JobType]:
    """The job type ``ocreval``."""
    return [
        JobType(
            name="ocreval",
            config=OcrEvalConfig,
            worker="bec_ocreval.worker:build_worker",
            version=version("bec-ocreval"),
            summary="Score recognised text against ground truth, and flag doubtful pages.",
            inputs=(Input("text", family="ocr", artifacts=(".parquet",)),),
            resources=(
                Resource(
                    "truth",
                    "Ground truth: a folder with a .txt, PAGE or ALTO file a page, or JSON lines.",
                    folder=True,
                ),
            ),
            metrics=METRICS,
            report="bec_ocreval.report:write_report",
            compare="bec_ocreval.report:write_comparison",
            figures="bec_ocreval.measures:read_measures",
            results_version="1",
        )
    ]


@hookimpl
def bec_commands(cli: click.Group) -> None:
    """Add ``bec ocreval``."""
    from bec_ocreval.cli import ocreval

    cli.add_command(ocreval)
