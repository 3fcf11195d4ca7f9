"""SQS's own task that moves every message of a dead-letter queue."""

from __future__ import annotations

from typing import Any

from bec_core.errors import SettingsError
from bec_core.queues.sqs_client import SqsOptions, call, sqs_client


def start_move_task(
    options: SqsOptions, source_url: str, dest_url: str, *, per_second: int | None = None, client: Any = None
) -> str:
    """Start ``StartMessageMoveTask``; returns its handle.

    Args:
        per_second: at most so many messages a second (SQS: 1 to 500, its default is its own choice).
        client: an SQS client, in place of one made of ``options``.

    Raises:
        SettingsError: a URL is not SQS's.
        QueueUnavailable: SQS refused; it moves only out of a queue that is some queue's dead-letter queue.
    """
    for url in (source_url, dest_url):
        if not url.startswith(("http://", "https://")):
            raise SettingsError(f"{url!r} is not an SQS queue: leave --move-task out")
    made = client or sqs_client(options, queue_url=source_url)
    arguments: dict[str, Any] = {
        "SourceArn": _arn(made, source_url),
        "DestinationArn": _arn(made, dest_url),
    }
    if per_second is not None:
        arguments["MaxNumberOfMessagesPerSecond"] = per_second
    return str(call(source_url, lambda: made.start_message_move_task(**arguments))["TaskHandle"])


def _arn(client: Any, url: str) -> str:
    reply = call(url, lambda: client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"]))
    return str(reply["Attributes"]["QueueArn"])
