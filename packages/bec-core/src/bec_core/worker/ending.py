"""How an attempt can end: values. ``attempt`` returns one of them, ``settle`` writes it down.

What each does to row, ledger, dead letter and message is told in ``docs/task-life.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import field, frozen

from bec_core.artifacts import Marker
from bec_core.db.tasks import Failure, Outcome
from bec_core.errors import BecError
from bec_core.models import Volume, VolumeRef
from bec_core.worker.hold import HeldTask
from bec_core.worker.inputs import Read

PageErrors = tuple[Mapping[str, Any], ...]
"""The failed pages of a failed task, for its row."""


@frozen
class Done:
    """The volume is published: artifacts and marker lie there; row and ledger are to say so.

    ``artifacts`` are the published files' SHA-256 by name, ``read`` what was read of the inputs.
    """

    name: ClassVar[str] = "done"
    held: HeldTask
    outcome: Outcome
    recipe: str
    artifacts: Mapping[str, str] = field(factory=dict)
    read: tuple[Read, ...] = ()


@frozen
class AlreadyDone:
    """An intact marker that answers the latest request stands: row and ledger are made to say so.

    ``by`` names another job whose results they are (a shared prefix): then only the ledger says so.
    """

    name: ClassVar[str] = "already-done"
    volume: Volume
    volume_id: int
    marker: Marker
    by: str | None = None
    failed_before: bool = False


@frozen
class Retry:
    """The job or the volume failed, and attempts are left: once more after ``wait_s`` seconds."""

    name: ClassVar[str] = "retryable_failed"
    held: HeldTask
    failure: Failure
    wait_s: float
    outcome: Outcome | None = None
    page_errors: PageErrors = ()
    error: BaseException | None = field(default=None, repr=False)


@frozen
class Failed:
    """The job or the volume failed for good. ``held`` is None for a volume that could not even be resolved."""

    name: ClassVar[str] = "terminal_failed"
    ref: VolumeRef
    failure: Failure
    held: HeldTask | None = None
    outcome: Outcome | None = None
    page_errors: PageErrors = ()
    error: BaseException | None = field(default=None, repr=False)


@frozen
class HandedBack:
    """The task is given back and nothing is counted: a stop, or (``trouble``) a service that did not do its part.

    ``reload``: it was asked for with a newer config than this worker has.
    """

    name: ClassVar[str] = "handed-back"
    failure: Failure
    held: HeldTask | None = None
    wait_s: float = 0.0
    trouble: BecError | None = field(default=None, repr=False)
    ref: VolumeRef | None = None
    reload: bool = False


@frozen
class Left:
    """Nothing to do here now: the message is hidden for ``wait_s`` seconds.

    None: neither row nor message are ours any more, and nothing is written.
    """

    name: ClassVar[str] = "left"
    why: str
    wait_s: float | None = None
    volume: Volume | None = None


@frozen
class Blocked:
    """An input is not done at the volume's real version: the ledger says so, and the message goes. No attempt."""

    name: ClassVar[str] = "blocked"
    volume: Volume
    why: str


@frozen
class SetAside:
    """The message alone goes to the dead-letter queue: it names no volume, or what it asks for was answered before."""

    name: ClassVar[str] = "set-aside"
    failure: Failure
    ref: VolumeRef | None = None


@frozen
class OurFault:
    """Something in this program went wrong, met while it worked on ``ref``: the volume is not to blame."""

    name: ClassVar[str] = "fault"
    error: BaseException = field(repr=False)
    ref: VolumeRef | None = None
    held: HeldTask | None = None
    stage: str = "resolve"


Ending = Done | AlreadyDone | Retry | Failed | HandedBack | Left | Blocked | SetAside | OurFault
