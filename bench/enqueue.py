"""Asking for 40,000 volumes: of a job that reads nothing, and of one that reads another, however that stands.

    python bench/enqueue.py [--volumes 40000] [--rounds 3]

On a PostgreSQL of its own, with its queue. The jobs are asked in turn, so that noise meets all of them.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from bec_core.admin.asking import ask
from bec_core.admin.job_making import create_job
from bec_core.admin.session import Session
from bec_core.db import inputs
from bec_core.models import Job, VolumeRef
from bec_core.settings import load_settings
from support.services import postgres_server

KINDS = (
    "reads nothing",
    "reads one that has done all",
    "reads one that waits for all",
    "reads one that was never asked",
)


def main() -> None:
    """Ask, and print the median of each kind with its ratio to the first."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--volumes", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    refs = [VolumeRef(f"W{n // 20}", f"I{n:05}") for n in range(arguments.volumes)]
    took: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with postgres_server() as server, tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            name = f"b_{uuid.uuid4().hex}"
            server.new_database(name)
            environment = {
                "BEC_SQL_HOST": str(server.folder), "BEC_SQL_USER": "postgres", "BEC_SQL_DATABASE": name,
                "BEC_QUEUE": "postgres", "BEC_SOURCE_URL": Path(folder).as_uri(), "BEC_DEST_URL": Path(folder).as_uri(),
                "BEC_HOME": folder,
            }  # fmt: skip
            with Session(load_settings(environment)) as session:
                for number, kind in enumerate(KINDS):
                    job = _job(session, number, kind, refs)
                    began = time.perf_counter()
                    asked = ask(session, job, refs)
                    took[kind].append(time.perf_counter() - began)
                    assert len(asked.sent) + len(asked.blocked) == len(refs)
    first = statistics.median(took[KINDS[0]])
    for kind, times in took.items():
        print(f"{kind:32} {statistics.median(times):6.2f} s  {statistics.median(times) / first:5.2f}")


def _job(session: Session, number: int, kind: str, refs: list[VolumeRef]) -> Job:
    """A job of this kind, fresh; its input stands as the kind says."""
    job = create_job(session, name=f"j{number}", job_type="checksum").job
    if number == 0:
        return job
    read = create_job(session, name=f"read{number}", job_type="checksum").job
    with session.database.connection() as connection:
        inputs.bind(connection, job.id, "lines", read.id)
    if number == 2:
        ask(session, read, refs)
    if number == 1:
        with session.database.connection() as connection:
            connection.execute("UPDATE volumes SET last_s3_etag = decode(md5(id::text), 'hex')")
            connection.execute(
                "INSERT INTO task_executions (job_id, volume_id, s3_etag, status, done_at)"
                " SELECT %s, id, last_s3_etag, 'done', now() FROM volumes",
                (read.id,),
            )
            connection.execute("ANALYZE task_executions")
    return job


if __name__ == "__main__":
    main()
