"""A whole library on paper: hours, costs from your price file, and what bounds a fleet, all from measured rates.

    bec plan ldv1,ocrv1 --file volumes.txt --pages 60 --json > plan.json                rates and bytes, tried here
    python bench/speed.py --json speed.json                                             the bounds of line detection
    python bench/speed.py --job ocrv1 --json speed-ocr.json                             and of recognition
    python bench/fleet_database.py --workers 10,20,40 --seconds 40 --hold 10 --json database.json
    python bench/fleet_paper.py --plan plan.json --speed speed.json --speed speed-ocr.json --database database.json
        [--prices FILE [--measured-on TYPE]] [--volumes 60000] [--pages 22000000] [--workers 500]

What a call of S3 and SQS costs our side is measured here, against moto's server. All else is read from these files and
multiplied in the open: each row says whether it is measured, extrapolated or assumed, and from what. There is no price
in it but those of --prices. Prints Markdown. Exit status 2: a file is not what it should be; what is wrong is said.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from loguru import logger
from measuring.fleet import (
    Fleet,
    Row,
    connection_rows,
    cost_rows,
    job_rows,
    markdown,
    traffic_rows,
    transaction_row,
    worker_rows,
)
from measuring.services import measure_calls

from bec_core.admin.planning.figures import Basis, Figure
from bec_core.admin.planning.measured import Measured
from bec_core.admin.planning.plan import Task, make_plan
from bec_core.admin.planning.prices import Prices, read_prices
from bec_core.admin.planning.rates import Machine, Rate, machine_of
from bec_core.errors import SettingsError

_MADE_BY = {
    "plan": ("bec plan … --json", ("jobs",)),
    "speed": ("bench/speed.py --json", ("job", "load", "cpu_s", "bounds", "run")),
    "database": ("bench/fleet_database.py --json", ("runs", "each")),
}


class Unfit(Exception):
    """A file can't be used; the message says which and why."""


def read_figures(path: Path, kind: str) -> dict[str, Any]:
    """A file of figures.

    Raises:
        Unfit: it can't be read, or is none that this kind's command writes.
    """
    command, keys = _MADE_BY[kind]
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unfit(f"--{kind} {path}: {error.strerror}; {command} writes it") from None
    except ValueError as error:
        raise Unfit(f"--{kind} {path} is no JSON ({error}); {command} writes it") from None
    missing = [key for key in keys if not isinstance(found, dict) or key not in found]
    if missing:
        raise Unfit(f"--{kind} {path} has no {', '.join(missing)}: it is not what {command} writes now")
    return dict(found)


def tasks_of(plan: dict[str, Any], volumes: int, pages: int, machine: Machine | None = None) -> list[Task]:
    """The plan's jobs over so many volumes and pages instead of those that were tried.

    ``machine`` is where the rates were measured; None: where the plan says.

    Raises:
        Unfit: a job's rate is missing: the plan was made without one.
    """
    of_all = Figure(
        pages, Basis.EXTRAPOLATED, "as --pages says"
    )  # what the paper is about: nobody counted them
    found: list[Task] = []
    for job in plan["jobs"]:
        if not job["pages_per_s"]:
            raise Unfit(f"the plan knows no rate of {job['name']}: let bec plan try pages, or give it --rate")
        there = machine or (Machine(**job["measured_on"]) if job["measured_on"] else Machine())
        known = Measured(
            Rate(_figure(job["pages_per_s"]), there),
            *(_a_page(job[name], job["pages"]) for name in ("read", "written")),
            job["artifacts"],
            processor=_figure(job["processor_s"]) if job["processor_s"] else None,
        )
        inputs = (1,) * len(found[:1])  # what comes after the first job reads one artifact of it
        found.append(Task(job["name"], job["type"], volumes, of_all, known, inputs))
    return found


def _figure(said: dict[str, Any]) -> Figure:
    return Figure(said["value"], Basis(said["basis"]), said["why"], said["margin"])


