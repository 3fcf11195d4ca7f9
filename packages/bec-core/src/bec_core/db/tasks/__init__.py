"""SQL over ``task_executions``: claims, leases, outcomes.

A claim is one statement. Whatever a worker writes afterwards says the epoch that it claimed, so that a
worker whose lease was taken over changes nothing. All times are the server's.
"""

from bec_core.db.tasks.claims import claim, forget, is_ours, note_resumed, renew, standing, why_not_ours
from bec_core.db.tasks.failures import fail, fail_unclaimed, hand_back, note_fault, set_aside
from bec_core.db.tasks.outcomes import finish, repair_done
from bec_core.db.tasks.values import (
    HANDED_BACK,
    LOST_LIMIT,
    NO_VERSION,
    Claim,
    Contents,
    Delivery,
    Failure,
    Faults,
    NotClaimed,
    Outcome,
    Standing,
)

__all__ = [
    "HANDED_BACK",
    "LOST_LIMIT",
    "NO_VERSION",
    "Claim",
    "Contents",
    "Delivery",
    "Failure",
    "Faults",
    "NotClaimed",
    "Outcome",
    "Standing",
    "claim",
    "fail",
    "fail_unclaimed",
    "finish",
    "forget",
    "hand_back",
    "is_ours",
    "note_fault",
    "note_resumed",
    "renew",
    "repair_done",
    "set_aside",
    "standing",
    "why_not_ours",
]
