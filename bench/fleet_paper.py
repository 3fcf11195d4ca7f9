"""A whole library on paper: hours, costs from your price file, and what bounds a fleet, all from measured rates.

    bec plan ldv1,ocrv1 --volume W_ID,I_ID … --json > plan.json      rates, bytes and artifacts, tried here
    python bench/speed.py --json speed.json                          the bounds of line detection
    python bench/fleet_database.py --workers 40 --json database.json what workers ask of PostgreSQL
    python bench/fleet_paper.py --plan plan.json --speed speed.json --database database.json
        [--prices FILE] [--volumes 60000] [--pages 22000000] [--workers 500]

What a call of S3 and SQS costs our side is measured here. All else is read from these files, multiplied in the open and
marked: measured, extrapolated, or assumed. There is no price in it but those of --prices. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from attrs import frozen
from loguru import logger
from measuring.services import PAGE_BYTES, cpu_ms

from bec_core.admin.planning.figures import Basis, Figure
from bec_core.admin.planning.measured import Measured
from bec_core.admin.planning.plan import JobPlan, Plan, Task, make_plan
from bec_core.admin.planning.prices import read_prices
from bec_core.admin.planning.rates import Machine, Rate
from bec_core.worker.options import WorkerOptions

MAX_CONNECTIONS = 2000
"""What the operators' guide asks of PostgreSQL for 500 workers: four each."""


@frozen
class Load:
    """What workers ask of PostgreSQL: connections, transactions and cores of the server."""

    connections: float
    transactions_per_s: float
    cores: float


def database_load(seen: dict[str, Any], workers: int, volumes_per_s: float, options: WorkerOptions) -> Load:
    """What was seen of fewer workers with another pace, as so many would ask it.

    Heartbeats and renewals (three in a lease) come by the clock, all else of a transaction by the volume.
    """

    def by_the_clock(lease_s: float, heartbeat_s: float) -> float:
        return 1 / heartbeat_s + 3 / lease_s

    clocked = seen["workers"] * by_the_clock(seen["lease_s"], seen["heartbeat_s"])
    a_volume = max(0.0, seen["transactions_per_s"] - clocked) / max(seen["volumes_per_s"], 1e-9)
    asked = volumes_per_s * a_volume + workers * by_the_clock(options.lease_s, options.heartbeat_s)
    core_s = seen["server_cores"] / max(seen["transactions_per_s"], 1e-9)
    return Load(workers * seen["connections"] / seen["workers"], asked, asked * core_s)


def tasks_of(plan: dict[str, Any], volumes: int, pages: int) -> list[Task]:
    """The plan's jobs over so many volumes and pages instead of those that were tried.

    Raises:
        SystemExit: a job's rate is missing: the plan was made without one.
    """
    of_all = Figure(pages, Basis.ASSUMED, "as --pages says")
    found = []
    for job in plan["jobs"]:
        if not job["pages_per_s"]:
            sys.exit(f"the plan knows no rate of {job['name']}: let bec plan try pages, or give it --rate")
        rate = Rate(_figure(job["pages_per_s"]), Machine())
        each = [_a_page(job[name], job["pages"]) for name in ("read", "written")]
        inputs = (1,) * len(found[:1])  # what comes after the first job reads one artifact of it
        found.append(Task(job["name"], job["type"], volumes, of_all, Measured(rate, *each), inputs))
    return found


def _figure(said: dict[str, Any]) -> Figure:
    return Figure(said["value"], Basis(said["basis"]), said["why"], said["margin"])


def _a_page(size: dict[str, Any] | None, pages: dict[str, Any] | None) -> Figure | None:
    if not size or not pages or not pages["value"]:
        return None
    return Figure(size["value"] / pages["value"], Basis(size["basis"]), size["why"])


def print_hours(plan: Plan) -> None:
    """Each job's rate, hours and sizes; costs where there are prices."""
    print("| job | pages/s of a worker | hours of one worker | read | written | how |")
    print("| --- | --- | --- | --- | --- | --- |")
    for job in plan.jobs:
        rate, hours = job.pages_per_s, job.hours_of_one_worker
        assert rate is not None
        assert hours is not None
        print(
            f"| {job.name} | {rate.value:.2f} ({rate.basis.value}: {rate.why}) | {hours.value:,.0f} {_margin(hours)}"
            f"| {_tib(job.read)} | {_tib(job.written)} | rate {rate.basis.value}, hours extrapolated |"
        )
    for job in plan.jobs:
        for on in job.on:
            costs = f"{on.cost.value:,.0f} {plan.currency}" if on.cost else "unknown"
            spot = f", spot {on.spot_cost.value:,.0f}" if on.spot_cost else ""
            hours = f"{on.instance_hours.value:,.0f} hours" if on.instance_hours else "hours unknown"
            print(f"\n{job.name} on {on.instance}: {hours}, {costs}{spot} (prices: {plan.prices})")
    if plan.prices is None:
        print("\nNo costs: they come from your own price file alone (`--prices`).")


