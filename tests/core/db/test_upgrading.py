"""An upgrade: alone, gone on with where it was cut off, never silent; and which code may work with which database."""

import re
import threading
import time
import uuid

import psycopg
import pytest

from bec_core.db import migrations, schema
from bec_core.db.migrations import Phase, carried, look, runner, upgrade
from bec_core.db.migrations.files import tracking_sql
from bec_core.db.migrations.standing import broken_indexes
from bec_core.errors import ConflictError, DatabaseUnavailable
from support.old_worker import old_init
from support.schemas import (
    BEFORE,
    NEEDED,
    NEWEST,
    PRODUCTION,
    assert_same,
    break_index,
    claim_newer,
    job,
    migrate,
    quiet,
    versions,
    volume,
)


def test_an_index_that_an_interrupted_build_left_is_built_again(new):
    connection = new()
    migrate(connection, 1, 2)
    row = (job(connection), volume(connection, "v"))
    connection.execute(
        "INSERT INTO task_executions (job_id, volume_id, s3_etag, status) VALUES (%s, %s, %s, 'running')",
        (*row, bytes(16)),
    )
    break_index(connection)
    assert broken_indexes(connection) == ["task_executions_running"]
    upgrade(connection, None, step=quiet, waiting=quiet)
    assert broken_indexes(connection) == []
    upgrade(connection, Phase.AFTER, step=quiet, waiting=quiet)
    assert_same(new(NEWEST), connection)


def test_a_broken_index_is_found_and_rebuilt_whatever_the_version_says(new):
    connection = new(NEWEST, "DROP INDEX task_executions_running")
    break_index(connection)
    said = []
    assert upgrade(connection, None, step=said.append, waiting=quiet) == ["task_executions_running"]
    assert "interrupted build" in said[0]
    assert_same(new(NEWEST), connection)


def test_schema_sql_builds_a_broken_index_again(new):
    connection = new(NEWEST, "DROP INDEX task_executions_running")
    break_index(connection)
    connection.execute(NEWEST.encode())
    assert_same(new(NEWEST), connection)


def test_an_upgrade_that_was_cut_off_goes_on_where_it_was(new, monkeypatch):
    connection = new()
    old_init(connection)
    connection.execute(
        "CREATE VIEW job_recipes AS SELECT 1 AS one; ALTER TABLE jobs RENAME TO j; CREATE VIEW jobs AS TABLE j"
    )
    with pytest.raises(DatabaseUnavailable, match="the upgrade failed"):
        upgrade(connection, None, step=quiet, waiting=quiet)
    connection.execute("DROP VIEW job_recipes, jobs; ALTER TABLE j RENAME TO jobs")
    assert versions(connection) in ([], [1])
    assert "lacks" in look(connection).unfit
    upgrade(connection, None, step=quiet, waiting=quiet)
    upgrade(connection, Phase.AFTER, step=quiet, waiting=quiet)
    assert_same(new(NEWEST), connection)


def test_two_upgrades_at_once_are_one_after_the_other_and_say_so(new, monkeypatch):
    connection = new()
    old_init(connection)
    monkeypatch.setattr(runner, "_SAY_AFTER_S", 0.1)
    ends, said = [], []

    def second():
        with psycopg.connect(connection.info.dsn) as other:
            ends.append(upgrade(other, None, step=quiet, waiting=said.append))

    with runner._alone(connection, quiet):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(1.5)
        assert ends == []
    thread.join()
    assert len(ends[0]) == len(BEFORE)
    assert re.fullmatch(
        rf"waiting for another upgrade: process {connection.info.backend_pid} of postgres \(test.*\)", said[0]
    )
    assert len(said) == 1


def test_many_that_start_on_an_empty_database_make_it_once(new):
    connection = new()
    ends, errors = [], []

    def start():
        try:
            with psycopg.connect(connection.info.dsn) as other:
                ends.append(upgrade(other, None, step=quiet, waiting=quiet))
        except Exception as error:  # noqa: BLE001  # shown below
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(map(len, ends)) == [0, 0, 0, len(carried())]
    assert_same(new(NEWEST), connection)


