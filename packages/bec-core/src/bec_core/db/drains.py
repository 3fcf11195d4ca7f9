"""What a row says of a task that was handed back because its worker stopped: that is no failure of anything."""

from __future__ import annotations

from bec_core.errors import ShutdownRequested

NO_DRAIN = f"error_type IS DISTINCT FROM '{ShutdownRequested.__name__}'"
"""SQL over ``task_executions``: the row tells of a failure, not of a drain."""
