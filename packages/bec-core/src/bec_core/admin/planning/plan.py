"""A plan: what is known of the work, times what an instance type does and costs. Functions of figures alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from attrs import field, frozen

from bec_core.admin.planning.figures import Basis, Figure, least_sure, product, total
from bec_core.admin.planning.measured import Measured
from bec_core.admin.planning.prices import Instance, Prices
from bec_core.admin.planning.rates import Machine, on_instance
from bec_core.admin.planning.requests import Requests, of_volume

GIB = 1024.0**3
_ONE = 1  # artifact, where nobody knows how many a job writes


@frozen
class Task:
    """A job's part of the plan, as it is put in: ``inputs`` says of each input how many artifacts are read."""

    name: str
    type: str
    volumes: int
    pages: Figure | None
    measured: Measured
    inputs: tuple[int, ...] = ()


@frozen
class OnInstance:
    """A job on an instance type: of a whole instance the rate; hours of instances; what they cost. None: no ground."""

    instance: str
    pages_per_s: Figure | None
    instance_hours: Figure | None
    days: Figure | None
    cost: Figure | None
    spot_cost: Figure | None


@frozen
class JobPlan:
    """What a job takes; sizes in bytes, costs in the price file's currency. None: no ground.

    ``artifacts``: how many of a volume. ``measured_on``: the rate's machine. ``processor_s``: processor time a page,
    seconds; ``core_hours``: that of all pages.
    """

    name: str
    type: str
    volumes: Figure
    pages: Figure | None
    pages_per_s: Figure | None
    hours_of_one_worker: Figure | None
    read: Figure | None
    written: Figure | None
    storage_cost_month: Figure | None
    requests: dict[str, Figure] = field(factory=dict)
    requests_cost: Figure | None = None
    on: tuple[OnInstance, ...] = ()
    artifacts: int | None = None
    measured_on: Machine | None = None
    processor_s: Figure | None = None
    core_hours: Figure | None = None


@frozen
class Plan:
    """All jobs; ``fleet``: how many instances there are to be, None: not said. ``made_at``: prices and rates change."""

    made_at: datetime
    jobs: tuple[JobPlan, ...]
    on: tuple[OnInstance, ...]
    fleet: int | None
    prices: str | None
    currency: str | None


def make_plan(tasks: Sequence[Task], prices: Prices | None, *, fleet: int | None = None) -> Plan:
    """The plan of these jobs, each as if all of its work were done once, without a loss."""
    jobs = tuple(_job(task, prices, fleet) for task in tasks)
    rows = [_all(instance, jobs, n, fleet) for n, instance in enumerate(prices.instances)] if prices else []
    return Plan(
        datetime.now(UTC),
        jobs,
        tuple(rows) if len(jobs) > 1 else (),
        fleet,
        prices.path if prices else None,
        prices.currency if prices else None,
    )


def _job(task: Task, prices: Prices | None, fleet: int | None) -> JobPlan:
    rate = task.measured.rate
    written = _of_pages("bytes a page, of all pages", task.pages, task.measured.written)
    requests = _requests(task)
    return JobPlan(
        task.name,
        task.type,
        Figure(task.volumes, Basis.MEASURED, "counted"),
        task.pages,
        rate.figure if rate else None,
        _hours("pages by the rate of one worker", task.pages, rate.figure if rate else None),
        _of_pages("bytes a page, of all pages", task.pages, task.measured.read),
        written,
        _priced(
            written, prices.gib_month if prices else None, 1 / GIB, "the bytes written, by the GiB and month"
        ),
        requests,
        _requests_cost(requests, prices),
        tuple(_on(task, one, fleet) for one in prices.instances) if prices else (),
        task.measured.artifacts,
        rate.machine if rate else None,
        task.measured.processor,
        _core_hours(task),
    )


def _on(task: Task, instance: Instance, fleet: int | None) -> OnInstance:
    rate = on_instance(task.measured.rate, instance, (task.name, task.type))
    hours = _hours("pages by the rate of an instance", task.pages, rate)
    return _row(instance, rate, hours, fleet)


