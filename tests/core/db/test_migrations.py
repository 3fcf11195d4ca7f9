"""The migrations' files: what schema.sql says is what they come to, on every database that there is."""

import re

import psycopg
import pytest

from bec_core.db import migrations
from bec_core.db.migrations import Phase, carried, look, runner, upgrade
from bec_core.db.migrations.files import Runs, parse
from support.old_worker import OLD_SCHEMA, OldWorker, old_init
from support.places import ROOT
from support.schemas import (
    BEFORE,
    NEWEST,
    PRODUCTION,
    assert_same,
    catalog,
    claim_newer,
    job,
    migrate,
    quiet,
    versions,
)


def test_schema_sql_is_what_all_migrations_come_to(new):
    migrated = new()
    upgrade(migrated, None, step=quiet, waiting=quiet)
    assert_same(new(NEWEST), migrated)


def test_the_catalogs_compare_what_a_forgotten_column_index_or_default_changes(new):
    for change in (
        "ALTER TABLE jobs ADD COLUMN more text",
        "ALTER TABLE jobs ALTER COLUMN status SET DEFAULT 'paused'",
        "CREATE INDEX more ON jobs (type)",
        "COMMENT ON COLUMN jobs.type IS 'more'",
        "ALTER TYPE job_status ADD VALUE 'more'",
        "ALTER TABLE ledger DROP CONSTRAINT ledger_state_check",
    ):
        with pytest.raises(AssertionError):
            assert_same(new(NEWEST), new(NEWEST, change))


@pytest.mark.slow
@pytest.mark.parametrize("upto", [m.version for m in carried()])
def test_every_version_upgrades_to_the_newest(new, upto):
    """Each step by the code that carried just the migrations up to it, phase by phase, with the production's rows."""
    older = new(PRODUCTION)
    migrate(older, *range(1, upto + 1))
    assert versions(older) == list(range(1, upto + 1))
    for phase in Phase:
        upgrade(older, phase, step=quiet, waiting=quiet)
    assert_same(new(PRODUCTION, NEWEST), older)
    assert_same(new(NEWEST), older)


def test_all_that_goes_before_does_not_need_what_goes_after(new):
    """Who skips a release applies its *before* ones while the *after* ones of an earlier release still wait."""
    connection = new()
    old_init(connection)
    upgrade(connection, None, step=quiet, waiting=quiet)
    assert versions(connection) == [m.version for m in carried() if m.phase is Phase.BEFORE]
    upgrade(connection, Phase.AFTER, step=quiet, waiting=quiet)
    assert_same(new(NEWEST), connection)


def test_the_baseline_is_the_schema_of_the_code_before(new):
    body = carried()[0].sql.partition("-- Types")[2]
    assert body
    assert OLD_SCHEMA.endswith(body)


def test_schema_sql_gives_the_newest_version_on_an_empty_database_and_run_twice(new):
    connection = new(NEWEST)
    before = catalog(connection)
    connection.execute(NEWEST.encode())
    assert catalog(connection) == before
    assert look(connection).unfit is None
    assert versions(connection) == [m.version for m in carried()]


