"""How a job's metrics are shown: a table for people, plain values for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bec_cli.common import count
from bec_cli.tables import Column, print_table

if TYPE_CHECKING:
    from bec_core.admin.metrics import MetricChange, MetricFigure
    from bec_core.job import Metric


def shown_figure(one: MetricFigure) -> str | None:
    """A metric over a job's volumes for people: its value, or how many volumes each of its words has."""
    if one.metric.labels:
        return (
            ", ".join(f"{word} {number:,}" for word, number in one.by_word.items()) if one.volumes else None
        )
    return one.metric.shown(one.value)


def print_metrics(figures: Sequence[MetricFigure]) -> None:
    """The metrics of one job."""
    columns: list[Column] = ["Metric", ("Value", "right"), ("Volumes", "right"), "Meaning"]
    rows = [(one.metric.name, shown_figure(one), one.volumes, _meaning(one.metric)) for one in figures]
    print_table("Metrics", columns, rows)


def metric_lines(figures: Sequence[MetricFigure]) -> list[str]:
    """The metrics that there are, a line each."""
    return [
        f"{one.metric.name}: {value} ({one.metric.doc.rstrip('.')})"
        for one in figures
        if (value := shown_figure(one)) is not None
    ]


def print_changes(changes: Sequence[MetricChange], names: tuple[str, str], volumes: int) -> None:
    """The metrics of two runs side by side."""
    columns: list[Column] = [
        "Metric", (names[0], "right"), (names[1], "right"), ("Change", "right"), "", "Meaning",
    ]  # fmt: skip
    rows = [
        (
            one.metric.name,
            one.metric.shown(one.before),
            one.metric.shown(one.after),
            one.metric.shown(one.change, signed=True),
            one.verdict,
            _meaning(one.metric),
        )
        for one in changes
    ]
    print_table(f"Metrics over {count(volumes, 'volume')} that both have done", columns, rows)


def plain_figure(one: MetricFigure) -> dict[str, Any]:
    """A metric of one job for programs."""
    counts = {"by_word": dict(one.by_word)} if one.metric.labels else {}
    return {**_plain(one.metric), "value": one.value, "volumes": one.volumes, **counts}


def plain_change(one: MetricChange) -> dict[str, Any]:
    """A metric of two runs for programs."""
    return {
        **_plain(one.metric),
        "before": one.before,
        "after": one.after,
        "change": one.change,
        "verdict": one.verdict or None,
        "volumes": one.volumes,
    }


def _plain(metric: Metric) -> dict[str, Any]:
    return {
        "name": metric.name,
        "doc": metric.doc,
        "weight": metric.weight,
        "better": metric.better,
        "percent": metric.percent,
    }


def _meaning(metric: Metric) -> str:
    parts = [metric.doc.rstrip(".")]
    if metric.weight:
        parts.append(f"weighed by {metric.weight}")
    if metric.better:
        parts.append(f"{metric.better} is better")
    return "; ".join(parts)
