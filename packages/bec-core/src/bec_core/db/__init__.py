"""PostgreSQL: the connection pool, the embedded server, the schema, and one module of plain SQL per table group.

Nothing outside this package holds SQL (``queues/postgres.py`` calls :mod:`bec_core.db.queue_messages`).
"""

from bec_core.db.pool import Database, open_database

__all__ = ["Database", "open_database"]
