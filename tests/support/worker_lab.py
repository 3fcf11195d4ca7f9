"""A worker's surroundings for tests: volumes in folders, a job with queues, a store, short times."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bec_core.archive import find_volumes
from bec_core.db import Database, jobs, ledger, volumes
from bec_core.job import JobType
from bec_core.models import Job, OutgoingMessage, VolumeRef, encode_message
from bec_core.queues.base import TaskQueue
from bec_core.storage import Store
from bec_core.testing.checksum_job import CHECKSUM
from bec_core.worker import (
    BECWorker,
    Life,
    Services,
    WorkerObserver,
    WorkerOptions,
    WorkerSummary,
    open_worker,
)
from support.sources import stored_sources

QUICK = WorkerOptions(
    poll_wait_s=0.05,
    lease_s=5.0,
    shutdown_after_empty=2,
    retry_base_s=0.02,
    retry_cap_s=0.05,
    heartbeat_s=0.2,
    empty_twice_s=0.1,
)


@dataclass
class Lab:
    """A job over folders of ``scans``; artifacts go to ``store``. ``beside`` are the labs of jobs that it knows."""

    database: Database
    tasks: TaskQueue
    dead_letters: TaskQueue
    store: Store
    scans: Path
    config: dict[str, Any] | None = None
    archive: str | None = None
    name: str = "checksum"
    job_type: JobType = CHECKSUM
    beside: list[Lab] = field(default_factory=list)

    def __post_init__(self) -> None:
        with self.database.connection() as connection:
            self.job: Job = jobs.create(
                connection,
                name=self.name,
                job_type=self.job_type.name,
                config=self.config or {},
                queue_url=self.tasks.url,
                dlq_url=self.dead_letters.url,
            )
        self.sources = stored_sources(self.archive or self.scans.as_uri(), self.scans.as_uri(), own_runs=True)

    def open_queue(self, url: str) -> TaskQueue:
        """A queue of this job or of one beside it, by its URL."""
        labs = [self, *self.beside]
        return {queue.url: queue for lab in labs for queue in (lab.tasks, lab.dead_letters)}[url]

    def volume(self, name: str, *pages: bytes) -> VolumeRef:
        """A folder with these pages; its reference."""
        folder = self.scans / name
        folder.mkdir(parents=True)
        for number, data in enumerate(pages, 1):
            (folder / f"{number:04}.jpg").write_bytes(data)
        return next(
            ref for ref in find_volumes(self.scans).volumes if ref.source == folder.resolve().as_uri()
        )

    def ask(self, *refs: VolumeRef) -> None:
        """Enter volumes into the ledger and send their messages."""
        with self.database.connection() as connection:
            ids = volumes.upsert_refs(connection, refs)
            ledger.request(connection, self.job.id, list(zip(ids, refs, strict=True)))
        assert self.tasks.send([encode_message(ref) for ref in refs]) == []
        with self.database.connection() as connection:
            ledger.mark_sent(connection, self.job.id, ids)

    def force(self, ref: VolumeRef) -> None:
        """Ask again for a volume, done or not: a later request, and a message for it."""
        with self.database.connection() as connection:
            (volume_id,) = volumes.upsert_refs(connection, [ref])
            connection.execute(
                "UPDATE ledger SET request = request + 1, state = 'waiting' WHERE (job_id, volume_id) = (%s, %s)",
                (self.job.id, volume_id),
            )
        assert self.tasks.send([encode_message(ref)]) == []

    def send_raw(self, body: str) -> None:
        assert self.tasks.send([OutgoingMessage(body)]) == []

    @contextmanager
    def worker(
        self,
        options: WorkerOptions = QUICK,
        observer: WorkerObserver | None = None,
        job_type: JobType | None = None,
        life: Life | None = None,
    ) -> Iterator[BECWorker]:
        services = Services(
            self.database, self.tasks, self.dead_letters, self.sources, self.store, self.open_queue
        )
        with open_worker(
            job=self.job,
            job_type=job_type or self.job_type,
            services=services,
            options=options,
            name="lab",
            observers=[observer] if observer else [],
            life=life,
        ) as worker:
            yield worker

    def work(self, options: WorkerOptions = QUICK, observer: WorkerObserver | None = None) -> WorkerSummary:
        """Run a worker until nothing is left."""
        with self.worker(options, observer) as worker:
            return worker.run()

    def rows(
        self, sql: str = "SELECT status, attempt, failures, epoch FROM task_executions ORDER BY id"
    ) -> list[Any]:
        with self.database.connection() as connection:
            return connection.execute(sql.encode()).fetchall()

    def ledger_states(self) -> dict[str, int]:
        with self.database.connection() as connection:
            return dict(ledger.counts(connection, self.job.id))

    def markers(self) -> list[dict[str, Any]]:
        found = [info.key for info in self.store.list() if info.key.endswith("/success.json")]
        return [json.loads(self.store.get(key).data) for key in sorted(found)]

    def messages(self) -> tuple[int, int]:
        """How many messages are in the task queue (waiting or not) and in the dead-letter queue."""
        counts = []
        for queue in (self.tasks, self.dead_letters):
            stats = queue.stats()
            counts.append(stats.available + stats.in_flight + stats.delayed)
        return counts[0], counts[1]
