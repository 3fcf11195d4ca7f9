"""Sending to SQS: batches within its limits, what failed sent again, one bad message kept apart."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import field, frozen

from bec_core.errors import BecError, QueueUnavailable
from bec_core.models import OutgoingMessage
from bec_core.queues.base import SendFailure
from bec_core.queues.sqs_client import error_code, our_error

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

BATCH = 10
"""How many messages one call may send (or receive)."""

_BATCH_BYTES = 250_000  # SQS allows 256 KiB with the attributes' names, types and values
_ATTEMPTS = 5
_REFUSED = frozenset(
    {
        "InvalidParameterValue",
        "InvalidMessageContents",
        "InvalidAttributeValue",
        "BatchRequestTooLong",
        "ValidationError",
        "MissingParameter",
    }
)

Numbered = tuple[int, OutgoingMessage]


@frozen
class Outcome:
    """What became of a batch: the messages that were not sent, and the service's error if it was to blame."""

    failures: list[SendFailure] = field(factory=list)
    error: BecError | None = None


def batches(messages: Sequence[OutgoingMessage]) -> Iterator[list[Numbered]]:
    """The messages, numbered, in groups that one call may carry."""
    batch: list[Numbered] = []
    held = 0
    for index, message in enumerate(messages):
        size = _size(message)
        if batch and (len(batch) == BATCH or held + size > _BATCH_BYTES):
            yield batch
            batch, held = [], 0
        batch.append((index, message))
        held += size
    if batch:
        yield batch


def send_batch(client: SQSClient, url: str, batch: Sequence[Numbered]) -> Outcome:
    """Send one batch. What the service failed at is sent again with growing pauses."""
    from botocore.exceptions import BotoCoreError, ClientError

    failures: list[SendFailure] = []
    pending = dict(batch)
    reasons: dict[int, str] = {}
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(random.uniform(0.5, 1.0) * min(5.0, 0.2 * 2**attempt))
        entries = [_entry(index, message) for index, message in pending.items()]
        try:
            reply = client.send_message_batch(QueueUrl=url, Entries=entries)
        except (ClientError, BotoCoreError) as error:
            if error_code(error) in _REFUSED and len(pending) > 1:
                # one bad message spoils the call, and the answer does not say which
                alone = [send_batch(client, url, [numbered]) for numbered in pending.items()]
                return _joined([Outcome(failures), *alone])
            ours = our_error(url, error)
            failures += [SendFailure(index, str(ours)) for index in pending]
            return Outcome(failures, None if error_code(error) in _REFUSED else ours)
        failed = {int(entry["Id"]): entry for entry in reply.get("Failed", [])}
        reasons = {i: f"{e.get('Code', '')}: {e.get('Message', '')}" for i, e in failed.items()}
        failures += [SendFailure(i, reasons[i]) for i, e in failed.items() if e.get("SenderFault")]
        pending = {i: pending[i] for i, e in failed.items() if not e.get("SenderFault")}
        if not pending:
            return Outcome(failures)
    failures += [SendFailure(index, reasons[index]) for index in pending]
    return Outcome(failures, QueueUnavailable(f"queue {url}: {reasons[next(iter(pending))]}"))


def _joined(outcomes: list[Outcome]) -> Outcome:
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    return Outcome([f for outcome in outcomes for f in outcome.failures], errors[0] if errors else None)


def _entry(index: int, message: OutgoingMessage) -> SendMessageBatchRequestEntryTypeDef:
    return {
        "Id": str(index),
        "MessageBody": message.body,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items()
        },
    }


def _size(message: OutgoingMessage) -> int:
    return len(message.body.encode("utf-8", "replace")) + sum(
        len(name.encode("utf-8", "replace")) + len("String") + len(value.encode("utf-8", "replace"))
        for name, value in message.attributes.items()
    )
