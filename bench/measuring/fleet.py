"""A fleet on paper: rows of figures, each with how it is known and from what. Functions of figures alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen

from bec_core.admin.planning.figures import Basis, Figure
from bec_core.admin.planning.plan import JobPlan, OnInstance, Plan
from bec_core.pages.flow import AHEAD
from bec_core.worker.options import WorkerOptions
from measuring.services import Calls


@frozen
class Row:
    """A figure as it is shown, how it is known (None: it isn't), and from what."""

    what: str
    shown: str
    basis: Basis | None
    why: str


@frozen
class Fleet:
    """So many workers like the one that was measured, over volumes of so many pages."""

    workers: int
    pages_a_volume: float


def markdown(rows: Sequence[Row]) -> str:
    """A table."""
    lines = ["| | figure | how | from |", "| --- | --- | --- | --- |"]
    for row in rows:
        how = row.basis.value if row.basis else "**unknown**"
        cells = (row.what, row.shown, how, row.why)
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines)


# what it takes -------------------------------------------------------------------------------------------------------


def job_rows(job: JobPlan, workers: int) -> list[Row]:
    """A job's rate, hours and sizes."""
    rows = [
        _row("pages/s of a worker, by the clock", job.pages_per_s, lambda value: f"{value:.2f}"),
        _row("machine hours, all pages", job.hours_of_one_worker, _whole),
    ]
    if job.hours_of_one_worker is not None:
        shared = f"{job.hours_of_one_worker.value / workers:,.1f}"
        why = "these hours, shared evenly, nothing lost (the simulation of docs/planning.md tells what is)"
        rows.append(Row(f"hours of {workers:,} such workers", shared, Basis.ASSUMED, why))
    return [
        *rows,
        _row("processor seconds a page", job.processor_s, lambda value: f"{value:.3f}"),
        _row("core hours, all pages, whatever else the machine did", job.core_hours, _whole),
        _row("read of images", job.read, lambda value: f"{value / 2**40:.2f} TiB"),
        _row("written", job.written, lambda value: f"{value / 2**40:.3f} TiB"),
    ]


def cost_rows(plan: Plan) -> list[Row]:
    """What each job, and all of them, cost on each instance type of the price file; none without one."""
    each = [(job.name, on) for job in plan.jobs for on in job.on] + [("all jobs", on) for on in plan.on]
    return [row for name, on in each for row in _costs(f"{name} on {on.instance}", on, plan)]


def _costs(name: str, on: OnInstance, plan: Plan) -> list[Row]:
    def money(value: float) -> str:
        return f"{value:,.2f} {plan.currency}"

    rows = [_row(f"{name}: instance hours", on.instance_hours, _whole)]
    if on.instance_hours is not None:
        rows.append(_row(f"{name}: costs", on.cost, money))
        rows.append(_row(f"{name}: costs on spot", on.spot_cost, money))
    return rows


def _row(what: str, figure: Figure | None, shown: Callable[[float], str]) -> Row:
    if figure is None:
        return Row(what, "", None, "no ground for it in the files given")
    margin = "" if figure.margin is None else f" ± {shown(figure.margin)}"
    return Row(what, shown(figure.value) + margin, figure.basis, figure.why)


