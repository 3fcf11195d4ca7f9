"""What :mod:`bec_core.db.embedded.waiting` becomes when it has waited long enough: stop the server if nobody uses it.

    python -m bec_core.db.embedded.ending LOCK ROOT IDLE_S TOUCHED

TOUCHED is when the lock file was last touched as the waiting process saw it, in nanoseconds; 0: it was told to end
the server whenever that was. Somebody may have come and left since: then it waits again.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from loguru import logger

from bec_core.db.embedded.accounts import server_account
from bec_core.db.embedded.cluster import Cluster
from bec_core.db.embedded.server import EmbeddedServer
from bec_core.db.embedded.standby import Standby


def main() -> None:
    """Look, alone, whether the server is still idle, and stop it or wait again."""
    logger.remove()  # nobody reads it
    lock, root, idle_s, touched = int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    if not root.is_dir():
        return
    account = server_account(root)
    server = EmbeddedServer(Cluster(root), account)

    def is_due() -> bool:
        return touched in (0, os.fstat(lock).st_mtime_ns)

    if not server.stop_unused(is_due, last=lambda: os.close(lock)):
        Standby(account, root).become(lock, idle_s)


if __name__ == "__main__":
    main()
