"""BECWorker: takes tasks from a job's queue, runs the job, publishes, records.

``loop`` is the worker process's life, ``task`` one task's, ``endings`` what ends or interrupts it, ``lease``
keeps what is held, ``publish`` writes artifacts and marker, ``context`` is what a job sees, ``heartbeat`` tells
the database.
"""

from bec_core.worker.loop import BECWorker, WorkerSummary, open_worker
from bec_core.worker.observer import Step, WorkerObserver
from bec_core.worker.options import WorkerOptions

__all__ = ["BECWorker", "Step", "WorkerObserver", "WorkerOptions", "WorkerSummary", "open_worker"]
