"""What failed and why: tasks from the database, pages from the artifacts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from attrs import frozen

from bec_core.admin.session import Session
from bec_core.db.reads import failures
from bec_core.db.reads.failures import FailedTask, FailureGroup
from bec_core.errors import NotFoundError, ObjectNotFound
from bec_core.models import Job, TaskStatus
from bec_core.storage import Store

__all__ = [
    "FailedTask",
    "FailureGroup",
    "PageErrorGroup",
    "PageErrors",
    "failed_task",
    "failed_tasks",
    "failure_groups",
    "page_error_groups",
    "page_errors",
    "page_errors_of",
]

_READERS = 32


@frozen
class PageErrors:
    """A task's failed pages: the lines of its ``-errors.jsonl``, or, of a failed task, what its row kept.

    None if neither is there.
    """

    task: FailedTask
    lines: tuple[dict[str, Any], ...] | None


@frozen
class PageErrorGroup:
    """Page errors of one stage and type, with an example."""

    stage: str
    error_type: str
    pages: int
    volumes: int
    example: str


def failure_groups(
    session: Session, job: Job | None, *, since: datetime | None = None, limit: int = 20
) -> list[FailureGroup]:
    """The failed tasks in groups of one cause, the largest first."""
    with session.database.reading() as connection:
        return failures.groups(connection, job.id if job else None, since=since, limit=limit)


def failed_tasks(
    session: Session,
    job: Job | None,
    *,
    status: TaskStatus | None = None,
    error_type: str | None = None,
    fingerprint: str | None = None,
    since: datetime | None = None,
    limit: int = 20,
) -> list[FailedTask]:
    """The tasks that stand as failed, the latest first."""
    with session.database.reading() as connection:
        return failures.failed_tasks(
            connection,
            job.id if job else None,
            status=status,
            error_type=error_type,
            fingerprint=fingerprint,
            since=since,
            limit=limit,
        )


def failed_task(session: Session, task_id: int) -> FailedTask:
    """The task of this id, failed or not.

    Raises:
        NotFoundError: there is none.
    """
    with session.database.reading() as connection:
        found = failures.task(connection, task_id)
    if found is None:
        raise NotFoundError(f"there is no task {task_id}; see: bec errors list, bec jobs tasks JOB")
    return found


def page_errors(
    session: Session, job: Job | None, *, since: datetime | None = None, limit: int = 20
) -> list[PageErrors]:
    """The failed pages of the latest tasks that have any, as their artifacts or (if they failed) their rows say."""
    with session.database.reading() as connection:
        found = failures.tasks_with_page_errors(connection, job.id if job else None, since=since, limit=limit)
    if not found:
        return []
    session.artifacts  # noqa: B018 - opened once, not by the first of many threads
    with ThreadPoolExecutor(_READERS, "bec-errors") as pool:
        return list(pool.map(lambda task: page_errors_of(session, task), found))


def page_errors_of(session: Session, task: FailedTask) -> PageErrors:
    """The failed pages of one task."""
    if task.page_errors is not None:
        return PageErrors(task, tuple(task.page_errors))
    return _read(session.artifacts, task) if task.nb_errors and task.version else PageErrors(task, None)


def _read(store: Store, task: FailedTask) -> PageErrors:
    ref = task.ref
    key = (
        f"{task.root}/{ref.w_id}/{ref.i_id}/{task.version}/{ref.w_id}-{ref.i_id}-{task.version}-errors.jsonl"
    )
    try:
        data = store.get(key).data
    except ObjectNotFound:
        return PageErrors(task, None)
    lines = []
    for line in data.decode("utf-8", "replace").splitlines():
        try:
            content = json.loads(line)
        except ValueError:
            continue  # a line cut short tells nothing; the others do
        if isinstance(content, dict):
            lines.append(content)
    return PageErrors(task, tuple(lines))


def page_error_groups(found: Sequence[PageErrors]) -> list[PageErrorGroup]:
    """Page errors by stage and type, the most frequent first."""
    pages: dict[tuple[str, str], int] = {}
    volumes: dict[tuple[str, str], set[int]] = {}
    examples: dict[tuple[str, str], str] = {}
    for errors in found:
        for line in errors.lines or ():
            key = (str(line.get("stage", "-")), str(line.get("error_type", "-")))
            pages[key] = pages.get(key, 0) + 1
            volumes.setdefault(key, set()).add(errors.task.id)
            examples.setdefault(key, f"{line.get('img_filename')}: {line.get('message')}")
    ordered = sorted(pages, key=lambda key: (-pages[key], key))
    return [PageErrorGroup(*key, pages[key], len(volumes[key]), examples[key]) for key in ordered]
