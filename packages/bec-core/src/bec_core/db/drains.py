"""What a row says of a task that was handed back because its worker stopped: that is no failure of anything."""

from __future__ import annotations

from bec_core.errors import ShutdownRequested

_DRAIN = ShutdownRequested.__name__

NO_DRAIN = f"(t.status = 'terminal_failed' OR coalesce(t.error_type, '{_DRAIN}') <> '{_DRAIN}')"
"""SQL over a failed row ``t`` of ``task_executions``: it tells of a failure; a drain names itself or no error."""
