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
    volumes_option,
)
from bec_cli.exits import Exit
from bec_cli.printing import say
from bec_core.errors import SettingsError
from bec_core.models import DEFAULT_SOURCE, VolumeRef

if TYPE_CHECKING:
    from bec_core.admin.asking import Asked
    from bec_core.admin.session import Session
    from bec_core.admin.staleness import Reason
    from bec_core.admin.walking import Look
    from bec_core.admin.wanted import Want
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
    help="A file of volumes, one W_ID,I_ID (or what another --source takes) a line; - is standard input.",
)
@volumes_option("A volume, or what another --source takes (a URL); may be given often.")
@click.option("--source", default=DEFAULT_SOURCE, show_default=True, help="Where the volumes come from.")
@click.option("--i-version", help="The volumes' version, for a source that has named versions.")
@click.option("--force", is_flag=True, help="Do again what is done; send again what waits.")
@click.option(
    "--stale",
    is_flag=False,
    flag_value="any",
    metavar="[=REASONS]",
    help="Do again what is out of date; only by input, config, model or plugin: --stale=input,model."
    " Without volumes: all of it.",
)
@click.option("--done-by", metavar="JOB", help="The volumes that this job has done.")
@click.option("--new", is_flag=True, help="The volumes of the source that the job was never asked for.")
@click.option("--changed", is_flag=True, help="Those of the source that have changed since the job did them.")
@click.option(
    "--with-inputs", is_flag=True, help="Ask the jobs that it reads too, for what they have not done."
)
@click.option(
    "--priority",
    type=click.IntRange(-100, 100),
    help="The highest is sent first, by the job's feeder; also of what waits already.  [default: 0]",
)
@click.option(
    "--canary",
    type=click.IntRange(1, 500),
    metavar="N",
    help="Let N of them go first, spread over sizes, image types and W_IDs; the rest is held back until they have"
    " passed.",
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
    stale: str | None,
    done_by: str | None,
    new: bool,
    changed: bool,
    with_inputs: bool,
    priority: int | None,
    canary: int | None,
    limit: int | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Ask a job for volumes. What waits already, or is done at its current version, is skipped.

    --force and --stale do again what is done; the old result stays until the new one takes its place. What is out
    of date: bec jobs stale JOB. A volume of which an input is not done is blocked: it is done once that input is.

    --new and --changed (or both) go through the listing of the whole source, and read no more than that; interrupted,
    they go on where they stopped, for a day.

    --canary: the N have passed when all have ended, at most a tenth of them failed for good, and no figure that the job
    type watches has moved too far from the job's own past. If not, the job is paused: bec jobs show JOB says why, and
    bec jobs resume JOB lets the rest go.

    In a file, commas or blanks stand between the ids; empty lines and what follows a # are left out.

    \b
    Examples:
      bec queue enqueue --job-name ldv1 --file volumes.txt
      bec queue enqueue --job-name ldv1 --volume W22084,I0886 --volume W22084,I0887
      bec queue enqueue --job-name ldv1 --stale --dry-run
      bec queue enqueue --job-name ldv1 --file volumes.txt --canary 20
      bec queue enqueue --job-name ocr --done-by ldv1
      bec queue enqueue --job-name ldv1 --new --changed --dry-run
      bec queue enqueue --job-name ocr --file volumes.txt --with-inputs
      grep W22084 all.txt | bec queue enqueue --job-name ldv1 --file - --dry-run
    """
    from bec_core.admin.walking import Look
    from bec_core.admin.wanted import Want

    reasons = _reasons(stale)
    if with_inputs and (dry_run or limit):
        raise click.UsageError("--with-inputs goes with neither --dry-run nor --limit")
    if force and stale:
        raise click.UsageError("--force does everything again, --stale only what is out of date: give one")
    if canary and (force or stale or new or changed):
        raise click.UsageError(
            "--canary goes with none of --force, --stale, --new and --changed. What is done already is safe only in a"
            " second job: let that do some of the volumes, and bec compare the two (operators' guide, \"A new model,"
            ' the safe way")'
        )
    want = Want.FORCE if force else Want.STALE if stale else Want.MISSING
    session, job = session_and_job(ctx, job_name)
    if new or changed:
        if files or volumes or done_by or with_inputs or want is not Want.MISSING:
            raise click.UsageError(
                "--new and --changed choose the volumes: nothing else that does goes with them"
            )
        options = Request(Want.MISSING, (), dry_run, limit, priority)
        return _walk(session, job, Look(new=new, changed=changed), source, options, as_json=as_json)
    if stale and not files and not volumes and not done_by:
        from bec_core.admin.staleness import stale_volumes

        refs = [one.ref for one in stale_volumes(session, job, by=reasons)]
    else:
        refs = _done_by(session, done_by) if done_by else []
        if files or volumes or not done_by:
            refs += named_volumes(session, files, volumes, source, i_version)
    upstream = _ask_inputs(session, job, refs) if with_inputs else []
    wanted = Request(want, reasons, dry_run, limit, priority, canary)
    done = _enqueue(session, job, refs, wanted)
    if as_json:
        inputs = [{"job": one.name, **_as_dict(asked, dry_run)} for one, asked in upstream]
        print_json({**_as_dict(done, dry_run), **({"inputs": inputs} if with_inputs else {})})
    else:
        for one, asked in upstream:
            _print(asked, one, dry_run)
        _print(done, job, dry_run)
        if priority is not None and done.sent:
            note(
                f"{job.name} has no feeder, and a queue knows no priorities: bec queue feed --job-name {job.name}"
            )
        if done.blocked and not with_inputs:
            note("to ask the jobs that it reads for them too: --with-inputs")
    return Exit.SOME_FAILED if any(one.refused for one in (done, *(of for _, of in upstream))) else Exit.OK


def _reasons(stale: str | None) -> tuple[Reason, ...]:
    """The reasons of ``--stale=input,model``."""
    from bec_core.admin.staleness import Reason

    if stale in (None, "any"):
        return ()
    try:
        return tuple(Reason(one.strip()) for one in stale.split(",")) if stale else ()
    except ValueError:
        known = ", ".join(reason.value for reason in Reason)
        raise click.UsageError(f"--stale={stale}: the reasons are {known}") from None


def _done_by(session: Session, name: str) -> list[VolumeRef]:
    from bec_core.admin.jobs import find_job
    from bec_core.admin.reports import done_volumes

    found = done_volumes(session, find_job(session, name))
    if not found:
        note(f"job {name} has done nothing yet")
    return found


def _ask_inputs(session: Session, job: Job, refs: list[VolumeRef]) -> list[tuple[Job, Asked]]:
    """Ask the jobs that this one reads, those that they read first; what became of it."""
    from bec_core.admin.asking import ask, read_by

    return [(one, ask(session, one, refs)) for one in read_by(session, job)]


def named_volumes(
    session: Session, files: tuple[str, ...], volumes: tuple[str, ...], source: str, i_version: str | None
) -> list[VolumeRef]:
    """The volumes of ``--file`` and ``--volume``."""
    from bec_core.admin.volume_list import parse_volumes

    if not files and not volumes:
        raise click.UsageError("say which volumes: --file FILE or --volume W_ID,I_ID")
    session.sources.make_ready(source)

    def find(text: str) -> tuple[VolumeRef, ...]:
        return session.sources.find(text, source=source, i_version=i_version).volumes

    refs = [ref for text in volumes for ref in find(text)]
    for file in files:
        where = "standard input" if file == "-" else file
        try:
            with click.open_file(file, encoding="utf-8") as lines:
                refs += parse_volumes(lines, where=where, find=find)
        except UnicodeDecodeError as error:
            raise SettingsError(f"{where} is not UTF-8 text: {error}") from None
    return refs


@attrs.frozen
class Request:
    """How volumes are asked for."""

    want: Want
    reasons: tuple[Reason, ...] = ()
    dry_run: bool = False
    limit: int | None = None
    priority: int | None = None
    canary_of: int | None = None


def _enqueue(session: Session, job: Job, refs: list[VolumeRef], wanted: Request) -> Asked:
    from bec_core.admin.asking import ask

    given = attrs.asdict(wanted, recurse=False)
    console = err()
    if len(refs) < _QUIET or not console.is_terminal:
        return ask(session, job, refs, **given)
    from rich.progress import Progress

    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("Enqueueing", total=len(refs))
        return ask(session, job, refs, **given, progress=lambda n: progress.update(bar, completed=n))


def _walk(session: Session, job: Job, look: Look, source: str, options: Request, *, as_json: bool) -> int:
    """Ask for what is new or has changed in a source."""
    from rich.progress import Progress

    from bec_core.admin.walking import walk

    console = err()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("Listing", total=None)
        done = walk(
            session, job, look, source=source, dry_run=options.dry_run, limit=options.limit,
            priority=options.priority, progress=lambda n, of: progress.update(bar, completed=n, total=of),
        )  # fmt: skip
    if as_json:
        listed = {"volumes": done.volumes, "parts": done.parts, "parts_seen": done.seen_before + done.seen}
        print_json({**_as_dict(done.asked, options.dry_run), "listed": listed})
    else:
        before = f", {done.seen_before} of them before" if done.seen_before else ""
        note(
            f"{count(done.volumes, 'volume')} listed in {done.seen_before + done.seen} of {done.parts} parts of"
            f" {source}{before}"
        )
        _print(done.asked, job, options.dry_run)
    return Exit.SOME_FAILED if done.asked.refused else Exit.OK


def _print(done: Asked, job: Job, dry_run: bool) -> None:
    name = job.queue_url.rpartition("/")[2]
    did = "Would enqueue" if dry_run else "✓ Enqueued"
    if done.for_feeder:
        say(f"{did} {count(len(done.for_feeder), 'volume')} for the feeder of {job.name}")
    if done.sent or not done.for_feeder:
        say(f"{did} {count(len(done.sent), 'volume')} to {name}")
    if done.held:
        say(
            f"{'Would hold' if dry_run else 'Held'} back {count(len(done.held), 'volume')} until these have passed"
        )
        note(f"how they do: bec jobs show {job.name}")
    if done.reprioritised:
        say(f"{count(done.reprioritised, 'volume')} that waited got another priority")
    if done.blocked:
        say(
            f"Blocked {count(len(done.blocked), 'volume')}, an input is not done: {_some(list(done.blocked))}"
        )
        note(f"they are sent once it is; what they wait for: bec jobs stats {job.name}")
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
        "for_feeder": [attrs.asdict(ref) for ref in done.for_feeder],
        "blocked": [attrs.asdict(ref) for ref in done.blocked],
        "held": [attrs.asdict(ref) for ref in done.held],
        "skipped": [{**attrs.asdict(ref), "reason": reason} for ref, reason in done.skipped],
        "refused": [{**attrs.asdict(ref), "reason": answer} for ref, answer in done.refused],
    }
