"""What our side of a call of S3 and of SQS costs: processor time a call, against moto's server in another process."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bec_core.models import VolumeRef, encode_message
from bec_core.queues import SqsOptions, create_queues
from bec_core.storage import S3Options, open_store

PAGE_BYTES = 400_000
"""Of the objects that are read: about a page's image."""


def _serve(port: multiprocessing.connection.Connection) -> None:
    from support.services import moto_server

    with moto_server() as url:
        port.send(url)
        port.recv()


@contextmanager
def _moto() -> Iterator[str]:
    spawn = multiprocessing.get_context("spawn")
    mine, theirs = spawn.Pipe()
    server = spawn.Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    try:
        yield mine.recv()
    finally:
        mine.send(None)
        server.join(10)
        server.terminate()


def cpu_ms(calls: int = 200) -> dict[str, float]:
    """Processor time of this process a call, milliseconds: an S3 GET of a page, and an SQS call."""
    os.environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench")
    with _moto() as url:
        import boto3

        boto3.client("s3", endpoint_url=url, region_name="us-east-1").create_bucket(Bucket="bench")
        store = open_store("s3://bench/", s3=S3Options(region="us-east-1", endpoint_url=url))
        store.put("page.jpg", os.urandom(PAGE_BYTES))
        get = _each(calls, lambda: store.get("page.jpg"))
        queue = create_queues("bench", "sqs", sqs=SqsOptions(region="us-east-1", endpoint_url=url)).tasks
        queue.send([encode_message(VolumeRef("W1", f"I{n}")) for n in range(calls // 4)])

        def receive_and_delete() -> None:
            for message in queue.receive(limit=1, wait_s=0.0, visibility_s=600.0):
                queue.delete(message)

        sqs = _each(calls // 8, receive_and_delete) / 2
    return {"S3 GET": get, "SQS call": sqs}


def _each(calls: int, call: Callable[[], object]) -> float:
    call()
    began = time.process_time()
    for _ in range(calls):
        call()
    return 1000 * (time.process_time() - began) / calls
