"""BECWorker: takes tasks from a job's queue, runs the job, publishes, records.

``opening`` puts a worker together, ``process`` is its life: slots, and why it ends. ``attempt`` is one message's way,
which ends with a value (``ending``) that ``settle`` writes down. ``hold`` keeps what is at hand, ``deaths`` takes over
from dead processes, ``context`` is what a job sees, ``heartbeat`` tells the database. ``life`` is what each thread
gives for proof of life; ``watchdog`` looks at it and tells the service manager by ``notify``.
"""

from bec_core.observer import Step, WorkerObserver
from bec_core.worker.life import Life
from bec_core.worker.notify import ServiceManager
from bec_core.worker.opening import open_worker
from bec_core.worker.options import WorkerOptions
from bec_core.worker.process import BECWorker, End, WorkerSummary
from bec_core.worker.watchdog import Watchdog
from bec_core.worker.workplace import LoadedWorker, Services

__all__ = [
    "BECWorker",
    "End",
    "Life",
    "LoadedWorker",
    "ServiceManager",
    "Services",
    "Step",
    "Watchdog",
    "WorkerObserver",
    "WorkerOptions",
    "WorkerSummary",
    "open_worker",
]
