"""A worker's surroundings for tests: volumes in folders, a job with queues, a store, short times."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bec_core.archive import find_volumes, standard_sources
from bec_core.db import Database, jobs, ledger, volumes
from bec_core.job import JobType
from bec_core.models import Job, OutgoingMessage, VolumeRef, encode_message
from bec_core.queues.base import TaskQueue
from bec_core.storage import Store
from bec_core.testing.checksum_job import CHECKSUM
from bec_core.worker import BECWorker, Services, WorkerObserver, WorkerOptions, WorkerSummary, open_worker

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
    """A job ``checksum`` over folders of ``scans``; artifacts go to ``store``."""

    database: Database
    tasks: TaskQueue
    dead_letters: TaskQueue
    store: Store
    scans: Path
    config: dict[str, Any] | None = None
    archive: str | None = None

    def __post_init__(self) -> None:
        with self.database.connection() as connection:
            self.job: Job = jobs.create(
                connection,
                name="checksum",
                job_type="checksum",
                config=self.config or {},
                queue_url=self.tasks.url,
                dlq_url=self.dead_letters.url,
            )
        self.sources = standard_sources(
            self.archive or self.scans.as_uri(), self.scans.as_uri(), allow_folders=True
        )

    def volume(self, name: str, *pages: bytes) -> VolumeRef:
        """A folder with these pages; its reference."""
        folder = self.scans / name
        folder.mkdir(parents=True)
        for number, data in enumerate(pages, 1):
            (folder / f"{number:04}.jpg").write_bytes(data)
        return next(ref for ref in find_volumes(self.scans) if ref.source == folder.resolve().as_uri())

    def ask(self, *refs: VolumeRef) -> None:
        """Enter volumes into the ledger and send their messages."""
        with self.database.connection() as connection:
            ids = volumes.upsert_refs(connection, refs)
            ledger.request(connection, self.job.id, list(zip(ids, refs, strict=True)))
        assert self.tasks.send([encode_message(ref) for ref in refs]) == []
        with self.database.connection() as connection:
            ledger.mark_sent(connection, self.job.id, ids)

    def send_raw(self, body: str) -> None:
        assert self.tasks.send([OutgoingMessage(body)]) == []

    @contextmanager
    def worker(
        self,
        options: WorkerOptions = QUICK,
        observer: WorkerObserver | None = None,
        job_type: JobType = CHECKSUM,
    ) -> Iterator[BECWorker]:
        services = Services(self.database, self.tasks, self.dead_letters, self.sources, self.store)
        with open_worker(
            job=self.job,
            job_type=job_type,
            services=services,
            options=options,
            name="lab",
            observers=[observer] if observer else [],
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
