"""Ground truth of the pages that people marked: corrected lines, and the lines of pages that they found right."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from bec_core.admin.marks import Mark, add_mark, all_marks
from bec_core.admin.results import find_page, stored
from bec_core.admin.session import Session
from bec_core.db import marks as rows
from bec_core.db import standing
from bec_core.db.standing import StandingResult
from bec_core.errors import BecError, ConflictError, NotFoundError, SettingsError
from bec_core.models import Job, Page
from bec_core.plugins import load_object
from bec_core.results import TruthMaker
from bec_core.text import json_text

TRUTH, IMAGES = "truth.jsonl", "images"
"""What a set's folder holds."""

_LARGEST = 16 << 20


@frozen
class TruthSet:
    """A set that was written: ``right`` pages with the lines that were found, ``corrected`` ones, and by the reason how
    many were left out."""

    truth: Path
    images: Path
    right: int
    corrected: int
    left_out: Mapping[str, int]


def correct_page(
    session: Session,
    job: Job,
    result: StandingResult,
    page: str,
    data: bytes,
    *,
    note: str = "",
    who: str | None = None,
    seen: str | None = None,
) -> Mark:
    """Mark a page as wrong, with the lines as they should be.

    Args:
        session: the services.
        job: the job.
        result: its result of the volume.
        page: the image's file name, or its number.
        data: a PAGE or ALTO file of this page, in pixels of the image as it is stored.
        note, who, seen: as for any mark.

    Raises:
        NotFoundError: there is no such page, or the job type takes no corrections.
        SettingsError: the file can't be read, is too large, or is of another page size than others say.
    """
    if len(data) > _LARGEST:
        raise SettingsError(f"the file has more than {_LARGEST >> 20} MiB; a page's lines have far less")
    name = find_page(session, job, result, page)
    try:
        row = _maker(session, job).corrected(data, name)
    except ValueError as error:
        raise SettingsError(f"the file corrects nothing: {error}") from error
    return add_mark(session, result, name, "wrong", note=note, who=who, seen=seen, correction=row)


def write_set(
    session: Session,
    job: Job,
    directory: Path,
    *,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> TruthSet:
    """Write the marked pages as ground truth, with their images: ``truth.jsonl`` and ``images/``.

    Of each page the latest mark that tells decides: one with corrected lines; or "right", if the result that was
    marked stands. A page that is wrong or to be scanned again, and was never corrected, is no truth.

    Args:
        session: the services.
        job: the job.
        directory: an empty folder, or none yet.
        progress: told how many volumes are written, and of how many.

    Raises:
        ConflictError: there is something in the folder.
        NotFoundError: no page is marked so, or the job type makes no truth.
    """
    maker = _maker(session, job)
    if directory.exists() and any(directory.iterdir()):
        raise ConflictError(f"{directory} is not empty: name a new folder")
    left_out: Counter[str] = Counter()
    chosen = _chosen(session, job, left_out)
    if not chosen:
        raise NotFoundError(
            f"no page of job {job.name} is marked right or corrected; see: bec marks list {job.name}"
        )
    images = directory / IMAGES
    images.mkdir(parents=True, exist_ok=True)
    right = corrected = 0
    with (directory / TRUTH).open("w", encoding="utf-8") as truth:
        for done, (volume_id, marks) in enumerate(chosen.items(), 1):
            for mark, row, data in _of_volume(session, job, maker, volume_id, marks, left_out):
                name = _safe(mark)
                (images / name).write_bytes(data)
                told = {"volume": f"{mark.w_id}/{mark.i_id}", "version": mark.version, "page": mark.page}
                truth.write(json_text({**row, "image": name, **told, "who": mark.who}) + "\n")
                corrected, right = corrected + mark.corrected, right + (not mark.corrected)
            progress(done, len(chosen))
    return TruthSet(directory / TRUTH, images, right, corrected, dict(left_out))


def _chosen(session: Session, job: Job, left_out: Counter[str]) -> dict[int, list[Mark]]:
    """The mark that decides of each page that is truth, by the volumes' ids."""
    decided: set[tuple[int, str]] = set()
    chosen: dict[int, list[Mark]] = {}
    for mark in all_marks(session, job, latest_only=False):
        page = (mark.volume_id, mark.page)
        if page in decided or (mark.judgement != "right" and not mark.corrected):
            continue
        decided.add(page)
        if mark.corrected or mark.stands:
            chosen.setdefault(mark.volume_id, []).append(mark)
        else:
            left_out["marked right in an earlier result"] += 1
    return chosen


def _of_volume(
    session: Session,
    job: Job,
    maker: TruthMaker,
    volume_id: int,
    marks: list[Mark],
    left_out: Counter[str],
) -> list[tuple[Mark, Mapping[str, Any], bytes]]:
    """The pages of a volume with their truth and their images' bytes."""
    with session.database.reading() as connection:
        results = standing.of_ids(connection, job.id, [volume_id])
        given = {mark.id: rows.correction(connection, mark.id) for mark in marks if mark.corrected}
    asked = {mark.page for mark in marks if not mark.corrected}
    predicted: Mapping[str, Mapping[str, Any]] = {}
    try:
        volume = session.sources.resolve(results[0].ref)
        if asked:
            predicted = maker.predicted(stored(session, results[0]), asked)
    except (ValueError, BecError) as error:
        left_out[str(error)] += len(marks)
        return []
    by_name: dict[str, Page] = {page.filename: page for page in reversed(volume.pages)}
    found = []
    for mark in marks:
        row = given.get(mark.id) or predicted.get(mark.page)
        if volume.version != mark.version:
            left_out["its volume has changed since"] += 1
        elif row is None or mark.page not in by_name:
            left_out["its lines, or its image, are not there"] += 1
        else:
            try:
                data = session.sources.read_page(volume, by_name[mark.page]).data
            except BecError as error:
                left_out[str(error)] += 1
                continue
            found.append((mark, row, data))
    return found


def _maker(session: Session, job: Job) -> TruthMaker:
    job_type = session.plugins.job_type(job.type)
    if job_type.truth is None:
        raise NotFoundError(f"the job type {job_type.name} makes no ground truth of marked pages")
    maker: TruthMaker = load_object(job_type.truth)()
    return maker


def _safe(mark: Mark) -> str:
    """A file name that no two pages share and that says which page it is."""
    stem, dot, suffix = mark.page.rpartition(".")
    text = f"{mark.w_id}-{mark.i_id}-{mark.version}-{stem or suffix}"
    ending = re.sub(r"[^A-Za-z0-9]", "", suffix)[:8] if dot and stem else ""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text)[:150] + f"-{mark.id}" + (f".{ending}" if ending else "")
