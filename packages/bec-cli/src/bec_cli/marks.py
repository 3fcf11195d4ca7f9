"""``bec marks``: what people say of pages, samples of pages to look at, and what the marks tell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import attrs
import click

from bec_cli.common import (
    count,
    counting,
    job_argument,
    json_option,
    limit_option,
    local_time,
    note,
    print_json,
    session_and_job,
    title_cell,
    title_column,
)
from bec_cli.printing import say
from bec_cli.tables import Column, print_table

if TYPE_CHECKING:
    from bec_core.admin.marks import Mark
    from bec_core.admin.sampling import SampledPage, Share

_JUDGEMENTS = ["right", "wrong", "rescan"]
_FAULTS = ["missing", "merged", "false", "turned", "unreadable"]

_volume = click.argument("volume", metavar="W_ID,I_ID")
_who = click.option("--who", metavar="NAME", help="Whose mark it is. Default: user and host.")
_note = click.option("--note", "words", default="", help="In your own words.")


@click.group()
def marks() -> None:
    """Mark pages as right or wrong; samples, estimates, sets."""


@marks.command()
@job_argument
@_volume
@click.argument("page", metavar="PAGE")
@click.argument("judgement", type=click.Choice(_JUDGEMENTS))
@click.option(
    "--fault", "faults", multiple=True, type=click.Choice(_FAULTS), help="What is wrong; may be repeated."
)
@_note
@_who
@json_option
@click.pass_context
def add(
    ctx: click.Context,
    job_name: str,
    volume: str,
    page: str,
    judgement: str,
    faults: tuple[str, ...],
    words: str,
    who: str | None,
    as_json: bool,
) -> None:
    """Mark a page of a job's result; PAGE is an image's file name or a number from 1.

    \b
    Examples:
      bec marks add ldv1 W22084,I0886 12 right
      bec marks add ldv1 W22084,I0886 I08860012.tif wrong --fault missing --note "the last line"
    """
    from bec_core.admin.marks import add_mark, standing_result
    from bec_core.admin.results import find_page

    session, job = session_and_job(ctx, job_name)
    result = standing_result(session, job, *_ids(volume))
    found = find_page(session, job, result, page)
    mark = add_mark(session, result, found, judgement, faults=faults, note=words, who=who)
    _tell(mark, as_json)


@marks.command()
@job_argument
@_volume
@click.argument("page", metavar="PAGE")
@click.argument("file", type=click.File("rb"), metavar="FILE.xml")
@_note
@_who
@json_option
@click.pass_context
def correct(
    ctx: click.Context,
    job_name: str,
    volume: str,
    page: str,
    file: BinaryIO,
    words: str,
    who: str | None,
    as_json: bool,
) -> None:
    """Mark a page as wrong, with its lines as they should be: a PAGE (or ALTO) file.

    \b
    Example:
      bec marks correct ldv1 W22084,I0886 12 0012.xml --note "two lines were one"
    """
    from bec_core.admin.marks import standing_result
    from bec_core.admin.truth_set import correct_page

    session, job = session_and_job(ctx, job_name)
    result = standing_result(session, job, *_ids(volume))
    _tell(correct_page(session, job, result, page, file.read(), note=words, who=who), as_json)


@marks.command("list")
@job_argument
@click.option("--volume", metavar="W_ID,I_ID", help="Only of this volume.")
@click.option("--judgement", "judgements", multiple=True, type=click.Choice(_JUDGEMENTS), help="Only these.")
@click.option("--who", metavar="NAME", help="Only this person's.")
@click.option("--all", "all_marks", is_flag=True, help="Every mark, not only the latest of each page.")
@limit_option(50)
@json_option
@click.pass_context
def list_(
    ctx: click.Context,
    job_name: str,
    volume: str | None,
    judgements: tuple[str, ...],
    who: str | None,
    all_marks: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List a job's marks, the latest first.

    \b
    Examples:
      bec marks list ldv1 --judgement wrong
      bec marks list ldv1 --volume W22084,I0886 --all
    """
    from bec_core.admin.marks import list_marks, standing_result

    session, job = session_and_job(ctx, job_name)
    found = list_marks(
        session,
        job,
        volume=standing_result(session, job, *_ids(volume)) if volume else None,
        judgements=judgements,
        who=who,
        latest_only=not all_marks,
        limit=limit,
    )
    works = session.catalogue
    if as_json:
        print_json([attrs.asdict(one) | attrs.asdict(works.of(one.w_id)) for one in found])
        return
    columns: list[Column] = ["Volume", *title_column(works), "Page", "Mark", "Faults", "Who", "At", "Message"]
    rows = [
        (
            f"{one.w_id}/{one.i_id}",
            *title_cell(works, one.w_id),
            one.page,
            one.judgement
            + (", corrected" if one.corrected else "")
            + ("" if one.stands else " (of the earlier result)"),
            ", ".join(one.faults) or None,
            one.who,
            local_time(one.at),
            one.note or None,
        )
        for one in found
    ]
    print_table(None, columns, rows)
    if len(found) == limit:
        note(f"there may be more: --limit {limit * 10}, or bec marks export {job.name}")


@marks.command()
@job_argument
@click.option(
    "--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True, help="Of what."
)
@click.option("--all", "all_of_page", is_flag=True, help="Every mark, not only the latest of each page.")
@click.pass_context
def export(ctx: click.Context, job_name: str, form: str, all_of_page: bool) -> None:
    """Print all of a job's marks as CSV or JSON lines.

    In CSV no cell can be taken for a formula: one that begins like one gets an apostrophe.

    \b
    Example:
      bec marks export ldv1 > marks.csv
    """
    from bec_core.admin.marks import all_marks, csv_rows, json_rows

    session, job = session_and_job(ctx, job_name)
    found = all_marks(session, job, latest_only=not all_of_page)
    for line in (csv_rows if form == "csv" else json_rows)(session, found):
        say(line)


