"""What a queue's own redrive policy must be, and the command that makes it so."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bec_core.queues.base import TaskQueue

LEAST_LIMIT = 3
"""A limit below this leaves a worker no delivery in which it could replace a message before the queue gives it up."""

GOOD_LIMIT = 20
"""The limit of queues that we create, and of the command that mends one."""


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


def _command(queue: TaskQueue, target: str) -> str:
    policy = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": str(GOOD_LIMIT)})
    region = target.split(":")[3]
    words = ["aws", "sqs", "set-queue-attributes", "--region", region, "--queue-url", queue.url]
    return shlex.join([*words, "--attributes", json.dumps({"RedrivePolicy": policy})])