def _a_page(size: dict[str, Any] | None, pages: dict[str, Any] | None) -> Figure | None:
    """Bytes a page as they were weighed: the plan's sum over the pages that it had."""
    if not size or not pages or not pages["value"]:
        return None
    return Figure(size["value"] / pages["value"], Basis.MEASURED, size["why"].partition(":")[0])


def tables(
    plan: dict[str, Any],
    speeds: Sequence[dict[str, Any]],
    database: dict[str, Any],
    prices: Prices | None,
    options: argparse.Namespace,
) -> list[tuple[str, list[Row]]]:
    """All tables with their titles; the calls of S3 and SQS are measured for them.

    Raises:
        Unfit: a file does not fit. SettingsError: the price file has no such instance.
    """
    machine = (
        machine_of(options.measured_on, prices.instances if prices else ()) if options.measured_on else None
    )
    made = make_plan(tasks_of(plan, options.volumes, options.pages, machine), prices, fleet=options.workers)
    fleet = Fleet(options.workers, options.pages / options.volumes)
    by_job = {speed["job"]: speed for speed in speeds}
    weighed = [job.read.value / options.pages for job in made.jobs if job.read is not None]
    calls = measure_calls(round(max(weighed))) if weighed else None
    found = [(f"{job.name}: {options.pages:,} pages", job_rows(job, options.workers)) for job in made.jobs]
    if prices is not None:
        found.append((f"Costs, by {prices.path}", cost_rows(made)))
    connections = connection_rows(database, options.workers)
    for job in made.jobs:
        title = f"{job.name}: what bounds {options.workers:,} workers"
        if (speed := by_job.get(job.type)) is None:
            said = f"no --speed file: bench/speed.py --job {job.type} --json FILE"
            found.append((title, [Row("its bounds", "", None, said)]))
            continue
        rows = worker_rows(speed)
        if calls is not None:
            rows += traffic_rows(job, speed, calls, fleet)
        found.append((title, rows))
        connections.append(transaction_row(job.name, speed, database, fleet))
    return [*found, (f"PostgreSQL for {options.workers:,} workers", connections)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the files, measure the calls, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plan", type=Path, required=True, help="a file of figures; see above")
    parser.add_argument("--speed", type=Path, required=True, action="append", help="one for each job")
    parser.add_argument("--database", type=Path, required=True, help="a file of figures; see above")
    parser.add_argument("--prices", type=Path, help="your price file (docs/reference.md)")
    parser.add_argument("--measured-on", help="the instance type of the price file that the plan was made on")
    for name, default in (("volumes", 60_000), ("pages", 22_000_000), ("workers", 500)):
        parser.add_argument(f"--{name}", type=_number, default=default, help="default: %(default)s")
    options = parser.parse_args(arguments)
    logger.remove()
    try:
        plan, database = read_figures(options.plan, "plan"), read_figures(options.database, "database")
        speeds = [read_figures(path, "speed") for path in options.speed]
        prices = read_prices(options.prices) if options.prices else None
        made = tables(plan, speeds, database, prices, options)
    except (Unfit, SettingsError) as error:
        parser.error(str(error))
    print(
        f"{options.pages:,} pages of {options.volumes:,} volumes, {options.workers:,} workers (as said, not counted)\n"
    )
    for speed in speeds:
        print(f"{speed['job']} measured on:\n\n    " + speed["machine"].replace("\n", "\n    ") + "\n")
    for title, rows in made:
        print(f"### {title}\n\n{markdown(rows)}\n")
    if prices is None:
        print("No costs: they come from your own price file alone (`--prices`).")
    else:
        print(
            f"Prices: {prices.path} ({prices.currency}); nothing is lost to interruptions or idle instances."
        )
    print("What S3, SQS and the network between allow on their side can't be measured here.")


def _number(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


if __name__ == "__main__":
    main()
