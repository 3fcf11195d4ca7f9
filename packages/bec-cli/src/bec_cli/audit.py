"""``bec audit``: database, artifacts and queue compared."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from bec_cli.common import (
    confirm,
    count,
    dry_run_option,
    job_option,
    json_option,
    note,
    print_json,
    session_and_job,
    yes_option,
)
from bec_cli.exits import Exit
from bec_cli.printing import say
from bec_cli.tables import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bec_core.admin.audit import Audit, Finding

_SHOWN = 50


@click.command()
@job_option
@click.option("--repair", is_flag=True, help="Mend what can be mended, queue the rest again.")
@click.option("--all", "everything", is_flag=True, help="Read the artifacts of every finished task.")
@click.option(
    "--sample",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="Read the artifacts of so many finished tasks.",
)
@yes_option
@dry_run_option
@json_option
@click.pass_context
def audit(
    ctx: click.Context,
    job_name: str,
    repair: bool,
    everything: bool,
    sample: int,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Compare what the database, the artifacts and the queue say of a job, and repair it.

    Exit status: 0 all fits, 6 something does not (or was left by --repair).

    \b
    Examples:
      bec audit --job-name ldv1
      bec audit --job-name ldv1 --all --json > audit.json
      bec audit --job-name ldv1 --repair
    """
    from bec_core.admin.audit import audit as compare
    from bec_core.admin.audit import repair as mend

    session, job = session_and_job(ctx, job_name)
    found = compare(session, job, sample=None if everything else sample)
    if not repair or dry_run:
        if as_json:
            print_json(
                {"looked_at": _looked_at(found), "findings": [_as_dict(one) for one in found.findings]}
            )
        else:
            _print(found)
        return _status(found.findings)
    mendable = sum(one.mendable for one in found.findings)
    if mendable:
        if not as_json:
            _print(found)
        confirm(f"Repair {count(mendable, 'finding')}?", yes=yes)
    done = mend(session, job, found.findings)
    if as_json:
        print_json(
            {
                "looked_at": _looked_at(found),
                "mended": [_as_dict(one) for one in done.mended],
                "queued_again": [str(ref) for ref in done.queued],
                "left": [_as_dict(one) for one in done.left],
            }
        )
    else:
        mended, queued = count(len(done.mended), "finding"), count(len(done.queued), "volume")
        say(f"✓ Mended {mended}; queued {queued} again; left {len(done.left)}")
    return _status(done.left)


def _status(findings: Sequence[Finding]) -> Exit:
    """What was done by an older recipe is worth knowing, but fits."""
    from bec_core.admin.audit import Kind

    return Exit.SOME_FAILED if any(one.kind is not Kind.OLDER_RECIPE for one in findings) else Exit.OK


def _print(found: Audit) -> None:
    from bec_core.admin.audit.findings import MEANING

    note(
        f"looked at {count(found.tasks, 'task')}, {count(found.ledger_entries, 'ledger entry', 'ledger entries')},"
        f" {count(found.markers, 'marker')}; read the artifacts of {found.contents_checked}"
    )
    if not found.findings:
        say("✓ All fits")
        return
    kinds = Counter(one.kind for one in found.findings)
    rows = [(number, kind.value, *MEANING[kind]) for kind, number in kinds.most_common()]
    print_table(
        "Findings",
        [("Count", "right"), "Finding", "Meaning", "--repair"],
        [(n, k, m, r or "-") for n, k, m, r in rows],
    )
    _print_each(found.findings)


def _print_each(findings: Sequence[Finding]) -> None:
    rows = [(one.kind.value, one.volume, one.version, one.detail or None) for one in findings[:_SHOWN]]
    print_table(None, ["Finding", "Volume", "Version", "Detail"], rows)
    if len(findings) > _SHOWN:
        note(f"… and {len(findings) - _SHOWN} more; --json shows all")


def _looked_at(found: Audit) -> dict[str, int]:
    return {
        "tasks": found.tasks,
        "ledger_entries": found.ledger_entries,
        "markers": found.markers,
        "contents_checked": found.contents_checked,
    }


def _as_dict(finding: Finding) -> dict[str, object]:
    return {
        "kind": finding.kind.value,
        "volume": str(finding.volume) if finding.volume else None,
        "version": finding.version,
        "detail": finding.detail,
        "mendable": finding.mendable,
    }
