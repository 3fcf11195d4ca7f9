#!/usr/bin/env python3
"""What a short transaction costs for each purpose: 2,000 of one ``SELECT 1`` each, the best of five runs.

python bench/transactions.py
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from bec_core.db import Database, Purpose
from support.services import postgres_server

_TRANSACTIONS = 2000


def main() -> None:
    """Measure and print."""
    with postgres_server() as server:
        database = Database(server.dsn())
        database.open()
        for purpose in Purpose:
            best = min(_run(database, purpose) for _ in range(5))
            print(f"{purpose:10} {1e6 * best / _TRANSACTIONS:5.0f} µs")
        database.close()


def _run(database: Database, purpose: Purpose) -> float:
    began = time.perf_counter()
    for _ in range(_TRANSACTIONS):
        with database.connection(purpose) as connection:
            connection.execute("SELECT 1").fetchone()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
