"""A right that is missing is named with what to grant."""

from __future__ import annotations

import psycopg
import pytest
from botocore.exceptions import ClientError

from bec_core.db import Database
from bec_core.errors import DatabaseUnavailable, StorageError
from bec_core.queues.sqs_client import our_error
from bec_core.storage import open_store
from support.bad_network import Fault


@pytest.mark.parametrize(
    ("right", "call"),
    [
        ("s3:GetObject", lambda store: store.get("k")),
        ("s3:GetObject", lambda store: store.head("k")),
        ("s3:ListBucket", lambda store: store.list("k")),
        ("s3:PutObject", lambda store: store.put("k", b"x")),
        ("s3:PutObject", lambda store: store.put_new("k", b"x")),
        ("s3:DeleteObject", lambda store: store.delete("k")),
    ],
)
def test_what_s3_refuses_is_named(bucket, proxy, impatient, right, call):
    proxy.fail(Fault("status", status=403, code="AccessDenied"), times=9)
    with pytest.raises(StorageError, match=f"grant {right}"):
        call(open_store(f"s3://{bucket}", s3=impatient))


def test_what_sqs_refuses_is_named():
    error = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "SendMessageBatch")
    assert "grant sqs:SendMessage on it" in str(our_error("https://q", error))


def test_what_postgresql_refuses_is_named(database):
    with database.connection() as connection:
        connection.execute(
            "DO $$ BEGIN CREATE ROLE poor LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
    poor = Database(psycopg.conninfo.make_conninfo(database._conninfo, user="poor"))
    poor.open()
    try:
        with (
            pytest.raises(DatabaseUnavailable, match=r'GRANT SELECT.* ON jobs TO "poor"'),
            poor.connection() as c,
        ):
            c.execute("SELECT * FROM jobs")
    finally:
        poor.close()
