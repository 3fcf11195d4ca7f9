"""``bec plan``: what a run will take, before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from bec_cli.common import json_option, note, print_json, session_of, volumes_option
from bec_cli.completion import complete_job, complete_job_type
from bec_cli.plan_lines import print_plan
from bec_cli.plan_rates import joined, told_rates
from bec_cli.queue_enqueue import named_volumes
from bec_cli.resource_options import WorkerCommand, named_resources
from bec_core.errors import ConflictError
from bec_core.models import DEFAULT_SOURCE

if TYPE_CHECKING:
    from bec_core.admin.planning.measured import Measured
    from bec_core.admin.planning.work import Stage
    from bec_core.admin.session import Session

_NAMED = 3  # volumes of the sample that could not be looked at


@click.command(cls=WorkerCommand)
@click.argument(
    "job_types", metavar="[JOB_TYPE[,JOB_TYPE…]]", required=False, shell_complete=complete_job_type
)
@click.option(
    "--job-name",
    "job_names",
    multiple=True,
    metavar="JOB",
    shell_complete=complete_job,
    help="In place of job types and volumes: what this job was asked for and has not done; may be given often.",
)
@click.option(
    "--file",
    "files",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    multiple=True,
    help="A file of volumes, one W_ID,I_ID (or what another --source takes) a line; - is standard input.",
)
@volumes_option("A volume; may be given often.")
@click.option("--source", default=DEFAULT_SOURCE, show_default=True, help="Where the volumes come from.")
@click.option("--i-version", help="The volumes' version, for a source that has named versions.")
@click.option(
    "--prices",
    "price_file",
    type=click.Path(path_type=Path),
    help="Your file of instance types and prices. Without it there are no instance types and no costs.",
)
@click.option(
    "--rate",
    "rates",
    multiple=True,
    metavar="[JOB=]PAGES_PER_S",
    help="Pages per second of one worker (of this job), in place of trying pages here; may be given often.",
)
@click.option(
    "--rates-of",
    multiple=True,
    metavar="JOB",
    help="An earlier job that tells the rate of its job type; may be given often.",
)
@click.option(
    "--measured-on",
    metavar="TYPE",
    help="On which instance type of the price file those rates (or the pages tried here) were measured.",
)
@click.option(
    "--sample", type=click.IntRange(1), default=20, show_default=True, help="Look at so many manifests."
)
@click.option(
    "--pages", type=click.IntRange(1, 10_000), default=12, show_default=True, help="Try so many pages here."
)
@click.option("--threads", type=click.IntRange(1, 256), help="Threads for pages.  [default: by the cores]")
@click.option("--instances", type=click.IntRange(1), help="How many instances there will be: adds the days.")
@json_option
@click.pass_context
def plan(
    ctx: click.Context,
    job_types: str | None,
    job_names: tuple[str, ...],
    files: tuple[str, ...],
    volumes: tuple[str, ...],
    source: str,
    i_version: str | None,
    price_file: Path | None,
    rates: tuple[str, ...],
    rates_of: tuple[str, ...],
    measured_on: str | None,
    sample: int,
    pages: int,
    threads: int | None,
    instances: int | None,
    as_json: bool,
) -> None:
    """Say what a run will take: hours, costs, storage, requests.

    It looks at a sample of manifests and does some pages here, unless --rate or --rates-of tell how fast it goes;
    nothing is published. Every figure says whether it is measured, extrapolated or assumed. Prices and instance types
    come from your own file alone; its format is in docs/reference.md.

    \b
    Examples:
      bec plan ldv1 --file volumes.txt
      bec plan ldv1,ocrv1 --file volumes.txt --prices prices.toml --instances 200
      bec plan --job-name ldv1 --job-name ocr --rates-of trial --measured-on example.small --prices prices.toml
      bec plan ldv1 --file volumes.txt --rate 3.5 --json
    """
    from bec_core.admin.planning.measured import Measured
    from bec_core.admin.planning.plan import Task, make_plan
    from bec_core.admin.planning.prices import read_prices

    if bool(job_types) == bool(job_names):
        raise click.UsageError("say either JOB_TYPE with --file or --volume, or --job-name JOB")
    if job_names and (files or volumes):
        raise click.UsageError("--job-name takes what the job was asked for: leave --file and --volume out")
    prices = read_prices(price_file) if price_file else None
    session = session_of(ctx)
    if job_types:
        from bec_core.admin.planning.work import of_list

        names = [name.strip() for name in job_types.split(",") if name.strip()]
        stages = of_list(
            session, names, named_volumes(session, files, volumes, source, i_version), size=sample
        )
    else:
        stages = _of_jobs(session, job_names, sample)
    _say_unread(stages)
    measured = told_rates(session, stages, rates, rates_of, measured_on, prices)
    if any(name not in measured for name in (stage.job.name for stage in stages)) and _to_try(stages):
        tried = _try(ctx, session, stages, pages, measured_on, threads)
        measured = {name: joined(one, measured.get(name)) for name, one in tried.items()}
    declared = session.plugins.job_types
    made = make_plan(
        [
            Task(
                stage.job.name,
                stage.job.type,
                stage.work.volumes,
                stage.work.pages,
                measured.get(stage.job.name) or Measured(),
                tuple(len(one.artifacts) for one in declared[stage.job.type].inputs)
                if stage.job.type in declared
                else (),
            )
            for stage in stages
        ],
        prices,
        fleet=instances,
    )
    if as_json:
        print_json(attrs.asdict(made))
    else:
        print_plan(made)


def _of_jobs(session: Session, names: Sequence[str], sample: int) -> list[Stage]:
    from bec_core.admin.jobs import find_job
    from bec_core.admin.planning.work import of_ledgers

    stages = of_ledgers(session, [find_job(session, name) for name in names], size=sample)
    if not _to_try(stages):
        said = " and ".join(stage.job.name for stage in stages)
        raise ConflictError(f"nothing is left to do of {said}: ask for volumes first (bec queue enqueue)")
    return stages


def _to_try(stages: Sequence[Stage]) -> bool:
    return any(stage.work.volumes for stage in stages)


def _say_unread(stages: Sequence[Stage]) -> None:
    unread = dict(one for stage in stages for one in stage.work.unread)
    for ref, why in list(unread.items())[:_NAMED]:
        note(f"{ref} counts with no page: {why}")
    if len(unread) > _NAMED:
        note(f"{len(unread) - _NAMED} more of the sample have no manifest in order")


def _try(
    ctx: click.Context,
    session: Session,
    stages: Sequence[Stage],
    pages: int,
    measured_on: str | None,
    threads: int | None,
) -> dict[str, Measured]:
    from bec_core.admin.planning.measured import by_trial
    from bec_core.admin.planning.rates import this_machine

    resources = named_resources(ctx)
    resources.check([session.plugins.job_type(stage.job.type) for stage in stages])
    note(f"trying {pages} pages here; nothing is published (--rate or --rates-of spare it)")
    tried = by_trial(
        session,
        stages,
        pages=pages,
        machine=this_machine(measured_on),
        resources=resources,
        options={"threads": threads} if threads else {},
    )
    for name, one in tried.items():
        if one.failed:
            note(f"{one.failed} pages failed for {name}; the first: {one.error}")
    return tried
