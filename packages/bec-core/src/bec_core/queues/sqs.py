"""The queue as SQS, or anything that speaks its protocol."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from attrs import frozen

from bec_core.errors import NotFoundError, QueueUnavailable
from bec_core.models import Message, OutgoingMessage, QueueStats, VolumeRef
from bec_core.queues.base import SendFailure
from bec_core.queues.letters import remove_by_receiving
from bec_core.queues.policy import GOOD_RETENTION_S, LONGEST_RETENTION_S
from bec_core.queues.sqs_client import LONG_POLL_S, SqsClients, SqsOptions, call, sqs_client, still_ours
from bec_core.queues.sqs_send import BATCH, batches, send_batch

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType
    from mypy_boto3_sqs.type_defs import MessageTypeDef

MAX_VISIBILITY_S = 12 * 3600
"""SQS hides a message for no longer than this, counted from its delivery; extending does not reset it."""

_PEEK_WAIT_S = 1.0  # a short poll asks only some of SQS's servers
_PEEK_HIDDEN_S = 30.0
_SPARE_DELIVERIES = 2  # one for the worker that comes next, one for whoever looks again before it does


@frozen
class RedrivePolicy:
    """When SQS itself gives a message up (after ``limit`` deliveries), and the ARN of the queue it then goes to."""

    limit: int
    target: str


class SqsQueue:
    """A :class:`~bec_core.queues.base.TaskQueue` over one SQS queue.

    A delivery can stay hidden for :data:`MAX_VISIBILITY_S` at most: :meth:`extend` asks for no more than
    is left of it and says False once nothing is. The message is then delivered again, to a worker that
    finds the task's lease alive and hides it anew: it is the lease that decides, not the queue.
    """

    def __init__(
        self, url: str, options: SqsOptions | SqsClients | None = None, *, client: SQSClient | None = None
    ) -> None:
        self._url = url
        self._clients = options if isinstance(options, SqsClients) else None
        self._options = options.options if isinstance(options, SqsClients) else options or SqsOptions()
        self._client = client
        self._lock = threading.Lock()
        self._expires: dict[str, float] = {}  # receipt -> time.monotonic() when SQS ends its delivery

    @property
    def name(self) -> str:
        """The queue's name: the last part of its URL."""
        return self._url.rpartition("/")[2]

    @property
    def url(self) -> str:
        """The queue's URL as SQS gave it."""
        return self._url

    @property
    def exact(self) -> bool:
        """See the protocol."""
        return False

    @property
    def beside_rows(self) -> bool:
        """See the protocol."""
        return False

    def send(self, messages: Sequence[OutgoingMessage]) -> list[SendFailure]:
        """See the protocol; the service's trouble is raised only if not a single message was sent."""
        client = self._connected()
        groups = list(batches(messages))
        if len(groups) <= 1:
            outcomes = [send_batch(client, self._url, group) for group in groups]
        else:
            with ThreadPoolExecutor(min(self._options.parallel, len(groups)), "bec-sqs-send") as pool:
                outcomes = list(pool.map(lambda group: send_batch(client, self._url, group), groups))
        failures = [failure for outcome in outcomes for failure in outcome.failures]
        errors = [outcome.error for outcome in outcomes if outcome.error is not None]
        if errors and len(failures) == len(messages):
            raise errors[0]
        return sorted(failures, key=lambda failure: failure.index)

    def receive(self, *, limit: int, wait_s: float, visibility_s: float) -> list[Message]:
        """See the protocol; SQS counts in whole seconds."""
        client = self._connected()
        deadline = time.monotonic() + wait_s
        while True:
            asked = time.monotonic()
            wait = min(LONG_POLL_S, round(deadline - asked))
            reply = call(
                self._url,
                lambda wait=wait: client.receive_message(  # type: ignore[misc]
                    QueueUrl=self._url,
                    MaxNumberOfMessages=max(1, min(limit, BATCH)),
                    WaitTimeSeconds=max(0, wait),
                    VisibilityTimeout=_seconds(visibility_s),
                    MessageAttributeNames=["All"],
                    AttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
                ),
            )
            messages = [_message(raw) for raw in reply.get("Messages", [])]
            if messages:
                self._remember(messages, asked)
                return messages
            if round(deadline - time.monotonic()) <= 0:
                return []

    def extend(self, message: Message, visibility_s: float) -> bool:
        """See the protocol; also False when the delivery's twelve hours are used up."""
        with self._lock:
            now = time.monotonic()
            left = math.floor(self._expires.get(message.receipt, now + MAX_VISIBILITY_S) - now)
            if visibility_s <= 0 and message.receipt in self._expires:
                # handed back: a keeper that comes late must not take it from its next receiver
                self._expires[message.receipt] = now
        seconds = min(_seconds(visibility_s), max(left, 0))
        if visibility_s > 0 and seconds == 0:
            return False
        return still_ours(
            self._url,
            lambda: self._connected().change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=message.receipt, VisibilityTimeout=seconds
            ),
        )

    def delete(self, message: Message) -> bool:
        """See the protocol; SQS also says True for a message that was deleted already."""
        with self._lock:
            self._expires.pop(message.receipt, None)
        return still_ours(
            self._url,
            lambda: self._connected().delete_message(QueueUrl=self._url, ReceiptHandle=message.receipt),
        )

    def replace(self, message: Message) -> None:
        """See the protocol; the copy's deliveries and its twelve hours begin anew."""
        if failed := self.send([OutgoingMessage(message.body, message.attributes)]):
            raise QueueUnavailable(
                f"queue {self._url}: message {message.id} could not be renewed: {failed[0].reason}"
            )
        self.delete(message)

    def redrive_policy(self) -> RedrivePolicy | None:
        """The queue's redrive policy as it is now; None: it has none."""
        text = self._attributes().get("RedrivePolicy")
        if not text:
            return None
        policy = json.loads(text)
        return RedrivePolicy(int(policy["maxReceiveCount"]), str(policy["deadLetterTargetArn"]))

    def arn(self) -> str:
        """The queue's ARN: what another queue's redrive policy names."""
        return self._attributes()["QueueArn"]

    def delivery_limit(self) -> int | None:
        """See the protocol."""
        policy = self.redrive_policy()
        return policy.limit if policy else None

    def retention_s(self) -> float:
        """See the protocol."""
        return float(self._attributes()["MessageRetentionPeriod"])

    def peek(self, limit: int, *, receive: bool = False) -> list[Message] | None:
        """See the protocol; a message that its next delivery could be the last of is replaced by a fresh copy."""
        if not receive:
            return None
        most = self.delivery_limit()
        found: dict[str, Message] = {}
        while len(found) < limit:
            batch = self.receive(limit=limit - len(found), wait_s=_PEEK_WAIT_S, visibility_s=_PEEK_HIDDEN_S)
            again = [message for message in batch if message.id in found]
            found.update({message.id: message for message in batch})
            if again or not batch:
                break
        for message in found.values():
            if most is not None and message.receive_count >= most - _SPARE_DELIVERIES:
                self.replace(message)
            else:
                self.extend(message, 0)
        return list(found.values())

    def remove(self, refs: Collection[VolumeRef], *, limit: int | None = None) -> int:
        """See the protocol; what was sent in the last minute may be missed, for SQS's figures lag."""
        return remove_by_receiving(self, refs, limit=limit)

    def _attributes(self) -> dict[Any, str]:
        reply = call(
            self._url,
            lambda: self._connected().get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"]),
        )
        return dict(reply["Attributes"])

    def stats(self) -> QueueStats:
        """See the protocol; SQS's figures lag by up to a minute."""
        values = self._attributes()
        return QueueStats(
            available=int(values.get("ApproximateNumberOfMessages", 0)),
            in_flight=int(values.get("ApproximateNumberOfMessagesNotVisible", 0)),
            delayed=int(values.get("ApproximateNumberOfMessagesDelayed", 0)),
            created_at=_moment(values.get("CreatedTimestamp"), 1),
            modified_at=_moment(values.get("LastModifiedTimestamp"), 1),
        )

    def purge(self) -> None:
        """See the protocol; SQS takes up to a minute and allows one purge a minute."""
        call(self._url, lambda: self._connected().purge_queue(QueueUrl=self._url))

    def close(self) -> None:
        """Close the client's connections, unless it is shared."""
        with self._lock:
            if self._client is not None and self._clients is None:
                self._client.close()

    def _connected(self) -> SQSClient:
        with self._lock:
            if self._client is None:
                self._client = (
                    self._clients.of(self._url)
                    if self._clients
                    else sqs_client(self._options, queue_url=self._url)
                )
            return self._client

    def _remember(self, messages: Sequence[Message], moment: float) -> None:
        with self._lock:
            for receipt in [r for r, end in self._expires.items() if end < moment - MAX_VISIBILITY_S]:
                del self._expires[receipt]
            self._expires.update({message.receipt: moment + MAX_VISIBILITY_S for message in messages})


