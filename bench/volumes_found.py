"""How long a job's volumes take to be found: 60,000 volumes, 1,020,000 tasks (17 versions of each), real PostgreSQL.

Fills a database of its own by plain SQL (the trigger keeps the standing results), then times what a page asks and
prints the slowest one's plan.

Run: python bench/volumes_found.py [--volumes 60000] [--versions 17]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import psutil
import psycopg

from bec_core.db import Database, jobs
from bec_core.db.reads import volume_search
from bec_core.db.reads.volume_search import Condition
from support.services import postgres_server

_TIMES = 15

_FILL = """
    INSERT INTO task_executions (job_id, volume_id, s3_etag, version, status, started_at, done_at, total_images,
                                 nb_errors, artifacts, metrics, stage_ms, recipe)
    SELECT %(job)s, v.id, decode(md5(v.id || ':' || %(version)s), 'hex'), 'v' || %(version)s, 'done',
           now() - make_interval(days => 100 - %(version)s), now() - make_interval(days => 100 - %(version)s), 300, 0,
           jsonb_build_object('x.parquet', md5(v.id || ':' || %(version)s)),
           jsonb_build_object('verdict', v.id %% 3, 'suspicious', v.id %% 41, 'lines_a_page', (v.id %% 97) / 7.0,
                              'blank', v.id %% 13, 'pages', 300, 'lines', 1800, 'confidence', (v.id %% 1000) / 1000.0),
           '{"fetch": 1234.5, "detect": 234567.8}', md5('recipe')
    FROM volumes v
"""

ASKED = {
    "the first page": {},
    "the last page": {"offset": 59_950},
    "the worst first": {"by": "suspicious", "descending": True},
    "bad ones, least sure first": {"by": "confidence", "conditions": [Condition("verdict", 2)]},
    "three figures, none fits": {
        "conditions": [Condition("verdict", 2), Condition("lines_a_page", 13), Condition("confidence", 2)]
    },
    "by the beginning of an id": {"text": "W12", "by": "lines_a_page"},
    "waiting ones": {"states": ["waiting"]},
    "a title's works": {"text": "zzz", "works": [f"W{n}" for n in range(0, 60_000, 7)]},
}


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--volumes", type=int, default=60_000)
    parser.add_argument("--versions", type=int, default=17)
    options = parser.parse_args()
    with postgres_server() as server:
        place = server.new_database("found")
        database = Database(place, max_size=2)
        database.open()
        with database.connection() as connection:
            job = jobs.create(connection, name="ldv1", job_type="ldv1", config={}, queue_url="q", dlq_url="d")
            connection.execute(
                "INSERT INTO volumes (bdrc_w_id, bdrc_i_id, nb_images) SELECT 'W' || n / 5, 'I' || n, 300"
                " FROM generate_series(1, %s) n",
                (options.volumes,),
            )
            connection.execute(
                "INSERT INTO ledger (job_id, volume_id, source, state) SELECT %s, id, 'bdrc',"
                " CASE WHEN id %% 100 = 0 THEN 'waiting' ELSE 'done' END FROM volumes",
                (job.id,),
            )
        began = time.monotonic()
        with psycopg.connect(place, autocommit=True) as filler:  # without the pool's deadlines
            for version in range(options.versions):
                filler.execute(_FILL, {"job": job.id, "version": version})
                filler.execute(
                    "VACUUM ANALYZE"
                )  # as autovacuum does between one run over a library and the next
                print(f"version {version}: {time.monotonic() - began:.0f} s", file=sys.stderr)
        print(f"{options.volumes * options.versions} tasks were written in {time.monotonic() - began:.0f} s")
        with database.connection() as connection:
            connection.execute("ANALYZE")
        worst, worst_s = "", 0.0
        for name, how in ASKED.items():
            times, spent = [], []
            for _ in range(_TIMES):
                began = time.monotonic()
                with database.reading() as connection:
                    server_process = psutil.Process(connection.info.backend_pid)
                    before = sum(server_process.cpu_times()[:2])
                    found, total = volume_search.search(connection, job.id, **{"limit": 50, **how})  # type: ignore[arg-type]
                    spent.append(sum(server_process.cpu_times()[:2]) - before)
                times.append(time.monotonic() - began)
            middle = statistics.median(times)
            cpu = statistics.mean(spent) * 1000
            print(
                f"{middle * 1000:5.0f} ms (most {max(times) * 1000:.0f}), CPU of the server {cpu:4.0f} ms  "
                f"{len(found):3} of {total:6}  {name}"
            )
            if middle > worst_s:
                worst, worst_s = name, middle
        print(f"\n{worst}:")
        with database.reading() as connection:
            explained: list[str] = []
            execute = connection.execute

            def explain(sql: object, values: object = None, **how: object) -> object:
                explained.extend(row[0] for row in execute(f"EXPLAIN (ANALYZE, BUFFERS) {sql}", values))  # type: ignore[arg-type,call-overload]
                return execute(sql, values)  # type: ignore[arg-type,call-overload]

            connection.execute = explain  # type: ignore[method-assign,assignment]
            volume_search.search(connection, job.id, **{"limit": 50, **ASKED[worst]})  # type: ignore[arg-type]
        print("\n".join(line[:160] for line in explained))
        database.close()


if __name__ == "__main__":
    main()