@marks.command()
@job_argument
@click.option(
    "--sample",
    "size",
    type=click.IntRange(3),
    metavar="N",
    help="Draw so many pages.  [default: show the latest]",
)
@click.option("--seed", type=int, help="Draw the same pages again over the same results.")
@click.option("--id", "sample_id", type=int, help="Show this sample.")
@_who
@json_option
@click.pass_context
def sample(
    ctx: click.Context,
    job_name: str,
    size: int | None,
    seed: int | None,
    sample_id: int | None,
    who: str | None,
    as_json: bool,
) -> None:
    """Draw a sample of a job's pages to mark, spread over volumes and suspicion; or show one.

    \b
    Examples:
      bec marks sample ldv1 --sample 200
      bec marks sample ldv1
    """
    from bec_core.admin.sampling import draw_sample, find_sample

    session, job = session_and_job(ctx, job_name)
    if size is None:
        found, pages = find_sample(session, job, sample_id)
    else:
        with counting("reading volumes") as progress:
            drawn = draw_sample(session, job, size, seed=seed, who=who, progress=progress)
        found, pages = drawn.sample, list(drawn.pages)
        if drawn.unknown:
            note(
                f"{count(drawn.unknown, 'volume')} left out: their pages are not known; bec volumes index {job.name}"
            )
        if drawn.lost:
            note(
                f"{count(drawn.lost, 'page')} could not be read and {'is' if drawn.lost == 1 else 'are'} left out"
            )
    if as_json:
        print_json(attrs.asdict(found) | {"pages": [attrs.asdict(one) for one in pages]})
        return
    say(
        f"Sample {found.id} of job {job.name}: {count(len(pages), 'page')}, seed {found.seed}, drawn by {found.who}"
    )
    columns: list[Column] = [("", "right"), "Volume", ("Number", "right"), "Page", "Stratum", "Mark"]
    print_table(None, columns, [_row(one) for one in pages])


@marks.command()
@job_argument
@click.option("--id", "sample_id", type=int, help="Of this sample.  [default: the latest]")
@json_option
@click.pass_context
def estimate(ctx: click.Context, job_name: str, sample_id: int | None, as_json: bool) -> None:
    """Say which share of a job's pages is wrong, by the marks on its sample, with the 95 % interval.

    \b
    Example:
      bec marks estimate ldv1
    """
    from bec_core.admin.sampling import estimate as estimate_of

    session, job = session_and_job(ctx, job_name)
    found = estimate_of(session, job, sample_id)
    if as_json:
        print_json(attrs.asdict(found) | {"unmarked": found.unmarked})
        return
    columns: list[Column] = [
        "Stratum", ("Pages", "right"), ("Drawn", "right"), ("Right", "right"), ("Wrong", "right"), ("Rescan", "right"),
        ("Not marked", "right"),
    ]  # fmt: skip
    rows = [
        (one.name, f"{one.pages:,}", one.drawn, one.right, one.wrong, one.rescan, one.drawn - one.marked)
        for one in found.strata
    ]
    print_table(f"Sample {found.sample.id} of job {job.name}", columns, rows)
    say(f"Wrong: {_share(found.wrong)}")
    say(f"To be scanned again: {_share(found.rescan)}")
    if found.unmarked:
        low, high = found.reach
        pages = count(found.unmarked, "page")
        say(
            f"{pages} of the sample not marked: by them alone the share of wrong ones could lie between {low:.1%} and "
            f"{high:.1%}. The interval holds only if nobody chose which to mark."
        )


@marks.command("set")
@job_argument
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@json_option
@click.pass_context
def set_(ctx: click.Context, job_name: str, directory: Path, as_json: bool) -> None:
    """Write marked pages as ground truth: those that are right, and those that were corrected.

    \b
    Example:
      bec marks set ldv1 truth/
      bec ldv1 evaluate --truth truth/truth.jsonl --images truth/images
    """
    from bec_core.admin.truth_set import write_set

    session, job = session_and_job(ctx, job_name)
    with counting("volumes") as progress:
        found = write_set(session, job, directory, progress=progress)
    if as_json:
        print_json(attrs.asdict(found))
        return
    say(
        f"{found.truth}: {count(found.right, 'page')} as found, {found.corrected} corrected; images in {found.images}"
    )
    for reason, number in found.left_out.items():
        note(f"left out, {count(number, 'page')}: {reason}")


def _ids(text: str) -> tuple[str, str]:
    """A volume's ids; the first may have its source before it."""
    from bec_core.admin.volume_list import parse_volume

    source, colon, rest = text.rpartition(":")
    ref = parse_volume(rest)
    return source + colon + ref.w_id, ref.i_id


def _tell(mark: Mark, as_json: bool) -> None:
    if as_json:
        print_json(attrs.asdict(mark))
        return
    faults = f" ({', '.join(mark.faults)})" if mark.faults else ""
    lines = ", with corrected lines" if mark.corrected else ""
    say(f"Marked {mark.w_id}/{mark.i_id} {mark.page}: {mark.judgement}{faults}{lines}, by {mark.who}")


def _judged(mark: Mark) -> str:
    corrected = ", corrected" if mark.corrected else ""
    return mark.judgement + corrected + ("" if mark.stands else " (of the earlier result)")


def _row(one: SampledPage) -> tuple[object, ...]:
    return (one.place, f"{one.w_id}/{one.i_id}", one.number, one.page, one.stratum, one.judgement)


def _share(share: Share) -> str:
    value = "not known" if share.value is None else f"{share.value:.1%}"
    return f"{value} of the pages (95 % interval: {share.low:.1%} to {share.high:.1%})"
