"""What an audit can find."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from bec_core.models import VolumeRef


class Kind(StrEnum):
    """Kinds of findings; :data:`MEANING` says what each means and what mends it."""

    ROW_WITHOUT_MARKER = "row-without-marker"
    MARKER_WITHOUT_ROW = "marker-without-row"
    LEDGER_UNSENT = "ledger-unsent"
    LEDGER_NOWHERE = "ledger-nowhere"
    LEDGER_BEHIND = "ledger-behind"
    LEDGER_AHEAD = "ledger-ahead"
    QUEUE_SHORT = "queue-short"
    LEASE_FORGOTTEN = "lease-forgotten"
    ARTIFACT_MISSING = "artifact-missing"
    ARTIFACT_DIFFERS = "artifact-differs"
    LATE_MARKER = "late-marker"
    BLOCKED_READY = "blocked-ready"
    OLDER_RECIPE = "older-recipe"
    ORPHAN = "orphan"
    PARTS_LEFT = "parts-left"


MEANING: Mapping[Kind, tuple[str, str]] = {
    Kind.ROW_WITHOUT_MARKER: ("its row says done, but no marker stands", "queue it again"),
    Kind.MARKER_WITHOUT_ROW: ("a marker stands, but no row says done", "make the row say so"),
    Kind.LEDGER_UNSENT: ("it was asked for, but its message never reached the queue", "send it"),
    Kind.LEDGER_NOWHERE: ("it waits, but no message asks for it and no worker has it", "queue it again"),
    Kind.LEDGER_BEHIND: ("the ledger says failed, but it is done", "correct the ledger"),
    Kind.LEDGER_AHEAD: ("the ledger says done, but no row does that answers its request", "queue it again"),
    Kind.QUEUE_SHORT: ("fewer messages are in the queue than volumes wait", ""),
    Kind.LEASE_FORGOTTEN: (
        "its row says running, but its lease has ended and nothing asks for it",
        "queue it again",
    ),
    Kind.ARTIFACT_MISSING: (
        "its marker lists a file that is not there",
        "queue it again; its marker counts no more",
    ),
    Kind.ARTIFACT_DIFFERS: (
        "a file is not the one that its marker lists",
        "queue it again; its marker counts no more",
    ),
    Kind.LATE_MARKER: (
        "a marker appeared after its task had been given up, or after it had been asked for again",
        "believe it, if it is intact and answers the latest request",
    ),
    Kind.BLOCKED_READY: ("it is blocked, but its inputs are done", "release it"),
    Kind.OLDER_RECIPE: (
        "done by an older recipe: by another config, model or version of results than workers have now",
        "",
    ),
    Kind.ORPHAN: ("files that no marker lists; they cost space only", ""),
    Kind.PARTS_LEFT: (
        "finished pages are kept of a volume that needs them no more; they cost space only",
        "remove them",
    ),
}
"""What each kind means, and (in words) what :func:`~bec_core.admin.audit.repair.repair` does about it."""


@frozen
class Finding:
    """One thing that does not fit; ``mendable`` if repairing does something about this very one."""

    kind: Kind
    volume: VolumeRef | None
    version: str | None = None
    detail: str = ""
    mendable: bool = True
    volume_id: int | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    marker: Mapping[str, Any] | None = field(default=None, repr=False)
