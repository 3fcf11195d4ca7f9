"""Numbered migrations: the files, where a database stands with them, and bringing it further.

A file is ``0002_name.before.sql``: *before* migrations are applied while the old code still runs, *after* ones when
none of it does. Its head says so, with the oldest code that can work beside it. The level of a code is the number of
the newest migration that it carries. ``schema.sql`` is what all of them come to; a test compares the two.
"""

from bec_core.db.migrations.files import Migration, Phase, carried, level, needs
from bec_core.db.migrations.runner import chosen, upgrade
from bec_core.db.migrations.standing import Applied, Standing, look

__all__ = [
    "Applied",
    "Migration",
    "Phase",
    "Standing",
    "carried",
    "chosen",
    "level",
    "look",
    "needs",
    "upgrade",
]
