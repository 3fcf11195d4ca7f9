"""People's marks on pages: right, wrong (and how), to be scanned again; each says of which result it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from bec_core.admin.actions import who as operator
from bec_core.admin.session import Session
from bec_core.db import marks as rows
from bec_core.db import standing
from bec_core.db.marks import Mark
from bec_core.db.standing import StandingResult
from bec_core.errors import ConflictError, NotFoundError, SettingsError
from bec_core.models import Job
from bec_core.text import csv_cell, json_text

__all__ = [
    "FAULTS", "JUDGEMENTS", "Mark", "StandingResult", "add_mark", "csv_rows", "json_rows", "list_marks",
    "standing_result",
]  # fmt: skip

JUDGEMENTS: Mapping[str, str] = {
    "right": "the result is right",
    "wrong": "the result is wrong",
    "rescan": "the page should be scanned again",
}
"""What a mark says of a page."""

FAULTS: Mapping[str, str] = {
    "missing": "lines are missing",
    "merged": "lines are merged",
    "false": "there are lines where there is no writing",
    "turned": "the page is turned wrongly",
    "unreadable": "the scan can't be read",
}
"""What may be wrong."""

_LONGEST = {"page": 1024, "note": 2000, "name": 100}
_CHUNK = 1000


def standing_result(session: Session, job: Job, w_id: str, i_id: str) -> StandingResult:
    """The job's result of a volume that stands now; ``w_id`` may have its source before it.

    Raises:
        NotFoundError: the job has not done it.
        ConflictError: volumes of several sources have these ids.
    """
    with session.database.reading() as connection:
        found = standing.of_volume(connection, job.id, w_id, i_id)
    if not found:
        raise NotFoundError(
            f"job {job.name} has no result of {w_id}/{i_id}; see: bec volumes find {job.name}"
        )
    if len(found) > 1 and found[0].w_id != w_id:
        named = ", ".join(f"{one.w_id},{one.i_id}" for one in found)
        raise ConflictError(f"{w_id}/{i_id} is a volume of several sources; name one of: {named}")
    return found[0]


def add_mark(
    session: Session,
    of: StandingResult,
    page: str,
    judgement: str,
    *,
    faults: Sequence[str] = (),
    note: str = "",
    who: str | None = None,
    seen: str | None = None,
    correction: Mapping[str, Any] | None = None,
) -> Mark:
    """Mark a page of a result; earlier marks of it stay, the latest counts.

    Args:
        session: the services.
        of: what :func:`standing_result` gave.
        page: the image's file name. That the result has such a page is the caller's to know.
        judgement: one of :data:`JUDGEMENTS`.
        faults: some of :data:`FAULTS`; none for a page that is right.
        note: at most 2000 characters.
        who: whose mark it is, at most 100 characters; None: user and host.
        seen: ``StandingResult.result`` of what was looked at, where that was a while ago.
        correction: the lines as they should be, a row that ``bec ldv1 evaluate`` reads.

    Raises:
        SettingsError: naming what is no judgement, no fault, too long or has control characters.
        ConflictError: another result stands now than the one that was seen.
    """
    who = operator(session) if who is None else who.strip()
    problems = [f"{judgement!r} is none of {', '.join(JUDGEMENTS)}"] if judgement not in JUDGEMENTS else []
    problems += [f"{one!r} is none of {', '.join(FAULTS)}" for one in faults if one not in FAULTS]
    if faults and judgement == "right":
        problems.append("a page that is right has no faults")
    for what, text in (("page", page), ("note", note), ("name", who)):
        if len(text) > _LONGEST[what]:
            problems.append(f"the {what} has more than {_LONGEST[what]} characters")
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            problems.append(f"the {what} has characters that no text has")
    if not page or not who:
        problems.append("the mark needs a page and a name")
    if problems:
        raise SettingsError("the mark: " + "; ".join(problems))
    if seen is not None and seen != of.result:
        raise ConflictError(
            f"{of.w_id}/{of.i_id} was done anew since you looked at it: look again, then mark"
        )
    with session.database.connection() as connection:
        mark_id = rows.add(
            connection, of, page,
            judgement=judgement, faults=sorted(set(faults), key=list(FAULTS).index), note=note, who=who,
            correction=correction,
        )  # fmt: skip
        found = rows.get(connection, mark_id)
    assert found is not None
    return found


def list_marks(
    session: Session,
    job: Job,
    *,
    volume: StandingResult | None = None,
    judgements: Sequence[str] = (),
    who: str | None = None,
    latest_only: bool = True,
    before: int | None = None,
    limit: int = 100,
) -> list[Mark]:
    """A job's marks, the latest first; see :func:`bec_core.db.marks.listed`."""
    with session.database.reading() as connection:
        return list(
            rows.listed(
                connection,
                job.id,
                volume_id=volume.volume_id if volume else None,
                judgements=judgements,
                who=who,
                latest_only=latest_only,
                before=before,
                limit=limit,
            )
        )


def all_marks(session: Session, job: Job, *, latest_only: bool = True) -> Iterator[Mark]:
    """All of a job's marks, the latest first, some hundreds at a time."""
    before = None
    while chunk := list_marks(session, job, latest_only=latest_only, before=before, limit=_CHUNK):
        yield from chunk
        before = chunk[-1].id


def json_rows(session: Session, marks: Iterator[Mark]) -> Iterator[str]:
    """Marks as JSON lines, with the works' titles and links."""
    return (json_text(_plain(session, mark)) for mark in marks)


def csv_rows(session: Session, marks: Iterator[Mark]) -> Iterator[str]:
    """Marks as the lines of a CSV file, the columns' names first; no cell can be taken for a formula."""
    names = [*(one.name for one in attrs.fields(Mark)), "title", "link"]
    yield _csv_line(names)
    for mark in marks:
        plain = _plain(session, mark)
        yield _csv_line([plain[name] if name != "faults" else " ".join(mark.faults) for name in names])


def _plain(session: Session, mark: Mark) -> dict[str, Any]:
    work = session.catalogue.of(mark.w_id)
    return attrs.asdict(mark) | {"at": mark.at.isoformat(), "title": work.title, "link": work.link}


def _csv_line(cells: Sequence[object]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="").writerow([csv_cell(cell) for cell in cells])
    return out.getvalue()
