"""A worker process that can be told to die, or to meet trouble, at a named step.

    python -m support.crash_worker JOB '{"kill_at": "claimed", ...}'

It is ``bec worker`` (the same settings, session, worker and signals) with short times, and an observer that
prints every step as ``STEP name`` and obeys the plan.
A plan may say: ``kill_at`` a step (the ``kill_nth`` time), ``freeze_at`` a step, ``clock_jump`` (seconds, at the
claim), ``full_disk`` (so many writes fail), ``fault`` (so many faults of ours), ``kill_before_part`` (the number of
the part that it is about to write when it is killed), ``look_s`` (how often it looks for notices of its instance's
end), ``options`` (of the worker).
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import threading
import time
from typing import Any

import psutil
import psycopg

from bec_cli.signals import stopping_on_signals
from bec_core.admin.jobs import find_job
from bec_core.admin.session import Session
from bec_core.admin.working import worker_for
from bec_core.db import tasks
from bec_core.ec2.watch import InstanceWatch
from bec_core.logs import configure_logging
from bec_core.queues import SqsOptions
from bec_core.settings import load_settings
from bec_core.storage import S3Options, Store
from bec_core.worker import Step, WorkerObserver, WorkerOptions

OPTIONS: dict[str, Any] = {
    "poll_wait_s": 1.0,
    "lease_s": 3.0,
    "shutdown_after_empty": None,
    "until_drained": True,
    "grace_s": 20.0,
    "retry_base_s": 0.2,
    "retry_cap_s": 1.0,
    "heartbeat_s": 1.0,
    "empty_twice_s": 1.0,
    "part_every_s": 0.02,
}


class Obedient(WorkerObserver):
    """Does at a step what the plan says: die, or let the clock jump."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._lock = threading.Lock()

    def step(self, step: Step) -> None:
        with self._lock:
            print(f"STEP {step}", flush=True)
            if step == self._plan.get("kill_at"):
                self._plan["kill_nth"] = self._plan.get("kill_nth", 1) - 1
            if step == self._plan.get("kill_at") and self._plan["kill_nth"] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            if step == self._plan.get("freeze_at"):
                del self._plan["freeze_at"]
                os.kill(os.getpid(), signal.SIGSTOP)
            if step == Step.CLAIMED and (jump := self._plan.pop("clock_jump", None)):
                set_clock(jump)

    def page_done(self, volume: Any, done: int, total: int) -> None:
        self.step("page-done")  # type: ignore[arg-type]  # not a step of the life, but one to die at


def set_clock(by: float) -> None:
    """Let this process's wall clock jump: what Python and psutil tell from now on."""
    real, real_ns, created = time.time, time.time_ns, psutil.Process.create_time
    time.time = lambda: real() + by
    time.time_ns = lambda: real_ns() + int(by * 1e9)
    psutil.Process.create_time = lambda self: created(self) + by  # type: ignore[method-assign]


def meet_a_fault(times: int) -> None:
    """Recording that a task is done meets a fault of ours so often: a column that is not there."""
    real, left = tasks.finish, [times]

    def finish(*args: Any, **kwargs: Any) -> bool:
        if left[0] > 0:
            left[0] -= 1
            raise psycopg.errors.UndefinedColumn("on purpose")
        return real(*args, **kwargs)

    tasks.finish = finish


def fill_the_disk(times: int) -> None:
    """The next ``times`` files can't be written to the end."""
    real, lock, left = os.fsync, threading.Lock(), [times]

    def fsync(descriptor: Any) -> None:
        with lock:
            if left[0] > 0:
                left[0] -= 1
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    os.fsync = fsync


def die_before_part(store: Store, number: int) -> None:
    """Be killed right before the ``number``-th part is written."""
    real, left = store.put, [number]

    def put(key: str, data: bytes) -> str | None:
        if key.startswith(".bec/parts/"):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return real(key, data)

    store.put = put  # type: ignore[method-assign]


def main() -> None:
    job_name, plan = sys.argv[1], json.loads(sys.argv[2])
    configure_logging(level="INFO", form="json")
    settings = load_settings()
    with Session(settings) as session:
        session.__dict__["s3"] = S3Options(
            region=settings.region, endpoint_url=settings.s3_endpoint_url, connect_timeout_s=2,
            read_timeout_s=2, request_timeout_s=5, max_retries=2, retry_timeout_s=6,
            first_pause_s=0.05, max_pause_s=0.2,
        )  # fmt: skip
        session.__dict__["sqs"] = SqsOptions(
            region=settings.region, endpoint_url=settings.sqs_endpoint_url, max_attempts=2, read_timeout_s=8
        )
        if look_s := plan.get("look_s"):
            InstanceWatch.__init__.__kwdefaults__["every_s"] = look_s
        options = WorkerOptions(**{**OPTIONS, **plan.get("options", {})})
        with worker_for(session, find_job(session, job_name), options, observers=[Obedient(plan)]) as worker:
            print("READY", flush=True)
            if times := plan.get("fault"):
                meet_a_fault(times)
            if number := plan.get("kill_before_part"):
                die_before_part(session.artifacts, number)
            if times := plan.get("full_disk"):
                fill_the_disk(times)
            with stopping_on_signals(worker):
                worker.run()
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the second one may come when all is over


if __name__ == "__main__":
    main()
