"""SQL over ``volumes``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bec_core.models import Volume, VolumeRef

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


def upsert_ref(connection: Connection, ref: VolumeRef) -> int:
    """The id of a volume of which nothing but its name is known."""
    return upsert_refs(connection, [ref])[0]


def upsert_refs(connection: Connection, refs: Sequence[VolumeRef]) -> list[int]:
    """The ids of these volumes in the order given, creating those that are new. All must differ."""
    rows = connection.execute(
        """
        WITH asked AS (
            SELECT w, i, n FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS a (w, i, n)
        ), made AS (
            INSERT INTO volumes (bdrc_w_id, bdrc_i_id) SELECT w, i FROM asked ORDER BY w, i
            ON CONFLICT (bdrc_w_id, bdrc_i_id) DO UPDATE SET bdrc_w_id = excluded.bdrc_w_id
            RETURNING id, bdrc_w_id, bdrc_i_id
        )
        SELECT made.id FROM asked JOIN made ON (made.bdrc_w_id, made.bdrc_i_id) = (asked.w, asked.i) ORDER BY n
        """,
        ([ref.db_w_id for ref in refs], [ref.i_id for ref in refs]),
    ).fetchall()
    return [row[0] for row in rows]


def upsert(connection: Connection, volume: Volume) -> int:
    """The volume's id, with its row brought to the version at hand."""
    row = connection.execute(
        """
        INSERT INTO volumes AS v (bdrc_w_id, bdrc_i_id, last_s3_etag, last_modified_at, nb_images)
        VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (bdrc_w_id, bdrc_i_id) DO UPDATE SET
            last_s3_etag = excluded.last_s3_etag,
            last_modified_at = excluded.last_modified_at,
            nb_images = excluded.nb_images
        RETURNING id
        """,
        (volume.ref.db_w_id, volume.ref.i_id, volume.etag, volume.last_modified, len(volume.pages)),
    ).fetchone()
    assert row is not None
    return int(row[0])
