"""A plan as lines and tables for people: each figure with how it is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from bec_cli.common import note
from bec_cli.printing import say
from bec_cli.tables import Column, print_table

if TYPE_CHECKING:
    from bec_core.admin.planning.figures import Figure
    from bec_core.admin.planning.plan import JobPlan, OnInstance, Plan

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_KINDS = {"get": "S3 GET and HEAD", "put": "S3 PUT", "list": "S3 LIST", "sqs": "SQS calls"}

Shown = Callable[[float], str]


def print_plan(plan: Plan) -> None:
    """Print it."""
    for job in plan.jobs:
        title = job.name if job.name == job.type else f"{job.name} ({job.type})"
        columns: list[Column] = ["Figure", ("Value", "right"), ("± 95 %", "right"), "How", "Why"]
        print_table(f"Plan: {title}", columns, list(_rows(job, plan.currency)))
        _print_instances(f"{title} by instance type", job.on, plan)
    _print_instances("All jobs by instance type", plan.on, plan)
    if plan.prices is None:
        note("no instance types and no costs: they come from your own file (--prices FILE, docs/planning.md)")
    else:
        say(f"Prices: {plan.prices} ({plan.currency}), read {plan.made_at:%Y-%m-%d}")
    say("All is reckoned as done once and nothing lost; what interruptions cost: docs/planning.md")


def _rows(job: JobPlan, currency: str | None) -> Iterator[tuple[object, ...]]:
    yield _row("Volumes", job.volumes, _whole)
    yield _row("Pages", job.pages, _whole)
    yield _row("Pages/s of a worker", job.pages_per_s, _short)
    yield _row("Hours of one worker", job.hours_of_one_worker, _short)
    if job.processor_s is not None:  # nobody knows it of a rate that was told
        yield _row("Processor seconds a page", job.processor_s, _short)
        yield _row("Core hours", job.core_hours, _short)
    yield _row("Images read", job.read, _size)
    yield _row("Written", job.written, _size)
    for kind, figure in job.requests.items():
        yield _row(_KINDS[kind], figure, _whole)
    if currency is not None:
        yield _row(f"Storage a month, {currency}", job.storage_cost_month, _money)
        yield _row(f"Requests, {currency}", job.requests_cost, _money)


def _row(name: str, figure: Figure | None, shown: Shown) -> tuple[object, ...]:
    if figure is None:
        return (name, None, None, "unknown", "nothing is known that it could be told from")
    margin = None if figure.margin is None else shown(figure.margin)
    return (name, shown(figure.value), margin, figure.basis.value, figure.why)


def _print_instances(title: str, rows: tuple[OnInstance, ...], plan: Plan) -> None:
    if not rows:
        return
    columns: list[Column] = [
        "Instance", ("Pages/s", "right"), ("Instance hours", "right"), ("± 95 %", "right"),
        ("Days", "right"), (f"{plan.currency}", "right"), (f"{plan.currency} spot", "right"), "How", "Why",
    ]  # fmt: skip
    say()
    print_table(title, columns, [_instance(one) for one in rows])


def _instance(row: OnInstance) -> tuple[object, ...]:
    hours = row.instance_hours
    if hours is None:
        return (
            row.instance,
            *[None] * 6,
            "unknown",
            "no rate can be told for it: pages_per_s in the price file",
        )
    figures = (row.pages_per_s, hours, row.days, row.cost, row.spot_cost)
    shown = [
        None if one is None else form(one.value)
        for one, form in zip(figures, (_short, _short, _short, _money, _money), strict=True)
    ]
    margin = None if hours.margin is None else _short(hours.margin)
    return (row.instance, *shown[:2], margin, *shown[2:], hours.basis.value, hours.why)


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _money(value: float) -> str:
    return f"{value:,.2f}"


def _size(value: float) -> str:
    power = 0
    while value >= 1024 and power < len(_UNITS) - 1:
        value, power = value / 1024, power + 1
    return f"{value:.3g} {_UNITS[power]}" if value < 1000 else f"{value:,.0f} {_UNITS[power]}"
