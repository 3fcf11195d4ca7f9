"""What is kept of an unfinished volume, so that the next attempt goes on where the last one stopped.

Results of pages, never failures: a page that failed is tried again. They lie in parts, chunks of what was finished
within about a minute, in the artifacts' store under ``.bec/parts``, where no artifact lies. ``place`` knows the keys,
``form`` the bytes, ``shelf`` holds what earlier attempts kept, ``task`` is all of one task, ``flusher`` the clock.
"""

from bec_core.worker.parts.flusher import PartsFlusher
from bec_core.worker.parts.place import PartsFolder, kept_of_job
from bec_core.worker.parts.task import KeptPages, TaskParts, identity

__all__ = ["KeptPages", "PartsFlusher", "PartsFolder", "TaskParts", "identity", "kept_of_job"]
