"""A job's metrics over its volumes: what its type declares, added up by the database or from markers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from attrs import field, frozen
from loguru import logger

from bec_core.admin.session import Session
from bec_core.errors import PluginError
from bec_core.job import Metric
from bec_core.models import Job

__all__ = ["MetricChange", "MetricFigure", "changes", "counted", "declared", "of_markers"]


@frozen
class MetricFigure:
    """A metric over ``volumes`` volumes: the sum, or the weighted mean; None where no volume has it.

    One whose values stand for words has no value, but says by word how many volumes there are (``by_word``).
    """

    metric: Metric
    value: float | None
    volumes: int
    by_word: Mapping[str, int] = field(factory=dict)


@frozen
class MetricChange:
    """A metric of two runs over the same volumes."""

    metric: Metric
    before: float | None
    after: float | None
    volumes: int

    @property
    def change(self) -> float | None:
        """After less before."""
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, or nothing where the job type does not say which is which."""
        if not self.change or self.metric.better is None:
            return ""
        return "better" if (self.change < 0) == (self.metric.better == "lower") else "worse"


def declared(session: Session, job: Job) -> tuple[Metric, ...]:
    """The metrics that the job's type declares; none if its plugin is not to be had here."""
    try:
        job_type = session.plugins.job_types.get(job.type)
    except PluginError as error:
        logger.warning("the metrics of {} are not shown: {}", job.name, error)
        return ()
    return job_type.metrics if job_type else ()


def of_markers(metrics: Sequence[Metric], markers: Iterable[Mapping[str, object]]) -> list[MetricFigure]:
    """The metrics over the volumes of these markers (their contents), as the database adds them up."""
    from bec_core.artifacts.marker import metrics_of  # who asks the database needs none of the stores' rooms

    given = [metrics_of(marker) for marker in markers]
    return [_over(metric, given) for metric in metrics]


def counted(metric: Metric, counts: Mapping[float, int]) -> MetricFigure:
    """A metric whose values stand for words, from how many volumes have which value."""
    words = dict.fromkeys(metric.labels, 0)
    for value, number in counts.items():
        word = metric.word(value) or f"{value:g}"
        words[word] = words.get(word, 0) + number
    return MetricFigure(metric, None, sum(counts.values()), words)


def _over(metric: Metric, given: Sequence[Mapping[str, float]]) -> MetricFigure:
    if metric.labels:
        return counted(metric, Counter(one[metric.name] for one in given if metric.name in one))
    if metric.weight is None:
        values = [one[metric.name] for one in given if metric.name in one]
        return MetricFigure(metric, sum(values) if values else None, len(values))
    pairs = [
        (one[metric.name], one[metric.weight]) for one in given if {metric.name, metric.weight} <= one.keys()
    ]
    weight = sum(pair[1] for pair in pairs)
    mean = sum(value * by for value, by in pairs) / weight if weight else None
    return MetricFigure(metric, mean, len(pairs))


def changes(
    metrics: Sequence[Metric], before: Sequence[Mapping[str, object]], after: Sequence[Mapping[str, object]]
) -> list[MetricChange]:
    """Two runs' metrics side by side, but for those that stand for words; the markers are of the same volumes."""
    metrics = [metric for metric in metrics if not metric.labels]
    sides = zip(of_markers(metrics, before), of_markers(metrics, after), strict=True)
    return [
        MetricChange(one.metric, one.value, two.value, min(one.volumes, two.volumes)) for one, two in sides
    ]
