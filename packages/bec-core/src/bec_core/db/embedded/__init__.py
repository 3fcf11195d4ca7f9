"""The PostgreSQL server that bec brings along: ``with embedded_server(home) as server: ...``."""

from bec_core.db.embedded.server import EmbeddedServer, embedded_server, stop_idle_server
from bec_core.db.embedded.standby import idle_s

__all__ = ["EmbeddedServer", "embedded_server", "idle_s", "stop_idle_server"]
