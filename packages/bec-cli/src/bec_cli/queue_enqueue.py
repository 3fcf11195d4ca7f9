"""``bec queue enqueue``."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import attrs
import click

from bec_cli.common import (
    count,
    dry_run_option,
    err,
    job_option,
    json_option,
    note,
    print_json,
    session_and_job,
)
from bec_cli.exits import Exit
from bec_cli.printing import say
from bec_core.errors import SettingsError
from bec_core.models import DEFAULT_SOURCE, VolumeRef

if TYPE_CHECKING:
    from bec_core.admin.asking import Asked, Want
    from bec_core.admin.session import Session
    from bec_core.models import Job

_NAMED = 10  # volumes named for each reason; --json names them all
_QUIET = 2000  # fewer volumes than this need no progress bar


@click.command()
@job_option
@click.option(
    "--file",
    "files",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    multiple=True,
    help="A file of volumes, one W_ID,I_ID a line; - is standard input.",
)
@click.option("--volume", "volumes", multiple=True, metavar="W_ID,I_ID", help="A volume; may be given often.")
@click.option("--source", default=DEFAULT_SOURCE, show_default=True, help="Where the volumes come from.")
@click.option("--i-version", help="The volumes' version, for a source that has named versions.")
@click.option("--force", is_flag=True, help="Do again what is done; send again what waits.")
@click.option(
    "--stale",
    is_flag=True,
    help="Do again what was done by an older recipe; without volumes: all of it.",
)
@click.option("--limit", type=click.IntRange(1), help="Send at most this many.")
@dry_run_option
@json_option
@click.pass_context
def enqueue(
    ctx: click.Context,
    job_name: str,
    files: tuple[str, ...],
    volumes: tuple[str, ...],
    source: str,
    i_version: str | None,
    force: bool,
    stale: bool,
    limit: int | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Ask a job for volumes. What waits already, or is done at its current version, is skipped.

    --force and --stale do again what is done; the old result stays until the new one takes its place.
    A recipe is what results depend on: plugin, config, model. What was done by an unknown one is not stale.

    In a file, commas or blanks stand between the ids; empty lines and what follows a # are left out.

    \b
    Examples:
      bec queue enqueue --job-name ldv1 --file volumes.txt
      bec queue enqueue --job-name ldv1 --volume W22084,I0886 --volume W22084,I0887
      bec queue enqueue --job-name ldv1 --stale --dry-run
      grep W22084 all.txt | bec queue enqueue --job-name ldv1 --file - --dry-run
    """
    from bec_core.admin.asking import Want

    if force and stale:
        raise click.UsageError("--force does everything again, --stale only what is out of date: give one")
    want = Want.FORCE if force else Want.STALE if stale else Want.MISSING
    session, job = session_and_job(ctx, job_name)
    if stale and not files and not volumes:
        from bec_core.admin.asking import stale_volumes

        refs = stale_volumes(session, job)
    else:
        refs = _named(files, volumes, source, i_version)
    done = _enqueue(session, job, refs, want=want, dry_run=dry_run, limit=limit)
    if as_json:
        print_json(_as_dict(done, dry_run))
    else:
        _print(done, job, dry_run)
    return Exit.SOME_FAILED if done.refused else Exit.OK


def _named(
    files: tuple[str, ...], volumes: tuple[str, ...], source: str, i_version: str | None
) -> list[VolumeRef]:
    from bec_core.admin.volume_list import parse_volume, parse_volumes

    if not files and not volumes:
        raise click.UsageError("say which volumes: --file FILE or --volume W_ID,I_ID")
    refs = [parse_volume(text, source=source, i_version=i_version) for text in volumes]
    for file in files:
        where = "standard input" if file == "-" else file
        try:
            with click.open_file(file, encoding="utf-8") as lines:
                refs += parse_volumes(lines, where=where, source=source, i_version=i_version)
        except UnicodeDecodeError as error:
            raise SettingsError(f"{where} is not UTF-8 text: {error}") from None
    return refs


def _enqueue(
    session: Session, job: Job, refs: list[VolumeRef], *, want: Want, dry_run: bool, limit: int | None
) -> Asked:
    from bec_core.admin.asking import ask

    console = err()
    if len(refs) < _QUIET or not console.is_terminal:
        return ask(session, job, refs, want=want, dry_run=dry_run, limit=limit)
    from rich.progress import Progress

    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("Enqueueing", total=len(refs))
        return ask(
            session, job, refs, want=want, dry_run=dry_run, limit=limit,
            progress=lambda handled: progress.update(bar, completed=handled),
        )  # fmt: skip


def _print(done: Asked, job: Job, dry_run: bool) -> None:
    name = job.queue_url.rpartition("/")[2]
    if dry_run:
        say(f"Would enqueue {count(len(done.sent), 'volume')} to {name}")
    else:
        say(f"✓ Enqueued {count(len(done.sent), 'volume')} to {name}")
    by_reason: defaultdict[str, list[VolumeRef]] = defaultdict(list)
    for ref, reason in done.skipped:
        by_reason[reason].append(ref)
    for why, refs in by_reason.items():
        say(f"Skipped {count(len(refs), 'volume')}, {why}: {_some(refs)}")
    if "done at this version" in by_reason:
        note("to do them again: --force")
    for ref, answer in done.refused[:_NAMED]:
        note(f"not sent: {ref}: {answer}")
    if len(done.refused) > _NAMED:
        note(f"not sent: {len(done.refused) - _NAMED} more")
    if done.refused:
        note("the same command sends them again")


def _some(refs: list[VolumeRef]) -> str:
    more = f" … and {len(refs) - _NAMED:,} more (--json names all)" if len(refs) > _NAMED else ""
    return ", ".join(str(ref) for ref in refs[:_NAMED]) + more


def _as_dict(done: Asked, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "sent": [attrs.asdict(ref) for ref in done.sent],
        "skipped": [{**attrs.asdict(ref), "reason": reason} for ref, reason in done.skipped],
        "refused": [{**attrs.asdict(ref), "reason": answer} for ref, answer in done.refused],
    }