def create_sqs_queues(
    options: SqsOptions, tasks: str, dead_letters: str, *, max_receive_count: int
) -> tuple[tuple[SqsQueue, bool], tuple[SqsQueue, bool]]:
    """Create both queues where missing: each with whether it was created. Existing ones stay as they are."""
    client = sqs_client(options)
    common: dict[QueueAttributeNameType, str] = {
        "ReceiveMessageWaitTimeSeconds": str(LONG_POLL_S),
    }
    dlq_url, new_dlq = _ensure(
        client, dead_letters, {**common, "MessageRetentionPeriod": str(LONGEST_RETENTION_S)}
    )
    arn = call(dlq_url, lambda: client.get_queue_attributes(QueueUrl=dlq_url, AttributeNames=["QueueArn"]))[
        "Attributes"
    ]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": str(max_receive_count)})
    tasks_url, new_tasks = _ensure(
        client,
        tasks,
        {**common, "MessageRetentionPeriod": str(GOOD_RETENTION_S), "RedrivePolicy": redrive},
    )
    return (
        (SqsQueue(tasks_url, options, client=client), new_tasks),
        (SqsQueue(dlq_url, options, client=client), new_dlq),
    )


def _ensure(client: SQSClient, name: str, attributes: dict[QueueAttributeNameType, str]) -> tuple[str, bool]:
    try:
        return call(name, lambda: client.get_queue_url(QueueName=name))["QueueUrl"], False
    except NotFoundError:
        made = call(name, lambda: client.create_queue(QueueName=name, Attributes=attributes))
        return made["QueueUrl"], True


def _seconds(visibility_s: float) -> int:
    return max(0, min(math.ceil(visibility_s), MAX_VISIBILITY_S))


def _moment(stamp: str | None, per_second: int) -> datetime | None:
    return datetime.fromtimestamp(float(stamp) / per_second, UTC) if stamp else None


def _message(raw: MessageTypeDef) -> Message:
    system: dict[Any, str] = dict(raw.get("Attributes", {}))
    attributes = {
        name: value["StringValue"]
        for name, value in raw.get("MessageAttributes", {}).items()
        if "StringValue" in value
    }
    return Message(
        id=raw["MessageId"],
        body=raw.get("Body", ""),
        attributes=attributes,
        receipt=raw["ReceiptHandle"],
        receive_count=int(system.get("ApproximateReceiveCount", 1)),
        enqueued_at=_moment(system.get("SentTimestamp"), 1000),
    )
