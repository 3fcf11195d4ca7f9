"""Whether a database's schema fits this code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loguru import logger

from bec_core.db.migrations import Phase, look, upgrade
from bec_core.db.migrations.standing import maybe_old_workers, used_by_others
from bec_core.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


def require(connection: Connection) -> None:
    """Refuse a database that lacks what this code needs, or excludes this code; only reads.

    A newer schema that this code can work with is as good as its own.

    Raises:
        DatabaseUnavailable: saying why, and what to run.
    """
    if unfit := look(connection).unfit:
        raise DatabaseUnavailable(unfit)


def ensure(connection: Connection) -> None:
    """Bring the embedded database up to date: nobody but this machine's user is there to do it.

    What goes before the code is done at once, beside whoever uses the database. What goes after it waits for a moment
    when nobody else is connected, for that may be a process that was started before BEC was upgraded.

    Raises:
        DatabaseUnavailable: a newer BEC has left this one behind.
    """
    standing = look(connection)
    if standing.excluded:
        raise DatabaseUnavailable(standing.excluded)
    if standing.pending(Phase.BEFORE):
        step = logger.debug if standing.bare else logger.info
        upgrade(connection, None, step=step, waiting=logger.warning)
        standing = look(connection)
    if standing.pending(Phase.AFTER) and not (used_by_others(connection) or maybe_old_workers(connection)):
        upgrade(connection, Phase.AFTER, step=logger.info, waiting=logger.warning)
