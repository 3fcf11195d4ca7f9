"""The PostgreSQL server that bec brings along: ``with embedded_server(home) as server: ...``."""

from bec_core.db.embedded.server import EmbeddedServer, embedded_server

__all__ = ["EmbeddedServer", "embedded_server"]
