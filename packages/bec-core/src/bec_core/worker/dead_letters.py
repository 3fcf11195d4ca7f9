"""A message as it goes into the dead-letter queue: what it asked for, and why it was set aside."""

from __future__ import annotations

from datetime import UTC, datetime

from bec_core.db.tasks import Failure
from bec_core.errors import InvalidMessage
from bec_core.models import MESSAGE_KEYS, Message, OutgoingMessage, decode_message, encode_message
from bec_core.worker.failures import clean

_MOST_ATTRIBUTES = 10  # SQS refuses more
_BODY_BYTES = 200_000  # SQS refuses 256 KiB with the attributes
_REASON_LENGTH = 500
_ATTRIBUTE_LENGTH = 2000


def letter(message: Message, why: Failure) -> OutgoingMessage:
    """The message with the reason in its attributes, within what SQS accepts.

    Of the sender's own attributes those that name the volume come first; others are dropped when there
    are too many. A body that leaves no room for the reason is replaced by a plain one that names the same
    volume, or cut if it names none.
    """
    attributes = {
        "error_stage": why.stage,
        "error_type": why.error_type,
        "error_message": clean(why.message[:_REASON_LENGTH]),
        "error_fingerprint": why.fingerprint,
        "failed_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    theirs = sorted(message.attributes, key=lambda name: name not in MESSAGE_KEYS)
    for name in theirs:
        if len(attributes) < _MOST_ATTRIBUTES:
            attributes.setdefault(name, clean(message.attributes[name][:_ATTRIBUTE_LENGTH]))
    return OutgoingMessage(_body(message), attributes)


def _body(message: Message) -> str:
    data = message.body.encode("utf-8", "replace")
    if len(data) <= _BODY_BYTES:
        return message.body
    try:
        return encode_message(decode_message(message)).body
    except InvalidMessage:
        return data[:_BODY_BYTES].decode("utf-8", "ignore")
