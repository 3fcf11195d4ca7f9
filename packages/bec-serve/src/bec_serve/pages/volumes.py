"""A job's volumes: found by name, state and figures, the ones that need eyes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from attrs import frozen

from bec_core import SettingsError
from bec_core.admin.metrics import declared
from bec_core.admin.volumes import STATES, Condition, volumes_found
from bec_core.job import Metric
from bec_core.models import Job
from bec_serve import readings
from bec_serve.routing import Page, Values
from bec_serve.serving import Serving

_ROWS = 50
_MOST = 10_000  # nobody turns so many leaves
_OWN = (
    Metric("pages", "Pages of the volume."),
    Metric("errors", "Pages that failed.", better="lower"),
)
"""What every result has, beside its job type's metrics."""


@frozen
class Column:
    """A figure in the list: what it is, where a click on its heading leads, and whether the list is in its order."""

    metric: Metric
    href: str
    order: str | None


@frozen
class Asked:
    """What the address asks for."""

    text: str
    states: tuple[str, ...]
    conditions: tuple[Condition, ...]
    by: str
    descending: bool
    leaf: int
    given: Mapping[str, str]

    @classmethod
    def of(cls, query: Mapping[str, str], metrics: Sequence[Metric]) -> Asked:
        """What a query asks for.

        Raises:
            SettingsError: it asks for what there is not.
        """
        known = {metric.name: metric for metric in metrics}
        conditions = []
        for name, metric in known.items():
            least, most = (_bound(query, f"{name}.{end}", metric) for end in ("min", "max"))
            if least is not None or most is not None:
                conditions.append(Condition(name, least, most))
        states = tuple(one for one in query.get("state", "").split(",") if one)
        by, descending = query.get("by", "id"), query.get("order") == "down"
        if bad := [one for one in states if one not in STATES]:
            raise SettingsError(f"there is no state {bad[0]!r}; there are {', '.join(STATES)}")
        if by not in ("id", "done", *known):
            raise SettingsError(f"volumes can't be sorted by {by!r}")
        leaf = query.get("leaf", "1")
        if not leaf.isdecimal() or not 1 <= int(leaf) <= _MOST:
            raise SettingsError(f"there is no leaf {leaf!r}")
        kept = {name: value for name, value in query.items() if value and name != "leaf"}
        return cls(
            query.get("q", "").strip()[:200], states, tuple(conditions), by, descending, int(leaf), kept
        )

    def with_(self, **changes: str) -> str:
        """The address of this with changes, as a query."""
        return "?" + urlencode({name: value for name, value in (dict(self.given) | changes).items() if value})


def _bound(query: Mapping[str, str], name: str, metric: Metric) -> float | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        if metric.labels:
            return float(metric.labels.index(text))
        value = float(text.removesuffix("%").strip())
    except ValueError:
        raise SettingsError(f"{name}: {text!r} is no value of {metric.name}") from None
    return value / 100 if metric.percent else value


def figures_of(serving: Serving, job: Job) -> tuple[Metric, ...]:
    """What can be asked for: the job type's metrics, and what every result has."""
    metrics = declared(serving.session, job)
    taken = {one.name for one in metrics}
    return (*metrics, *(one for one in _OWN if one.name not in taken))


def needing_eyes(metrics: Sequence[Metric]) -> str | None:
    """The figure by which the volumes that need eyes come first; None if the job type has none."""
    names = {metric.name for metric in metrics}
    return next((name for name in ("suspicious", "cer", "without_lines") if name in names), None)


async def read(serving: Serving, path: Values, query: Mapping[str, str]) -> Values:
    """The volumes that the address asks for."""
    job = await readings.job_named(serving, path["name"])
    metrics = figures_of(serving, job)
    asked = Asked.of(query, metrics)
    key = ("volumes", job.id, asked.with_(leaf=str(asked.leaf)))
    found = await serving.reads.get(
        key,
        lambda: volumes_found(
            serving.session, job,
            text=asked.text, states=asked.states, conditions=asked.conditions,
            by=asked.by, descending=asked.descending, limit=_ROWS, offset=_ROWS * (asked.leaf - 1),
        ),
    )  # fmt: skip
    shown = [metric for metric in metrics if any(metric.name in one.metrics for one in found.volumes)]
    own = [metric for metric in _OWN if metric.name not in {one.name for one in shown}]
    return {
        "job": job,
        "asked": asked,
        "found": found,
        "metrics": metrics,
        "columns": [_column(metric, asked) for metric in (*shown, *own)],
        "leaves": max(1, -(-found.total // _ROWS)),
        "states": STATES,
        "eyes": needing_eyes(metrics),
        "narrowed": bool(asked.states or asked.conditions),
    }


def _column(metric: Metric, asked: Asked) -> Column:
    here = asked.by == metric.name
    down = not asked.descending if here else True
    order = None if not here else "descending" if asked.descending else "ascending"
    return Column(metric, asked.with_(by=metric.name, order="down" if down else "up"), order)


PAGE = Page("/jobs/{name}/volumes", "volumes.html", read)
