"""BECWorker: takes tasks from a job's queue, runs the job, publishes, records.

``opening`` puts a worker together, ``process`` is its life: slots, and why it ends. ``attempt`` is one message's way,
which ends with a value (``ending``) that ``settle`` writes down. ``hold`` keeps what is at hand, ``deaths`` takes over
from dead processes, ``context`` is what a job sees, ``heartbeat`` tells the database.
"""

from bec_core.observer import Step, WorkerObserver
from bec_core.worker.opening import open_worker
from bec_core.worker.options import WorkerOptions
from bec_core.worker.process import BECWorker, End, WorkerSummary
from bec_core.worker.workplace import Services

__all__ = [
    "BECWorker",
    "End",
    "Services",
    "Step",
    "WorkerObserver",
    "WorkerOptions",
    "WorkerSummary",
    "open_worker",
]
