"""``bec db``: preparing, upgrading and looking."""

import uuid

import psycopg
import pytest

from bec_core.db.migrations.files import carried
from support.cli import use_postgres
from support.old_worker import OldWorker, old_init
from support.schemas import ALL, NEEDED, NEWEST, PRODUCTION, assert_same, claim_newer, job


@pytest.fixture
def connection(postgres, bec, monkeypatch):
    """A connection to the empty database that ``bec`` uses."""
    name = f"c_{uuid.uuid4().hex}"
    dsn = postgres.empty_database(name)
    use_postgres(monkeypatch, postgres, name)
    with psycopg.connect(dsn, autocommit=True) as made:
        yield made


def states(bec):
    return [(m["version"], m["state"]) for m in bec.ok("db", "status", "--json").json["migrations"]]


@pytest.mark.parametrize("first", ["", PRODUCTION])
def test_init_gives_everything_to_a_database_that_no_bec_prepared(bec, connection, postgres, first):
    connection.execute(first.encode())
    assert "run: bec db init" in bec("jobs", "list").err
    tried = bec.ok("db", "init", "--dry-run")
    assert "Would create the tables" in tried.out
    assert "0005_schema_state" in tried.out
    assert connection.execute("SELECT to_regclass('schema_migrations')").fetchone() == (None,)
    assert "has this version's schema" in bec.ok("db", "init").err
    again = bec.ok("db", "init")
    assert "has this version's schema" in again.err
    assert "0001" not in again.err
    bec.ok("jobs", "list")
    with psycopg.connect(postgres.new_database(f"c_{uuid.uuid4().hex}")) as other:
        assert_same(other, connection)


def test_a_fleet_is_upgraded_before_code_after(bec, connection):
    old_init(connection)
    worker = OldWorker(connection, job(connection))
    refused = bec("jobs", "list")
    assert refused.code == 5
    assert "run: bec db upgrade" in refused.err
    assert states(bec) == [(n, "pending") for n in ALL]
    first = bec("db", "upgrade", "--phase", "after")
    assert first.code == 4
    assert "first: bec db upgrade --phase before" in first.err
    tried = bec.ok("db", "upgrade", "--dry-run")
    assert "0003_running_tasks_by_worker" in tried.out
    assert "0004" not in tried.out
    assert states(bec)[0] == (1, "pending")

    done = bec.ok("db", "upgrade")
    assert "0002_requests_and_recipes: Room for" in done.err
    assert "has all that this version needs" in done.err
    assert "3 migrations for when no worker of an older version runs any more" in done.err
    bec.ok("jobs", "list")  # the new code
    OldWorker(connection, job(connection)).stop()  # the old code, started again
    assert "bec db upgrade --phase after" in bec.ok("db", "status").err

    beside = bec("db", "upgrade", "--phase", "after")
    assert beside.code == 4
    assert f"{worker.id} (old-host)" in beside.err
    worker.stop()
    assert "has this version's schema" in bec.ok("db", "upgrade", "--phase", "after").err
    assert states(bec) == [(n, "applied") for n in ALL]
    assert "has this version's schema" in bec.ok("db", "upgrade").err


def test_status_says_who_did_what_and_changes_nothing(bec, connection):
    connection.execute(NEWEST.encode())
    claim_newer(connection)
    shown = bec.ok("db", "status")
    assert "requests_and_recipes" in shown.out
    assert "newer" in shown.out
    assert "✓ This version can work with it" in shown.err
    found = bec.ok("db", "status", "--json").json
    assert found["code_level"] == ALL[-1]
    assert found["unfit"] is None
    assert found["broken_indexes"] == []
    assert found["migrations"][0]["by"] == "schema.sql"
    assert found["migrations"][0]["applied_at"]
    connection.execute("UPDATE schema_migrations SET oldest_code = 90 WHERE version = 99")
    assert "✗ this BEC is too old for the database: 0099_later" in bec.ok("db", "status").err
    assert bec("jobs", "list").code == 5
    assert bec("db", "upgrade").code == 4


def test_a_worker_on_an_older_schema_ends_before_it_touches_a_volume(bec, connection):
    old_init(connection)
    number = job(connection)
    connection.execute(
        "UPDATE jobs SET type = 'checksum', queue_url = 'postgres:///q', dlq_url = 'postgres:///d'"
    )
    connection.execute("INSERT INTO queues (name) VALUES ('q'), ('d')")
    connection.execute(
        'INSERT INTO queue_messages (queue_id, body) VALUES (1, \'{"w_id": "W1", "i_id": "I1"}\')'
    )
    ended = bec("worker", "--job-name", str(number))
    assert ended.code == 5
    assert f"lacks {', '.join(one.label for one in NEEDED)}; run: bec db upgrade" in ended.err
    assert connection.execute("SELECT queue_id, receive_count FROM queue_messages").fetchall() == [(1, 0)]


def test_roles_of_workers_that_need_rights_on_new_tables_are_named_with_the_grant(bec, connection):
    role = f"worker_{uuid.uuid4().hex[:8]}"
    connection.execute(f"CREATE ROLE {role}; CREATE ROLE reads_{role}")
    old_init(connection)
    connection.execute(f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}")
    connection.execute(f"GRANT SELECT ON task_executions TO reads_{role}")  # a dashboard's needs no more
    upgraded = bec.ok("db", "upgrade").err
    grants = bec.ok("db", "status", "--json").json["missing_grants"]
    new = {table for one in carried() if one.version > 1 for table in one.tables} - {"schema_migrations"}
    assert {"job_inputs", "job_recipes", "feeders"} <= new
    assert sorted(grants) == [
        *(f"GRANT INSERT, SELECT, UPDATE ON {table} TO {role}" for table in sorted(new)),
        f"GRANT SELECT ON schema_migrations TO {role}",
    ]
    assert "; ".join(grants) in upgraded
    connection.execute(";".join(grants))
    assert bec.ok("db", "status", "--json").json["missing_grants"] == []


def test_a_wrong_phase_is_a_wrong_call(bec):
    assert bec("db", "upgrade", "--phase", "during").code == 2
