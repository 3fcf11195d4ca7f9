"""PostgreSQL: the connection pool, the embedded server, the schema, and one module of plain SQL per table group.

Nothing outside this package holds SQL (``queues/postgres.py`` calls :mod:`bec_core.db.queue_messages`).
"""

import psycopg
from psycopg.types.numeric import FloatLoader

from bec_core.db.deadlines import Purpose
from bec_core.db.pool import Database, open_database

# What PostgreSQL adds up in numeric (a sum of sums) is a plain number to everybody here: Decimal and float don't mix.
psycopg.adapters.register_loader("numeric", FloatLoader)

__all__ = ["Database", "Purpose", "open_database"]
