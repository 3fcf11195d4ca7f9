"""``bec jobs stale``: what is out of date, and why."""

from __future__ import annotations

from collections import Counter

import attrs
import click

from bec_cli.common import count, job_argument, json_option, note, print_json, session_and_job
from bec_cli.printing import say
from bec_cli.tables import print_table

_SHOWN = 50


@click.command()
@job_argument
@click.option("--why", is_flag=True, help="Show each volume with its reasons.")
@json_option
@click.pass_context
def stale(ctx: click.Context, job_name: str, why: bool, as_json: bool) -> None:
    """Show what is out of date: done from other inputs, or by another config, model or version of results.

    It compares contents, never times; what nobody knows the recipe of is not stale. Nothing is done again by itself.

    \b
    Examples:
      bec jobs stale ocr
      bec jobs stale ocr --why
      bec queue enqueue --job-name ocr --stale=input
    """
    from bec_core.admin.staleness import revision_unseen, stale_volumes, unknown_volumes

    session, job = session_and_job(ctx, job_name)
    found = stale_volumes(session, job)
    if as_json:
        print_json(
            [
                {**attrs.asdict(one.ref), "reasons": {k.value: v for k, v in one.reasons.items()}}
                for one in found
            ]
        )
        return
    if revision_unseen(session, job):
        note(
            f"no worker of job {job.name} has started since its revision {job.config_revision}:"
            " what its config makes out of date is known once one has"
        )
    if unknown := unknown_volumes(session, job):
        note(f"{count(unknown, 'volume')} done by a recipe that nobody knows: never counted as out of date")
    if not found:
        say("Nothing is out of date")
        return
    say(f"{count(len(found), 'volume')} of job {job.name} are out of date")
    reasons = Counter(reason.value for one in found for reason in one.reasons)
    print_table(None, ["By", ("Volumes", "right")], list(reasons.most_common()))
    if why:
        rows = [
            (one.ref, "; ".join(f"{reason.value}: {text}" for reason, text in one.reasons.items()))
            for one in found[:_SHOWN]
        ]
        print_table(None, ["Volume", "Why"], rows)
        if len(found) > _SHOWN:
            note(f"… and {len(found) - _SHOWN} more; --json shows all")
    note(f"to do them again: bec queue enqueue --job-name {job.name} --stale")
