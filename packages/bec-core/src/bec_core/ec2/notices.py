"""What the metadata say of the instance's end: a spot interruption, a recommendation, the group's will."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum

from attrs import frozen

from bec_core.ec2.imds import Imds

INTERRUPTION = "spot/instance-action"
REBALANCE = "events/recommendations/rebalance"
LIFECYCLE = "autoscaling/target-lifecycle-state"

_MARGIN_S = 30.0
"""So long before its end a worker must have handed back what it has."""


class NoticeKind(StrEnum):
    """Who says that the instance may go."""

    INTERRUPTION = "spot interruption"
    TERMINATION = "taken out of its group"
    REBALANCE = "rebalance recommendation"


@frozen
class Notice:
    """The instance goes, or (a recommendation) may go; ``at``: when, if that is said."""

    kind: NoticeKind
    at: datetime | None = None

    @property
    def words(self) -> str:
        """For a log."""
        when = f", at {self.at:%H:%M:%S} UTC" if self.at else ""
        return f"{self.kind.value}{when}"

    def within_s(self, now: datetime) -> float | None:
        """In how many seconds everything must be handed back; None: it is not said."""
        return None if self.at is None else max(0.0, (self.at - now).total_seconds() - _MARGIN_S)


def notices(imds: Imds) -> list[Notice]:
    """All that stands now, the most pressing first.

    Raises:
        MetadataSilent: nothing answers.
    """
    found = []
    if text := imds.get(INTERRUPTION):
        found.append(Notice(NoticeKind.INTERRUPTION, _time_in(text, "time")))
    state = imds.get(LIFECYCLE)
    # "Warmed:…": it is sent to the warm pool, where it is stopped
    if state is not None and (state == "Terminated" or state.startswith("Warmed:")):
        found.append(Notice(NoticeKind.TERMINATION))
    if imds.get(REBALANCE) is not None:
        found.append(Notice(NoticeKind.REBALANCE))
    return found


def _time_in(text: str, name: str) -> datetime | None:
    """A time that a JSON text tells; None: it does not. The notice counts all the same."""
    try:
        said = json.loads(text)[name]
        return datetime.fromisoformat(str(said)).astimezone(UTC)
    except (ValueError, KeyError, TypeError):
        return None
