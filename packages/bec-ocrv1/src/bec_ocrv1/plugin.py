"""The plugin: what ``bec`` imports to list job types. Light on purpose: no onnxruntime, no numpy."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from bec_core import VERDICTS, Input, JobType, Metric, Resource, hookimpl
from bec_ocrv1.config import Ocrv1Config

if TYPE_CHECKING:
    import click


@hookimpl
def bec_job_types() -> list[JobType]:
    """The job type ``ocrv1``."""
    return [
        JobType(
            name="ocrv1",
            family="ocr",
            config=Ocrv1Config,
            worker="bec_ocrv1.worker:build_worker",
            version=version("bec-ocrv1"),
            summary="Recognise the text of the lines that ldv1 found.",
            inputs=(Input("lines", type="ldv1", artifacts=(".parquet",)),),
            resources=(
                Resource(
                    "model",
                    'With {"model": "onnx"}: the folder with model_config.json and the ONNX file.',
                    folder=True,
                ),
            ),
            metrics=(
                Metric("lines", "Lines that were read."),
                Metric("characters", "Characters of their texts, spaces not counted."),
                Metric(
                    "confidence",
                    "Mean confidence of a character, as the engine states it.",
                    weight="characters",
                    better="higher",
                    percent=True,
                    drift=0.15,
                ),
                Metric("pages", "Pages that could be read."),
                Metric("blank", "Pages without a character."),
                Metric(
                    "suspicious", "Pages of whose characters the engine is under 50 % sure.", better="lower"
                ),
                Metric("lines_a_page", "Lines a page.", weight="pages"),
                Metric("verdict", "The volume in a word.", better="lower", labels=VERDICTS),
            ),
            report="bec_ocrv1.report:write_report",
            compare="bec_ocrv1.report:write_comparison",
            figures="bec_ocrv1.figures:read_figures",
            results_version="1",
        )
    ]


@hookimpl
def bec_commands(cli: click.Group) -> None:
    """Add ``bec ocrv1``."""
    from bec_ocrv1.cli import ocrv1

    cli.add_command(ocrv1)
