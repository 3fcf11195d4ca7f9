"""``bec gc``: what a job has left behind over the years."""

from __future__ import annotations

from collections import Counter

import attrs
import click

from bec_cli.common import count, job_option, json_option, note, print_json, session_and_job
from bec_cli.printing import say
from bec_cli.tables import print_table

_SHOWN = 50  # --json names all


@click.command()
@job_option
@click.option("--yes", "-y", is_flag=True, help="Remove it; without, it is only listed.")
@json_option
@click.pass_context
def gc(ctx: click.Context, job_name: str, yes: bool, as_json: bool) -> None:
    """List what of a job can go, and with --yes remove it, for good.

    That is: the artifacts of earlier versions of volumes that were done since at their present one (unless a result of
    a job that reads them stands on them), files older than a day that no marker lists, and dead letters of what was
    done or asked for again since. The tasks' rows stay.

    \b
    Examples:
      bec gc --job-name ldv1
      bec gc --job-name ldv1 --yes
    """
    from bec_core.admin.collecting import collect, find_garbage

    session, job = session_and_job(ctx, job_name)
    found = find_garbage(session, job)
    done = collect(session, job, found) if yes and found else None
    if as_json:
        listed = [attrs.asdict(one) for one in found]
        print_json({"found": listed, "removed": attrs.asdict(done) if done else None})
        return
    if not found:
        say(f"Nothing of job {job.name} can go")
        return
    rows = [
        (one.kind.value, str(one.ref), one.version, len(one.files) or None, one.size or None, one.prefix)
        for one in found[:_SHOWN]
    ]
    print_table(None, ["What", "Volume", "Version", ("Files", "right"), ("Bytes", "right"), "Folder"], rows)
    if len(found) > _SHOWN:
        note(f"and {len(found) - _SHOWN:,} more (--json names all)")
    kinds = Counter(one.kind.value for one in found)
    told = ", ".join(f"{number:,} {kind}" for kind, number in sorted(kinds.items()))
    size = f"{sum(one.size for one in found):,} bytes"
    if done is None:
        say(f"Can go: {told}; {size}")
        note(f"to remove it: bec gc --job-name {job.name} --yes")
    else:
        letters = count(done.dead_letters, "dead letter")
        say(f"✓ Removed {count(done.folders, 'folder')} ({count(done.files, 'file')}, {size}) and {letters}")
