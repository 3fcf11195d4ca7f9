"""How fast the client side of SQS sends, against a server that answers every call after 10 ms.

Run: python bench/queue_sqs.py [COUNT]
"""

from __future__ import annotations

import asyncio
import multiprocessing
import multiprocessing.connection
import os
import sys
import time

from bec_core.models import VolumeRef, encode_message
from bec_core.queues import SqsOptions, open_queue


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    body = b'{"Successful": [], "Failed": []}'
    reply = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n"
        % len(body)
    )
    while head := await reader.readuntil(b"\r\n\r\n"):
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        await reader.readexactly(length)
        await asyncio.sleep(0.01)
        writer.write(reply + body)


def _serve(port: multiprocessing.connection.Connection) -> None:
    async def run() -> None:
        server = await asyncio.start_server(_answer, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def main() -> None:
    """Print the seconds for COUNT (default 40,000) sends."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40_000
    os.environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench")
    mine, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    queue = open_queue(f"http://127.0.0.1:{mine.recv()}/1/bec_x_tasks", sqs=SqsOptions(region="us-east-1"))
    messages = [encode_message(VolumeRef(f"W{n}", f"I{n}")) for n in range(count)]
    started = time.perf_counter()
    failures = queue.send(messages)
    seconds = time.perf_counter() - started
    print(f"{count:,} sends: {seconds:.1f} s ({count / seconds:,.0f}/s), {len(failures)} failed")
    server.terminate()


if __name__ == "__main__":
    main()
