"""The plugin: what ``bec`` imports to list job types. Light on purpose: no torch, no numpy."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from bec_core import VERDICTS, JobType, Metric, Resource, hookimpl
from bec_ldv1.config import Ldv1Config

if TYPE_CHECKING:
    import click


@hookimpl
def bec_job_types() -> list[JobType]:
    """The job type ``ldv1``."""
    return [
        JobType(
            name="ldv1",
            family="ldv",
            config=Ldv1Config,
            worker="bec_ldv1.worker:build_worker",
            version=version("bec-ldv1"),
            summary="Find the text lines on page images.",
            report="bec_ldv1.output.report:write_report",
            compare="bec_ldv1.output.report:write_comparison",
            figures="bec_ldv1.artifacts.figures:read_figures",
            truth="bec_ldv1.evaluation.marked:MarkedPages",
            results_version="4",
            metrics=(
                Metric("lines", "Text lines that were found."),
                Metric("pages", "Pages that could be looked at."),
                Metric("without_lines", "Pages without any line.", weight="pages", percent=True, drift=0.3),
                Metric("verdict", "The volume in a word.", better="lower", labels=VERDICTS),
                Metric("suspicious", "Pages that a person should look at.", better="lower"),
                Metric("blank", "Pages with nothing on them."),
                Metric("lines_a_page", "Lines a page.", weight="pages"),
                Metric(
                    "confidence",
                    "Mean confidence of the lines.",
                    weight="lines",
                    better="higher",
                    percent=True,
                ),
            ),
            resources=(
                Resource(
                    "model",
                    "The line detection model's checkpoint. Default: the model in the box.",
                    environment="BEC_LD_MODEL_PATH",
                    option="--model-path",
                ),
            ),
        )
    ]


@hookimpl
def bec_commands(cli: click.Group) -> None:
    """Add ``bec ldv1``."""
    from bec_ldv1.cli import ldv1

    cli.add_command(ldv1)
