"""How fast the PostgreSQL queue is on a server of its own with fsync on.

Run: python bench/queue_postgres.py [--deep]    (--deep adds a million waiting messages)
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from bec_core.db import Database
from bec_core.models import OutgoingMessage, VolumeRef, encode_message
from bec_core.queues.postgres import PostgresQueue, create_postgres_queues
from support.services import postgres_server


def drain(queue: PostgresQueue, count: int) -> float:
    """Receive and delete so many messages one by one; how many a second."""
    started = time.perf_counter()
    for _ in range(count):
        (message,) = queue.receive(limit=1, wait_s=0, visibility_s=300)
        assert queue.delete(message)
    return count / (time.perf_counter() - started)


def drain_parallel(queue: PostgresQueue, workers: int, count: int) -> float:
    """The same with several threads, so many messages each."""
    started = time.perf_counter()
    threads = [threading.Thread(target=drain, args=(queue, count)) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return workers * count / (time.perf_counter() - started)


def idle_latency(queue: PostgresQueue) -> list[float]:
    """Milliseconds from the send's return to the waiting receiver's."""
    found = []
    for _ in range(40):
        got: list[float] = []

        def wait(got: list[float] = got) -> None:
            (message,) = queue.receive(limit=1, wait_s=10, visibility_s=300)
            got.append(time.perf_counter())
            queue.delete(message)

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.15)
        queue.send([OutgoingMessage("{}")])
        sent = time.perf_counter()
        thread.join()
        found.append((got[0] - sent) * 1000)
    return found


def main() -> None:
    """Print the figures."""
    with postgres_server() as server:
        database = Database(server.new_database("bench"), max_size=8)
        database.open()
        (queue, _), _ = create_postgres_queues(database, "bec_x_tasks", "bec_x_dlq")
        volumes = [encode_message(VolumeRef(f"W{n}", f"I{n}")) for n in range(40_000)]
        started = time.perf_counter()
        assert queue.send(volumes) == []
        print(f"40,000 sends: {time.perf_counter() - started:.2f} s")
        print(f"receive + delete, one worker: {drain(queue, 2000):.0f}/s")
        print(f"receive + delete, four workers: {drain_parallel(queue, 4, 1000):.0f}/s")
        if "--deep" in sys.argv:
            started = time.perf_counter()
            for _ in range(25):
                queue.send(volumes)
            print(f"1,000,000 more sends: {time.perf_counter() - started:.1f} s")
            for _ in range(5):
                print(f"receive + delete, one worker, a million waiting: {drain(queue, 2000):.0f}/s")
            started = time.perf_counter()
            print(f"stats: {queue.stats()} in {time.perf_counter() - started:.2f} s")
            started = time.perf_counter()
        queue.purge()
        latencies = idle_latency(queue)
        print(
            f"idle receiver woken after: median {statistics.median(latencies):.1f} ms, worst {max(latencies):.1f} ms"
        )
        database.close()


if __name__ == "__main__":
    main()
