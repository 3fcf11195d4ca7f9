"""``bec workers``: which workers live, and what they do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs
import click

from bec_cli.common import ago, count, json_option, limit_option, local_time, note, print_json, session_of
from bec_cli.completion import complete_job
from bec_cli.exits import Exit
from bec_cli.printing import say
from bec_cli.tables import Column, print_table
from bec_cli.times import SINCE

if TYPE_CHECKING:
    from bec_core.admin.workers import WorkerView


@click.group()
def workers() -> None:
    """Which workers live, and what they do; the dead are put away by dismiss."""


@workers.command("list")
@click.option("--job-name", metavar="JOB", shell_complete=complete_job, help="Only this job's (name or id).")
@click.option("--since", type=SINCE, default="1d", show_default=True, help="Only those heard of since then.")
@limit_option(50)
@json_option
@click.pass_context
def list_(ctx: click.Context, job_name: str | None, since: datetime, limit: int, as_json: bool) -> None:
    """List the workers heard of lately. One that does not say that it lives for 45 s is dead.

    \b
    Examples:
      bec workers list
      bec workers list --json | jq '.[] | select(.state == "dead")'
    """
    from bec_core.admin.jobs import find_job
    from bec_core.admin.workers import list_workers

    session = session_of(ctx)
    job = find_job(session, job_name) if job_name else None
    within = (datetime.now(UTC) - since).total_seconds()
    found = list_workers(session, job, seen_within_s=within, limit=limit)
    if as_json:
        print_json([_as_dict(view) for view in found])
        return
    columns: list[Column] = [
        ("ID", "right"), "Worker", "Host", "Job", "State", ("Heartbeat", "right"), "Doing", ("Pages", "right"),
        ("Pages/s", "right"),
    ]  # fmt: skip
    rows = [
        (
            view.row.id, view.row.name, view.row.hostname, view.row.job_name, view.state,
            f"{ago(view.row.heartbeat_s)} ago", *doing(view),
        )
        for view in found
    ]  # fmt: skip
    print_table(None, columns, rows)


def doing(view: WorkerView) -> tuple[str | None, str | None, str | None]:
    """What a worker does, how far it is, how fast: for a table."""
    if view.state not in ("working", "dead") or not view.row.activity:
        return None, None, None
    entries = view.row.activity
    return (
        "\n".join(str(entry["volume"]) for entry in entries),
        "\n".join(f"{entry['pages_done']} of {entry['pages_total']}" for entry in entries),
        None if view.pages_per_s is None else f"{view.pages_per_s:.2f}",
    )


def doing_in_a_line(view: WorkerView) -> tuple[str | None, str | None, str | None]:
    """The same in one line: the first of several volumes, and how many more."""
    volumes, pages, speed = doing(view)
    if volumes is None or pages is None:
        return None, None, None
    more = len(view.row.activity) - 1
    return volumes.split("\n")[0] + (f" +{more}" if more else ""), pages.split("\n")[0], speed


@workers.command()
@click.argument("worker_ids", type=int, metavar="[WORKER]...", nargs=-1)
@click.option("--dead", "all_dead", is_flag=True, help="All that are dead.")
@click.option("--job-name", metavar="JOB", shell_complete=complete_job, help="Only this job's (name or id).")
@json_option
@click.pass_context
def dismiss(
    ctx: click.Context, worker_ids: tuple[int, ...], all_dead: bool, job_name: str | None, as_json: bool
) -> int:
    """Put dead workers away once they were looked after: from then on they count as stopped. WORKER is an id.

    One that lives stays; one that was only silent is there again with its next heartbeat. What they had in hand is not
    touched: it comes back when its lease runs out, or at once when a worker starts on their machine.

    \b
    Examples:
      bec workers dismiss 17 18
      bec workers dismiss --dead --job-name ldv1
    """
    from bec_core.admin.dismissal import dismiss as put_away
    from bec_core.admin.jobs import find_job

    if bool(worker_ids) == all_dead:
        raise click.UsageError("name the workers, or say --dead")
    session = session_of(ctx)
    job = find_job(session, job_name) if job_name else None
    done = put_away(session, None if all_dead else worker_ids, job)
    others = sorted(set(worker_ids) - set(done))
    if as_json:
        print_json({"dismissed": done, "not_dead": others})
    else:
        say(f"✓ Dismissed {count(len(done), 'dead worker')}")
    for number in others:
        note(f"worker {number} is not dead (or there is none): bec workers show {number}")
    return Exit.SOME_FAILED if others else Exit.OK


@workers.command()
@click.argument("worker_id", type=int, metavar="WORKER")
@json_option
@click.pass_context
def show(ctx: click.Context, worker_id: int, as_json: bool) -> None:
    """Show a worker: what it does, and what it has done. WORKER is its id.

    \b
    Example:
      bec workers show 3
    """
    from bec_core.admin.workers import find_worker, worker_totals

    session = session_of(ctx)
    view = find_worker(session, worker_id)
    totals = worker_totals(session, worker_id)
    if as_json:
        print_json({**_as_dict(view), "totals": attrs.asdict(totals)})
        return
    row = view.row
    say(f"Worker {row.id}: {row.name} on {row.hostname}, {view.state}")
    say(f"Job: {row.job_name or '-'}")
    say(f"Started: {local_time(row.started_at)}")
    say(f"Last Heartbeat: {local_time(row.last_heartbeat_at)} ({ago(row.heartbeat_s)} ago)")
    if row.stopped_at:
        say(f"Stopped: {local_time(row.stopped_at)}")
    if row.tags:
        say("Tags: " + ", ".join(f"{key}={value}" for key, value in row.tags.items()))
    for entry in row.activity:
        say(
            f"Doing: {entry['volume']} (task {entry['task_id']}, attempt {entry['attempt']}),"
            f" page {entry['pages_done']} of {entry['pages_total']}, for {ago(entry['seconds'])}"
        )
    tasks = ", ".join(f"{number} {status}" for status, number in totals.by_status.items()) or "none"
    say(f"Tasks: {tasks}")
    speed = (
        f" ({totals.pages / totals.work_ms * 1000:.2f} pages/s by the wall clock of its volumes)"
        if totals.work_ms
        else ""
    )
    say(f"Pages: {totals.pages}, {totals.page_errors} failed{speed}")


def _as_dict(view: WorkerView) -> dict[str, object]:
    return {**attrs.asdict(view.row), "state": view.state, "pages_per_s": view.pages_per_s}
