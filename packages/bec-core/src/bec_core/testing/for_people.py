"""Conformance of what a job type makes for people of finished volumes: its report and its comparison."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bec_core.errors import PluginError
from bec_core.plugins import load_object
from bec_core.testing.local import LocalOutcome
from bec_core.testing.probe import Probe, has_ended, start


def reading_problems(probe: Probe, one: LocalOutcome, other: LocalOutcome) -> list[str]:
    """What is wrong with the report over a volume, and with the comparison of two runs over it."""
    job_type = probe.job_type
    problems: list[str] = []
    if job_type.report is not None:
        problems += _written(
            probe, "report", job_type.report, lambda write, directory: write([one], directory)
        )
    if job_type.compare is not None:
        problems += _written(
            probe,
            "compare",
            job_type.compare,
            lambda write, directory: write([(one, other)], directory, names=("one", "other")),
        )
    return problems


def _written(
    probe: Probe, what: str, path: str, call: Callable[[Callable[..., Path], Path], Path]
) -> list[str]:
    try:
        write = load_object(path)
    except PluginError:
        return []  # which the declaration's checks have said
    directory = probe.folder / what
    writing = start(lambda: Path(call(write, directory)))
    if not has_ended(writing, probe.run_within_s):
        return [f"its {what} did not end within {probe.run_within_s:.0f} s"]
    if error := writing.exception():
        return [f"its {what} raised {said(error)}"]
    first = writing.result()
    if not first.is_file() or directory.resolve() not in first.resolve().parents:
        return [f"its {what} must return a file in the directory, not {first}"]
    return []


def said(error: BaseException) -> str:
    """An error in words."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, SystemExit):
        text += " (a job never ends the process: raise an error, SettingsError where the machine is unfit)"
    return text