def _margin(figure: Figure) -> str:
    return "" if figure.margin is None else f"± {figure.margin:,.0f} "


def _tib(figure: Figure | None) -> str:
    return "unknown" if figure is None else f"{figure.value / 2**40:.2f} TiB"


def print_bounds(
    first: JobPlan, speed: dict[str, Any], seen: dict[str, Any], workers: int, pages_a_volume: float
) -> None:
    """What so many workers of the first job ask of each part, beside what was measured of it."""
    rate = speed["run"]["pages_per_s"]
    bounds, cores = speed["bounds"], speed["cores"]
    calls = cpu_ms()
    fleet_rate = workers * rate
    volumes_per_s = fleet_rate / pages_a_volume
    sqs_a_volume = first.requests["sqs"].value / first.volumes.value
    load = database_load(seen, workers, volumes_per_s, WorkerOptions())

    print(
        f"\n{workers} workers like the one measured ({cores} cores, {rate:.2f} pages/s, {speed['model']}):\n"
    )
    print("| | measured here | asked by the fleet (extrapolated) | share of what bounds it |")
    print("| --- | --- | --- | --- |")
    for name, key in (
        ("network alone", "network"),
        ("everything else alone", "rest"),
        ("decoding alone", "decode"),
    ):
        there = bounds[key]["pages_per_s"]
        print(
            f"| {name} | {there:.2f} pages/s a worker | {fleet_rate:,.0f} of {workers * there:,.0f} pages/s "
            f"| {rate / there:.0%} |"
        )
    print(
        f"| both in turn | {speed['in_turn']:.2f} pages/s a worker | {fleet_rate:,.0f} of "
        f"{workers * speed['in_turn']:,.0f} pages/s | {rate / speed['in_turn']:.0%} |"
    )
    s3_share = calls["S3 GET"] / 1000 * rate / cores
    print(
        f"| S3, a GET a page | {calls['S3 GET']:.2f} CPU-ms a GET of {PAGE_BYTES:,} bytes "
        f"| {fleet_rate:,.0f} GETs a second | {s3_share:.2%} of a worker's cores |"
    )
    sqs_share = calls["SQS call"] / 1000 * sqs_a_volume * volumes_per_s / workers / cores
    print(
        f"| SQS, {sqs_a_volume:.1f} calls a volume | {calls['SQS call']:.2f} CPU-ms a call "
        f"| {sqs_a_volume * volumes_per_s:,.1f} calls a second | {sqs_share:.4%} of a worker's cores |"
    )
    print(
        f"| PostgreSQL, transactions | {seen['transactions_per_s']:.0f} a second of {seen['workers']} workers, "
        f"{seen['server_cores']:.3f} cores | {load.transactions_per_s:,.0f} a second, {load.cores:.3f} cores "
        f"| {load.cores:.1%} of one core |"
    )
    print(
        f"| PostgreSQL, connections | {seen['connections']} of {seen['workers']} workers at most "
        f"| {load.connections:,.0f} of {MAX_CONNECTIONS:,} | {load.connections / MAX_CONNECTIONS:.0%} |"
    )
    print("\nWhat S3, SQS and the network between allow on their side can't be measured here.")


def main() -> None:
    """Read the files, measure the calls, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("plan", "speed", "database"):
        parser.add_argument(f"--{name}", type=Path, required=True, help="a file of figures; see above")
    parser.add_argument("--prices", type=Path, help="your price file (docs/reference.md)")
    parser.add_argument("--volumes", type=int, default=60_000)
    parser.add_argument("--pages", type=int, default=22_000_000)
    parser.add_argument("--workers", type=int, default=500)
    options = parser.parse_args()
    logger.remove()
    said, speed, seen = (
        json.loads(path.read_text()) for path in (options.plan, options.speed, options.database)
    )
    prices = read_prices(options.prices) if options.prices else None
    made = make_plan(tasks_of(said, options.volumes, options.pages), prices, fleet=options.workers)
    print(f"{options.pages:,} pages of {options.volumes:,} volumes.\n\n{speed['machine']}\n")
    print_hours(made)
    print_bounds(made.jobs[0], speed, seen, options.workers, options.pages / options.volumes)


if __name__ == "__main__":
    main()
