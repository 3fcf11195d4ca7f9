"""What our side of a call of S3 and of SQS costs: processor time a call, against moto's server in another process."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attrs import frozen

from bec_core.models import VolumeRef, encode_message
from bec_core.queues import SqsOptions, create_queues
from bec_core.storage import S3Options, open_store
from measuring.machine import load

START_S = 60.0
"""So long moto's server may take to start."""


@frozen
class Calls:
    """Processor time of our side, milliseconds: a GET of so many bytes, a call of SQS; and the machine's load."""

    get_ms: float
    sqs_ms: float
    page_bytes: int
    calls: int
    load: float


def _serve(port: multiprocessing.connection.Connection) -> None:
    from support.services import moto_server

    with moto_server() as url:
        port.send(url)
        port.recv()


@contextmanager
def moto(
    serve: Callable[[multiprocessing.connection.Connection], None] = _serve, start_s: float = START_S
) -> Iterator[str]:
    """The URL of moto's server in a process of its own, whose processor time is not ours.

    Raises:
        SystemExit: it ended, or said nothing in time.
    """
    spawn = multiprocessing.get_context("spawn")
    mine, theirs = spawn.Pipe()
    server = spawn.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    theirs.close()  # ours of it: else its end would not be told
    try:
        try:
            url = mine.recv() if mine.poll(start_s) else None
        except EOFError:
            url = None
        if url is None:
            raise SystemExit("moto's server did not start: S3 and SQS can't be measured (pip install moto)")
        yield str(url)
        mine.send(None)
        server.join(10)
    finally:
        server.terminate()
        server.join()
        mine.close()


def measure_calls(page_bytes: int, calls: int = 200) -> Calls:
    """Measure so many GETs of so many bytes, and a quarter as many calls of SQS (receive and delete in turn)."""
    os.environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench")
    with moto() as url:
        import boto3

        boto3.client("s3", endpoint_url=url, region_name="us-east-1").create_bucket(Bucket="bench")
        store = open_store("s3://bench/", s3=S3Options(region="us-east-1", endpoint_url=url))
        store.put("page.jpg", os.urandom(page_bytes))
        get = _each(calls, lambda: store.get("page.jpg"))
        queue = create_queues("bench", "sqs", sqs=SqsOptions(region="us-east-1", endpoint_url=url)).tasks
        turns = max(1, calls // 8)
        queue.send([encode_message(VolumeRef("W1", f"I{n}")) for n in range(2 * turns)])

        def receive_and_delete() -> None:
            for message in queue.receive(limit=1, wait_s=0.0, visibility_s=600.0):
                queue.delete(message)

        sqs = _each(turns, receive_and_delete) / 2
    return Calls(get, sqs, page_bytes, calls, load())


def _each(calls: int, call: Callable[[], object]) -> float:
    call()
    began = time.process_time()
    for _ in range(calls):
        call()
    return 1000 * (time.process_time() - began) / calls