@pytest.mark.parametrize("way", ["schema.sql", "bec db init"])
def test_the_production_database_gets_the_newest_version_and_keeps_its_rows(new, way):
    production = new(PRODUCTION)
    before = production.execute("SELECT * FROM task_executions ORDER BY id").fetchall()
    if way == "schema.sql":
        production.execute(NEWEST.encode())
    else:
        upgrade(production, None, step=quiet, waiting=quiet)
    assert_same(new(NEWEST), production)
    columns = (
        "id, job_id, volume_id, s3_etag, status, attempt, worker_id, started_at, done_at, total_images, nb_errors,"
        " total_duration_ms, avg_duration_per_page_ms"
    )
    assert production.execute(f"SELECT {columns} FROM task_executions ORDER BY id").fetchall() == before
    production.execute("UPDATE task_executions SET total_images = 40000")
    rooted = "SELECT DISTINCT job_id, status::text, artifact_root FROM task_executions ORDER BY 1, 2"
    assert production.execute(rooted).fetchall() == [
        (1, "done", "ldv1"), (1, "running", None), (2, "done", "lines"), (2, "running", None),
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("upto", [m.version for m in carried()])
def test_schema_sql_on_an_older_version_does_what_goes_before_and_claims_no_more(new, upto):
    connection = new(PRODUCTION)
    migrate(connection, *range(1, upto + 1))
    if upto > 1:
        connection.execute("UPDATE task_executions SET artifact_root = NULL")
    connection.execute(NEWEST.encode())
    done = {*range(1, upto + 1), *(m.version for m in carried() if m.phase is Phase.BEFORE)}
    assert set(versions(connection)) == done
    assert connection.execute("SELECT count(artifact_root) FROM task_executions").fetchone() == (0,)
    assert (connection.execute("SELECT to_regclass('schema_state')").fetchone() != (None,)) == (5 not in done)
    assert look(connection).unfit is None
    upgrade(connection, Phase.AFTER, step=quiet, waiting=quiet)
    assert_same(new(NEWEST), connection)


def test_schema_sql_on_the_old_codes_database_claims_only_what_goes_before(new):
    connection = new()
    old_init(connection)
    connection.execute(NEWEST.encode())
    assert versions(connection) == BEFORE
    OldWorker(connection, job(connection))


def test_psql_gives_the_newest_version_as_the_guide_says(new, postgres):
    for first in ("", PRODUCTION):
        connection = new(first)
        for _ in range(2):
            assert postgres.psql(connection.info.dbname, ROOT / "schema.sql") == ""
        assert_same(new(NEWEST), connection)


def test_schema_sql_that_fails_half_way_changes_nothing_and_claims_nothing(new, postgres):
    connection = new("CREATE VIEW ledger AS SELECT 1 AS one")  # so that the table's columns can't be added
    assert "ERROR" in postgres.psql(
        connection.info.dbname, ROOT / "schema.sql"
    )  # which goes on after an error
    found = connection.execute("SELECT to_regclass('schema_migrations'), to_regclass('jobs')").fetchone()
    assert found == (None, None)


def test_an_older_schema_sql_refuses_a_newer_database(new):
    connection = new(NEWEST)
    newest = carried()[-1].version
    assert f"WHERE version > {newest})" in NEWEST
    claim_newer(connection)
    with pytest.raises(psycopg.errors.RaiseException, match="older than the database"):
        connection.execute(NEWEST.encode())


def test_schema_sql_waits_for_nobody_who_upgrades_but_says_so(new):
    connection = new()
    with (
        psycopg.connect(connection.info.dsn) as other,
        runner._alone(other, quiet),
        pytest.raises(psycopg.errors.RaiseException, match="another process is changing this schema"),
    ):
        connection.execute(NEWEST.encode())


def test_a_file_whose_head_says_something_else_than_its_name_is_refused():
    text = carried()[1].sql
    assert parse("0002_x.before.sql", text).oldest_code == 1
    for name, changed in (
        ("0002_x.after.sql", text),
        ("2_x.before.sql", text),
        ("0002_x.before.sql", text.replace("-- oldest code: 1\n", "")),
        ("0002_x.before.sql", text.replace("in one transaction", "somehow")),
    ):
        with pytest.raises(ValueError, match=r"0002_x|2_x|somehow"):
            parse(name, changed)


def test_the_numbers_have_no_gap_and_no_migration_excludes_its_own_code():
    assert [m.version for m in carried()] == list(range(1, len(carried()) + 1))
    assert all(m.oldest_code <= migrations.level() for m in carried())
    assert all(m.oldest_code < m.version for m in carried()[1:])


def test_indexes_are_added_beside_the_running_workers():
    for migration in carried()[1:]:
        plain = re.findall(r"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY)", migration.sql)
        assert plain == [], f"{migration.label} would block every writer: CREATE INDEX CONCURRENTLY"
        assert ("CONCURRENTLY" in migration.sql) == (migration.runs is Runs.OUTSIDE)
