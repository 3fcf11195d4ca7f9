"""Every exception that BEC raises on purpose.

::

    BecError
    ├── SettingsError             the environment or the command line is wrong
    ├── JobConfigError            a job's config does not fit its plugin's config class
    ├── PluginError               a plugin is broken, missing or claims a name twice
    ├── NotFoundError             no such job, volume, task, worker …
    ├── ConflictError             the operation does not fit the present state
    ├── JobGone                   the job was deleted under its worker
    ├── RuntimeFault              something in this program went wrong: nobody's failure
    ├── ServiceError              something outside did not do its part        (retryable)
    │   ├── DatabaseUnavailable
    │   ├── QueueUnavailable
    │   └── StorageError
    │       ├── StorageRefused    no such bucket, no right, another region: until somebody changes that
    │       └── ObjectTooLarge    larger than its reader's bound            (not retryable; in bec_core.storage)
    ├── ObjectNotFound            no object at this key
    ├── ObjectChanged             somebody else wrote the object in the meantime
    ├── InvalidKey                a key that could leave the store's root        (in bec_core.storage)
    ├── TaskError                 one task failed
    │   ├── RetryableTaskError                                                  (retryable)
    │   │   ├── TooManyPageErrors
    │   │   └── PagesMayPass      a page failed for a reason that may pass: the store, say
    │   └── TerminalTaskError
    │       ├── InvalidMessage    a queue message that names no volume
    │       ├── ManifestMissing
    │       ├── ManifestInvalid
    │       ├── VolumeEmpty       a volume without a single page
    │       ├── LostTooOften      its leases ran out again and again, and no attempt got any further
    │       └── InputArtifactMissing   an input is done, but lacks an artifact that the job needs
    ├── PageError                 one page failed; the volume goes on
    └── TaskStopped               the job must stop now; nothing of it is published
        ├── LeaseLost             another worker has the task
        ├── TaskStalled           no page was finished for too long
        ├── InputChanged          an input was done anew while the job read it
        └── ShutdownRequested     this worker is stopping

``retryable`` says whether doing the same thing again later can help. What a job raises that is not
in this tree counts as retryable: it is tried again until the job's ``max_attempts``.
"""

from __future__ import annotations


class BecError(Exception):
    """Base of the tree; ``str()`` of it is one sentence for a person, with the way out."""

    retryable = False


class SettingsError(BecError):
    """The environment or the command line is wrong; the message lists everything bad at once."""


class JobConfigError(BecError):
    """A job's config does not fit its plugin's config class; the message lists every bad field."""


class PluginError(BecError):
    """A plugin is broken, missing, or claims a job name that another one has."""


class NotFoundError(BecError):
    """No such job, volume, task, worker or queue."""


class ConflictError(BecError):
    """The operation does not fit the present state of the thing."""


class JobGone(BecError):
    """The job was deleted while its worker was at work."""


class RuntimeFault(BecError):
    """Something in this program went wrong (a bug, a missing column): no job's and no volume's failure."""


class ServiceError(BecError):
    """Something outside this process did not do its part; trying later can help."""

    retryable = True


class DatabaseUnavailable(ServiceError):
    """PostgreSQL can't be started, reached or used."""


class QueueUnavailable(ServiceError):
    """The queue can't be reached or used."""


class StorageError(ServiceError):
    """The object store can't be reached or answered with an error."""


class StorageRefused(StorageError):
    """The object store refuses: there is no such bucket, a right is missing, it is another region's, it is read-only.

    The same request fails again until somebody changes that; which may be soon, so it is nobody's failure either.
    """


class ObjectNotFound(BecError):
    """There is no object at this key."""


class ObjectChanged(BecError):
    """The object is not the one that was expected: somebody else wrote it."""


class TaskError(BecError):
    """One task failed."""


class RetryableTaskError(TaskError):
    """The task failed, and trying it again may help."""

    retryable = True


class TooManyPageErrors(RetryableTaskError):
    """More pages failed than the job's ``max_page_error_rate`` allows."""


class PagesMayPass(RetryableTaskError):
    """Pages failed for a reason that may pass; raised while the task has attempts left."""


class TerminalTaskError(TaskError):
    """The task failed, and trying it again can't help."""


class InvalidMessage(TerminalTaskError):
    """A queue message that names no volume."""


class ManifestMissing(TerminalTaskError):
    """The volume's manifest (or folder) does not exist."""


class ManifestInvalid(TerminalTaskError):
    """The volume's manifest is not what the archive's contract says."""


class VolumeEmpty(TerminalTaskError):
    """The volume has not a single page."""


class LostTooOften(TerminalTaskError):
    """The task's leases ran out again and again, and no attempt got further than the ones before."""


class InputArtifactMissing(TerminalTaskError):
    """An input is done at this version, but has not the artifact that the job needs; doing it again may help."""


class PageError(BecError):
    """One page failed; the volume goes on without it.

    ``stage`` names the step that failed (``fetch``, ``decode`` …); ``error_type`` is what statistics
    group by and defaults to the class's name; ``retryable`` says whether the page may work next time.
    """

    def __init__(
        self, message: str, *, stage: str, error_type: str | None = None, retryable: bool = False
    ) -> None:
        super().__init__(message)
        self.stage = stage
        self.error_type = error_type or type(self).__name__
        self.retryable = retryable


class TaskStopped(BecError):
    """The job must stop now; nothing of it is published."""

    retryable = True


class LeaseLost(TaskStopped):
    """Another worker has the task, or the lease ran out unrenewed."""


class TaskStalled(TaskStopped):
    """No page was finished for longer than the stall timeout."""


class InputChanged(TaskStopped):
    """An input was done anew while this task read it; the task is tried again with what stands now."""


class ShutdownRequested(TaskStopped):
    """This worker is stopping and its grace period is over."""