def test_a_migration_that_waits_for_a_tables_lock_says_for_whom_and_lets_others_pass(new):
    connection = new()
    old_init(connection)
    said = []
    with psycopg.connect(connection.info.dsn, application_name="dashboard") as reader:
        reader.execute("SELECT count(*) FROM jobs")
        thread = threading.Thread(
            target=lambda: upgrade(connection, None, step=quiet, waiting=said.append), daemon=True
        )
        thread.start()
        deadline = time.monotonic() + 20
        while not said and time.monotonic() < deadline:
            time.sleep(0.05)
        assert f"waits for process {reader.info.backend_pid} of postgres (dashboard" in said[0]
        with psycopg.connect(connection.info.dsn) as worker:  # a worker is held up for a moment, not for good
            worker.execute("SET statement_timeout = '10s'")
            worker.execute("SELECT count(*) FROM jobs")
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert versions(connection) == BEFORE


def test_old_code_that_prepares_the_database_meanwhile_is_waited_for_and_no_deadlock(new):
    connection = new()
    with psycopg.connect(connection.info.dsn) as old:
        old_init(old)  # and does not commit yet
        thread = threading.Thread(
            target=lambda: upgrade(connection, None, step=quiet, waiting=quiet), daemon=True
        )
        thread.start()
        time.sleep(3)
        old.commit()
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert versions(connection) == BEFORE


def test_a_lock_that_is_on_another_connection_is_noticed(new, monkeypatch):
    connection = new()
    monkeypatch.setattr(runner, "tracking_sql", lambda: f"SELECT pg_advisory_unlock_all(); {tracking_sql()}")
    with pytest.raises(DatabaseUnavailable, match="a pooler in transaction mode"):
        upgrade(connection, None, step=quiet, waiting=quiet)


def test_the_connection_is_afterwards_as_it_was(new):
    dsn = new().info.dsn
    with psycopg.connect(dsn, options="-c statement_timeout=1234") as connection:
        connection.execute("SELECT 1")
        upgrade(connection, None, step=quiet, waiting=quiet)
        assert not connection.autocommit
        assert connection.execute("SHOW statement_timeout").fetchone() == ("1234ms",)
        held = connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
        assert held == (0,)


# -- which code may work with which database ----------------------------------------------------------------


def test_a_database_without_a_schema_is_refused_with_the_way_out(new):
    for connection in (new(), new(PRODUCTION)):
        with pytest.raises(DatabaseUnavailable, match="no BEC schema; run: bec db init"):
            schema.require(connection)


def test_a_database_that_lacks_what_the_code_needs_is_refused_with_the_way_out(new):
    connection = new()
    old_init(connection)
    with pytest.raises(DatabaseUnavailable, match=rf"{NEEDED[-1].label}; run: bec db upgrade"):
        schema.require(connection)


def test_a_database_that_lacks_only_an_index_or_what_goes_after_is_accepted(new):
    connection = new()
    migrate(connection, *(one.version for one in NEEDED))
    schema.require(connection)


def test_a_newer_database_is_accepted_unless_it_excludes_this_code(new):
    connection = new(NEWEST)
    claim_newer(connection)
    schema.require(connection)
    connection.execute("DELETE FROM schema_migrations WHERE version = 99")
    claim_newer(connection, migrations.level() + 1)
    for use in (
        lambda: schema.require(connection),
        lambda: schema.ensure(connection),
        lambda: upgrade(connection, None, step=quiet, waiting=quiet),
    ):
        with pytest.raises(
            (DatabaseUnavailable, ConflictError), match="this BEC is too old for the database: 0099_later"
        ):
            use()


def test_looking_needs_no_right_but_to_read(new):
    connection = new(NEWEST)
    role = f"reader_{uuid.uuid4().hex[:8]}"
    connection.execute(f"CREATE ROLE {role} LOGIN")
    refusal = pytest.raises(DatabaseUnavailable, match=f'GRANT SELECT ON schema_migrations TO "{role}"')
    with psycopg.connect(connection.info.dsn, user=role) as reader, refusal:
        schema.require(reader)
    connection.execute(f"GRANT SELECT ON schema_migrations TO {role}")
    with psycopg.connect(connection.info.dsn, user=role) as reader:
        schema.require(reader)


def test_a_role_that_may_not_change_the_schema_is_told_who_may(new):
    connection = new()
    old_init(connection)
    role = f"worker_{uuid.uuid4().hex[:8]}"
    connection.execute(f"CREATE ROLE {role} LOGIN")
    refusal = pytest.raises(DatabaseUnavailable, match=f"{role}.*run bec db upgrade as the owner")
    with psycopg.connect(connection.info.dsn, user=role) as worker, refusal:
        upgrade(worker, None, step=quiet, waiting=quiet)