def _whole(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


# what bounds a worker, and its calls ---------------------------------------------------------------------------------


def worker_rows(speed: dict[str, Any]) -> list[Row]:
    """A worker's rate beside its bounds, all of one call of bench/speed.py."""
    before, after = speed["load"]
    why = (
        f"{speed['pages']} pages ({speed['of_what']}), {speed['cores']} cores, "
        f"load {before:.1f} before, {after:.1f} after"
    )
    rate, cpu_s = speed["run"]["pages_per_s"], speed["cpu_s"]
    rows = [Row("`bec run`, a worker", f"{rate:.2f} pages/s", Basis.MEASURED, f"{speed['model']}; {why}")]
    for name, key in (
        ("the network alone", "network"),
        ("everything else alone", "rest"),
        ("reading and decoding alone", "decode"),
    ):
        bound = speed["bounds"][key]
        said = f"{bound['pages_per_s']:.2f} pages/s, {bound['cpu_s']:.3f} processor seconds a page"
        rows.append(
            Row(
                name,
                said,
                Basis.MEASURED,
                f"the same pages; the run has {rate / bound['pages_per_s']:.0%} of it",
            )
        )
    in_turn = speed["in_turn"]
    both_cpu_s = speed["bounds"]["network"]["cpu_s"] + speed["bounds"]["rest"]["cpu_s"]
    return [
        *rows,
        Row(
            "**bound: network and rest in turn**",
            f"{in_turn:.2f} pages/s",
            Basis.MEASURED,
            f"both want the same cores; the run has {rate / in_turn:.0%} of it by the clock, "
            f"{both_cpu_s / cpu_s:.0%} by processor time",
        ),
        Row("processor seconds a page", f"{cpu_s:.3f}", Basis.MEASURED, "the run, without its start and end"),
        Row(
            "the rate if nothing else ran there",
            f"{speed['cores'] / cpu_s:.2f} pages/s at most",
            Basis.EXTRAPOLATED,
            f"{speed['cores']} cores by these processor seconds",
        ),
    ]


def traffic_rows(job: JobPlan, speed: dict[str, Any], calls: Calls, fleet: Fleet) -> list[Row]:
    """What so many workers of a job ask of S3 and SQS, and what that costs each of them."""
    rate, cores = speed["run"]["pages_per_s"], speed["cores"]
    together = fleet.workers * rate
    volumes_per_s = together / fleet.pages_a_volume
    of_all = f"{fleet.workers:,} times {rate:.2f} pages/s"
    rows = [Row("all workers", f"{together:,.0f} pages/s", Basis.EXTRAPOLATED, of_all)]
    a_volume = {kind: figure.value / job.volumes.value for kind, figure in job.requests.items()}
    gets, sqs = a_volume["get"] * volumes_per_s, a_volume["sqs"] * volumes_per_s
    rows.append(
        Row(
            "S3, GET and HEAD",
            f"{gets:,.0f} a second",
            Basis.EXTRAPOLATED,
            f"{a_volume['get']:.0f} a volume, as a worker asks; a test counts them",
        )
    )
    if job.read is not None and job.pages is not None:
        a_page = job.read.value / job.pages.value
        rows.append(
            Row(
                "S3, images",
                f"{8 * a_page * rate / 1e6:.0f} Mbit/s a worker, {8 * a_page * together / 1e9:.2f} Gbit/s all",
                Basis.EXTRAPOLATED,
                f"{a_page:,.0f} bytes a page, measured: {job.read.why.partition(':')[0]}",
            )
        )
    busy = calls.get_ms / 1000 * rate / cores
    sqs_busy = calls.sqs_ms / 1000 * sqs / fleet.workers / cores
    rows += [
        Row(
            "S3, our side of a GET",
            f"{calls.get_ms:.2f} ms of processor, {busy:.1%} of a worker's cores",
            Basis.MEASURED,
            f"{calls.calls} GETs of {calls.page_bytes:,} bytes from moto's server here, load {calls.load:.1f}",
        ),
        Row(
            "**bound: how long a GET may take**",
            f"{1000 * AHEAD / rate:,.0f} ms",
            Basis.EXTRAPOLATED,
            f"{AHEAD} pages are fetched ahead at least (bench/slow_gets.py shows it); beyond it pages wait for S3",
        ),
        Row(
            "SQS",
            f"{sqs:,.1f} calls a second",
            Basis.EXTRAPOLATED,
            f"{a_volume['sqs']:.1f} a volume, as a worker asks; {volumes_per_s:.1f} volumes a second",
        ),
        Row(
            "SQS, our side of a call",
            f"{calls.sqs_ms:.2f} ms of processor, {sqs_busy:.4%} of a worker's cores",
            Basis.MEASURED,
            f"{calls.calls // 8 * 2} calls to moto's server here, load {calls.load:.1f}",
        ),
    ]
    return rows


# PostgreSQL ----------------------------------------------------------------------------------------------------------


@frozen
class Asked:
    """What workers ask of PostgreSQL: transactions, and cores of the server."""

    transactions_per_s: float
    cores: float


def database_load(seen: dict[str, Any], workers: int, volumes_per_s: float, options: WorkerOptions) -> Asked:
    """What was seen of fewer workers with another pace, as so many would ask it.

    Heartbeats and renewals (three in a lease) come by the clock, all else of a transaction by the volume.
    """

    def by_the_clock(lease_s: float, heartbeat_s: float) -> float:
        return 1 / heartbeat_s + 3 / lease_s

    clocked = seen["workers"] * by_the_clock(seen["lease_s"], seen["heartbeat_s"])
    a_volume = max(0.0, seen["transactions_per_s"] - clocked) / max(seen["volumes_per_s"], 1e-9)
    asked = volumes_per_s * a_volume + workers * by_the_clock(options.lease_s, options.heartbeat_s)
    return Asked(asked, asked * seen["server_cores"] / max(seen["transactions_per_s"], 1e-9))


def connection_rows(database: dict[str, Any], workers: int) -> list[Row]:
    """Connections as they were counted with fewer workers, and what so many come to."""
    runs = sorted(database["runs"], key=lambda one: float(one["workers"]))
    rows = [
        Row(
            f"connections of {one['workers']} workers",
            f"{one['connections_usual']:.0f} usually, {one['connections']} at most",
            Basis.MEASURED,
            f"counted in the server every second for {one['seconds']:.0f} s, load {one['load']:.1f}; "
            f"leases lost: {one['leases_lost']}",
        )
        for one in runs
    ]
    usual = max(one["connections_usual"] / one["workers"] for one in runs)
    most = max(one["connections"] / one["workers"] for one in runs)
    mib = max(one["backend_mib"] for one in runs)
    each, numbers = database["each"], ", ".join(str(one["workers"]) for one in runs)
    return [
        *rows,
        Row(
            f"connections of {workers:,} workers",
            f"{workers * usual:,.0f} usually, {workers * most:,.0f} at most",
            Basis.EXTRAPOLATED,
            f"{usual:.2f} and {most:.2f} a worker, the highest among {numbers} workers, the queue in PostgreSQL too",
        ),
        Row(
            "**bound: `max_connections`**",
            f"{workers * each:,}",
            Basis.EXTRAPOLATED,
            f"a worker opens no more than {each}; what it opened it keeps, so in days a fleet comes nearer to it",
        ),
        Row(
            "the server's memory for them",
            f"{workers * most * mib / 1024:.1f} GiB, {workers * each * mib / 1024:.1f} at {each} each",
            Basis.EXTRAPOLATED,
            f"{mib:.1f} MiB of its own for each connection, measured",
        ),
    ]


def transaction_row(name: str, speed: dict[str, Any], database: dict[str, Any], fleet: Fleet) -> Row:
    """What the server does for so many workers of a job."""
    volumes_per_s = fleet.workers * speed["run"]["pages_per_s"] / fleet.pages_a_volume
    seen = max(database["runs"], key=lambda one: float(one["workers"]))
    load = database_load(seen, fleet.workers, volumes_per_s, WorkerOptions())
    return Row(
        f"transactions of {fleet.workers:,} workers, {name}",
        f"{load.transactions_per_s:,.0f} a second, {load.cores:.2f} of the server's cores",
        Basis.EXTRAPOLATED,
        f"measured: {seen['transactions_per_s']:.0f} a second and {seen['server_cores']:.3f} cores of "
        f"{seen['workers']} workers with {seen['volumes_per_s']:.1f} volumes a second; here {volumes_per_s:.1f}, "
        "leases and heartbeats as usual",
    )
