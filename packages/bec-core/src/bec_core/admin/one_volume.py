"""Doing one volume here and now, without the job's queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from attrs import define, field, frozen

from bec_core.admin.asking import raise_request
from bec_core.admin.session import Session
from bec_core.admin.working import worker_for
from bec_core.models import Job, Volume, VolumeRef, encode_message
from bec_core.queues.memory import MemoryQueue
from bec_core.resources import NamedResources
from bec_core.worker import BECWorker, WorkerObserver, WorkerOptions

Outcome = Literal[
    "done", "already-done", "retryable_failed", "terminal_failed", "handed-back", "left", "blocked", "fault"
]


@frozen
class VolumeRun:
    """What became of the volume: ``left`` means that another worker has it, or its back-off is not over, ``blocked``
    that an input is not done."""

    outcome: Outcome
    message: str
    artifacts: str | None


@define
class _Watch(WorkerObserver):
    """Keeps the outcome and passes everything on."""

    to: WorkerObserver
    outcome: Outcome | None = None
    message: str = ""
    seen: Volume | None = field(default=None)

    def message_taken(self, message_id: str, volume: Volume) -> None:
        """Keep the volume as it was found."""
        self.seen = volume
        self.to.message_taken(message_id, volume)

    def task_started(self, volume: Volume, attempt: int) -> None:
        """Pass it on."""
        self.to.task_started(volume, attempt)

    def task_resumed(self, volume: Volume, pages: int) -> None:
        """Pass it on."""
        self.to.task_resumed(volume, pages)

    def page_done(self, volume: Volume, done: int, total: int) -> None:
        """Pass it on."""
        self.to.page_done(volume, done, total)

    def task_finished(self, volume: Volume, outcome: str, message: str = "") -> None:
        """Keep the outcome."""
        self.outcome, self.message = outcome, message  # type: ignore[assignment]  # the observer's words are Outcome's
        self.to.task_finished(volume, outcome, message)


def run_volume(
    session: Session,
    job: Job,
    ref: VolumeRef,
    options: WorkerOptions,
    *,
    force: bool = False,
    observer: WorkerObserver | None = None,
    resources: NamedResources | None = None,
    ready: Callable[[BECWorker], object] = lambda _: None,
) -> VolumeRun:
    """Run the job on one volume in this process, once, with all that a worker does: lease, marker, row.

    The job's queue is left alone: a message there that asks for the volume too will be found done.

    Args:
        force: do it again if it is done (only a new marker answers the request; the old result stays until then).
        resources: what the command line names.
        ready: called with the worker before it starts, to connect signals.
    """
    queue, dead_letters = MemoryQueue("one"), MemoryQueue("one-dead")
    queue.send([encode_message(ref)])
    watch = _Watch(observer or WorkerObserver())
    with worker_for(
        session, job, options, observers=[watch], queues=(queue, dead_letters), resources=resources
    ) as worker:
        ready(worker)
        if force:
            raise_request(session, job, ref)
        worker.run()
    if watch.outcome is not None:
        return VolumeRun(watch.outcome, watch.message, _place(session, job, watch.seen))
    dead = dead_letters.peek(1)
    if dead:
        why = dead[0].attributes
        return VolumeRun("terminal_failed", f"{why.get('error_type')}: {why.get('error_message')}", None)
    return VolumeRun("left", "another worker has it, or it failed a moment ago and must wait", None)


@frozen
class Preview:
    """What running the job on a volume would meet; ``done`` if a marker stands."""

    volume: Volume
    done: bool
    artifacts: str


def preview(session: Session, job: Job, ref: VolumeRef) -> Preview:
    """Look at a volume without doing anything.

    Raises:
        TaskError: its source does not have it, or not in order.
    """
    from bec_core.artifacts import TaskFolder

    volume = session.sources.resolve(ref)
    folder = TaskFolder(session.artifacts, job.artifact_root, volume)
    return Preview(volume, folder.marker() is not None, folder.uri)


def _place(session: Session, job: Job, volume: Volume | None) -> str | None:
    if volume is None:
        return None
    from bec_core.artifacts import TaskFolder

    return TaskFolder(session.artifacts, job.artifact_root, volume).uri