def _row(instance: Instance, rate: Figure | None, hours: Figure | None, fleet: int | None) -> OnInstance:
    days = None
    if fleet and hours is not None:
        # what keeps a fleet from sharing the work evenly (starts, losses, the last volumes) is the simulation's to tell
        assumed = Figure(1.0, Basis.ASSUMED, "")
        days = product(
            f"shared evenly by {fleet} instances, nothing lost", hours, assumed, times=1 / 24 / fleet
        )
    return OnInstance(
        instance.name,
        rate,
        hours,
        days,
        _priced(hours, instance.hourly, 1.0, "hours of instances, by the price file"),
        _priced(
            hours,
            instance.spot_hourly,
            1.0,
            "hours of instances, by the price file; nothing lost to interruptions",
        ),
    )


def _all(instance: Instance, jobs: Sequence[JobPlan], n: int, fleet: int | None) -> OnInstance:
    """All jobs on one instance type; a job of which nothing is known there leaves the sum unknown."""
    hours = [one.on[n].instance_hours for one in jobs]
    known = [one for one in hours if one is not None]
    return _row(instance, None, total("all jobs", known) if len(known) == len(hours) else None, fleet)


def _hours(why: str, pages: Figure | None, rate: Figure | None) -> Figure | None:
    if pages is None or rate is None:
        return None
    slow = Figure(
        1 / rate.value, rate.basis, rate.why, None if rate.margin is None else rate.margin / rate.value**2
    )
    found = product(f"{why} ({rate.why})", pages, slow, times=1 / 3600)
    sure = least_sure(found.basis, Basis.EXTRAPOLATED)  # no page of these was done yet
    return Figure(found.value, sure, found.why, found.margin)


def _core_hours(task: Task) -> Figure | None:
    if task.pages is None or task.measured.processor is None:
        return None
    each = task.measured.processor
    found = product(f"pages by processor time a page ({each.why})", task.pages, each, times=1 / 3600)
    return Figure(found.value, least_sure(found.basis, Basis.EXTRAPOLATED), found.why, found.margin)


def _of_pages(why: str, pages: Figure | None, each: Figure | None) -> Figure | None:
    if pages is None or each is None:
        return None
    found = product(f"{each.why}: {why}", pages, each)
    return Figure(found.value, least_sure(found.basis, Basis.EXTRAPOLATED), found.why, found.margin)


def _priced(amount: Figure | None, price: float | None, per: float, why: str) -> Figure | None:
    if amount is None or price is None:
        return None
    return product(why, amount, times=price * per)


def _requests(task: Task) -> dict[str, Figure]:
    """By kind; as the code asks, of volumes that are done at their first attempt."""
    if task.pages is None or not task.volumes:
        return {}
    pages = task.pages.value / task.volumes
    rate = task.measured.rate
    each = of_volume(
        pages=pages,
        artifacts=task.measured.artifacts or _ONE,
        seconds=pages / rate.figure.value if rate else 0.0,
        inputs=task.inputs,
    )
    known = rate is not None and task.measured.artifacts is not None
    basis = least_sure(task.pages.basis, Basis.EXTRAPOLATED if known else Basis.ASSUMED)
    all_of_it: Requests = each.times(task.volumes)
    per_volume = {"get": each.get, "put": each.put, "list": each.list, "sqs": each.sqs}
    totals = {"get": all_of_it.get, "put": all_of_it.put, "list": all_of_it.list, "sqs": all_of_it.sqs}
    return {
        kind: Figure(
            value, basis, f"{per_volume[kind]:,.1f} a volume, as the worker asks; no attempt repeated"
        )
        for kind, value in totals.items()
    }


def _requests_cost(requests: dict[str, Figure], prices: Prices | None) -> Figure | None:
    """What they cost; None unless the price of every kind is known."""
    if prices is None or not requests:
        return None
    each = {
        "get": prices.requests.get,
        "put": prices.requests.put,
        "list": prices.requests.list,
        "sqs": prices.requests.sqs,
    }
    costs = [_priced(requests[kind], price, 1 / 1000, "") for kind, price in each.items()]
    known = [one for one in costs if one is not None]
    return total("requests by the thousand, by the price file", known) if len(known) == len(costs) else None
