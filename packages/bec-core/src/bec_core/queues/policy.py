"""What a queue's own redrive policy and retention must be, and the command that makes them so."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bec_core.words import ago

if TYPE_CHECKING:
    from bec_core.queues.base import TaskQueue
    from bec_core.queues.sqs import SqsQueue

LEAST_LIMIT = 3
"""A limit below this leaves a worker no delivery in which it could replace a message before the queue gives it up."""

GOOD_LIMIT = 20
"""The limit of queues that we create, and of the command that mends one."""

LEAST_RETENTION_S = 24 * 3600
GOOD_RETENTION_S = 4 * 24 * 3600
LONGEST_RETENTION_S = 14 * 24 * 3600
"""How long SQS must, should and can keep a message; the ledger is the truth, and what is lost is sent again. Dead
letters are kept as long as it can, which counts from when a message was sent first."""


def trouble(queue: TaskQueue, dead_letters: TaskQueue) -> str | None:
    """What is wrong with the queue's redrive policy: one sentence with the command that mends it; None: nothing.

    It is never changed unasked: the queue may be somebody else's too. A queue in PostgreSQL has none and needs none.

    Raises:
        QueueUnavailable: the queue could not be asked.
        NotFoundError: there is no such queue.
    """
    if not queue.url.startswith(("http://", "https://")):
        return None
    from bec_core.queues.sqs import SqsQueue

    if not isinstance(queue, SqsQueue) or not isinstance(dead_letters, SqsQueue):
        return None
    policy, target = queue.redrive_policy(), dead_letters.arn()
    if policy is None:
        wrong = "has no redrive policy, so a message that kills every worker would come for ever"
    elif policy.limit < LEAST_LIMIT:
        wrong = f"gives a message up after {policy.limit} deliveries (maxReceiveCount), too few to replace it in time"
    elif policy.target != target:
        wrong = f"gives messages up into {policy.target} and not into the job's dead-letter queue"
    else:
        return None
    return f"the queue {queue.name} {wrong}; to mend it: {_command(queue, target)}"


def doubts(queue: TaskQueue, dead_letters: TaskQueue) -> list[tuple[str, str]]:
    """What of the queues' other attributes may lose messages: each with the command that mends it.

    Raises:
        QueueUnavailable: a queue could not be asked.
    """
    if not queue.url.startswith(("http://", "https://")):
        return []
    from bec_core.queues.sqs import SqsQueue

    if not isinstance(queue, SqsQueue) or not isinstance(dead_letters, SqsQueue):
        return []
    found, kept, letters_kept = [], queue.retention_s(), dead_letters.retention_s()
    if kept < LEAST_RETENTION_S:
        words = f"the queue {queue.name} keeps a message for {ago(kept)} only"
        found.append((words, _set(queue, {"MessageRetentionPeriod": str(GOOD_RETENTION_S)})))
    if letters_kept < max(kept, LEAST_RETENTION_S):
        words = f"the queue {dead_letters.name} keeps a letter for {ago(letters_kept)} from when it was first sent"
        found.append((words, _set(dead_letters, {"MessageRetentionPeriod": str(LONGEST_RETENTION_S)})))
    return found


def _command(queue: SqsQueue, target: str) -> str:
    policy = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": str(GOOD_LIMIT)})
    return _set(queue, {"RedrivePolicy": policy})


def _set(queue: SqsQueue, attributes: Mapping[str, str]) -> str:
    region = queue.arn().split(":")[3]
    words = ["aws", "sqs", "set-queue-attributes", "--region", region, "--queue-url", queue.url]
    return shlex.join([*words, "--attributes", json.dumps(attributes)])
