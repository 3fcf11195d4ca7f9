"""SQL for looking at the server itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class Server:
    """Its version, and how many connections of how many are in use."""

    version: str
    connections: int
    most: int


def about(connection: Connection) -> Server:
    """The server behind this connection."""
    row = connection.execute(
        "SELECT split_part(current_setting('server_version'), ' ', 1),"
        " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),"
        " current_setting('max_connections')::int"
    ).fetchone()
    assert row is not None
    return Server(*row)
