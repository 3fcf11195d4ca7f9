"""Reaching SQS: the client, and its errors turned into ours."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from attrs import frozen

from bec_core.errors import BecError, NotFoundError, QueueUnavailable, SettingsError

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

T = TypeVar("T")

LONG_POLL_S = 20
"""How long one receive call may wait at most."""

DELIVERY_OVER = frozenset({"MessageNotInflight", "ReceiptHandleIsInvalid", "InvalidParameterValue"})
"""What SQS answers when the receipt of a delivery is no longer (or never was) good."""

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AccessDeniedByPolicy"})
_MISSING = frozenset({"NonExistentQueue", "QueueDoesNotExist"})


@frozen
class SqsOptions:
    """How to reach SQS; times in seconds.

    Throttled and failed calls are repeated by botocore's standard mode, ``max_attempts`` times in all.
    ``parallel`` batches are sent at once.
    """

    region: str | None = None
    endpoint_url: str | None = None
    connect_timeout_s: float = 5.0
    read_timeout_s: float = LONG_POLL_S + 15.0
    max_attempts: int = 6
    parallel: int = 16


class SqsClients:
    """The clients of one process, one for each region and endpoint, shared by all queues there (and threads)."""

    def __init__(self, options: SqsOptions) -> None:
        self.options = options
        self._clients: dict[tuple[str | None, str | None], SQSClient] = {}
        self._lock = threading.Lock()

    def of(self, queue_url: str) -> SQSClient:
        """The client for this queue."""
        where = _region_and_endpoint(self.options, queue_url)
        with self._lock:
            if where not in self._clients:
                self._clients[where] = sqs_client(self.options, queue_url=queue_url)
            return self._clients[where]

    def close(self) -> None:
        """Close the connections of all."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()


def _region_and_endpoint(options: SqsOptions, queue_url: str | None) -> tuple[str | None, str | None]:
    region, endpoint = options.region, options.endpoint_url
    if queue_url:
        parts = urlsplit(queue_url)
        labels = (parts.hostname or "").split(".")
        if "amazonaws" in labels[-3:]:
            region = region or (labels[1] if labels[0] == "sqs" else labels[0])
        else:
            endpoint = endpoint or f"{parts.scheme}://{parts.netloc}"
    return region, endpoint


def sqs_client(options: SqsOptions, *, queue_url: str | None = None) -> SQSClient:
    """A client (thread-safe) for ``queue_url``, whose host tells region and endpoint where options don't.

    Raises:
        SettingsError: no region is known, or the endpoint is no URL.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    region, endpoint = _region_and_endpoint(options, queue_url)
    config = Config(
        connect_timeout=options.connect_timeout_s,
        read_timeout=options.read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": options.max_attempts},
        max_pool_connections=options.parallel + 4,
        parameter_validation=False,  # a fifth of what a call costs; SQS checks them itself
    )
    try:
        # a session of our own: boto3's default one must not be used from several threads
        return boto3.Session().client("sqs", region_name=region, endpoint_url=endpoint, config=config)
    except (BotoCoreError, ValueError) as error:
        raise SettingsError(f"SQS can't be used: {error} (BEC_REGION, AWS_ENDPOINT_URL)") from error


def call(url: str, request: Callable[[], T]) -> T:
    """Make one request about the queue ``url``.

    Raises:
        NotFoundError: there is no such queue.
        QueueUnavailable: anything else that went wrong.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return request()
    except (ClientError, BotoCoreError) as error:
        raise our_error(url, error) from error


def still_ours(url: str, request: Callable[[], object]) -> bool:
    """Make one request about a delivery; False if that delivery is over."""
    from botocore.exceptions import ClientError

    try:
        call(url, request)
    except QueueUnavailable as error:
        if isinstance(error.__cause__, ClientError) and error_code(error.__cause__) in DELIVERY_OVER:
            return False
        raise
    return True


def our_error(url: str, error: Exception) -> BecError:
    """The error of ours that says what ``error`` of botocore's says."""
    if error_code(error) in _MISSING:
        return NotFoundError(f"there is no queue {url}")
    if error_code(error) in _DENIED:
        action = f"sqs:{getattr(error, 'operation_name', '')}".replace("Batch", "")
        return QueueUnavailable(f"queue {url}: access denied: grant {action} on it (docs/iam): {error}")
    return QueueUnavailable(f"queue {url}: {error}")


def error_code(error: Exception) -> str:
    """SQS's code for the error, without the old ``AWS.SimpleQueueService.`` before it; or empty."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", "")).rpartition(".")[2]
