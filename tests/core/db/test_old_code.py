"""Code from before numbered migrations beside the new: it goes on between the phases, and not after them."""

import shutil
import tempfile
from pathlib import Path

import attrs
import pytest

from bec_core.db.migrations import Phase, carried, look, standing, upgrade
from bec_core.db.migrations.files import Runs
from bec_core.db.pool import open_database
from bec_core.errors import ConflictError, DatabaseUnavailable
from bec_core.settings import load_settings
from support.cli import clean_environment
from support.old_worker import OldCodeRefuses, OldWorker, old_init, old_start_embedded
from support.schemas import ALL, BEFORE, NEWEST, assert_same, catalog, job, quiet, versions, volume


def old_life(connection, tag):
    """All that an old worker does, on volumes of its own; what the rows and the ledger say at the end."""
    worker = OldWorker(connection, job(connection))
    volumes = {
        name: volume(connection, f"{tag}-{name}") for name in ("done", "again", "failed", "lost", "bare")
    }
    for number in volumes.values():
        worker.ask(number)
    claimed = worker.claim(volumes["done"])
    assert worker.claim(volumes["done"]) is None
    assert worker.renew(claimed)
    assert worker.finish(claimed)
    assert not worker.finish(claimed)
    assert worker.fail(worker.claim(volumes["again"]), terminal=False)
    assert worker.finish(worker.claim(volumes["again"]))
    assert worker.fail(worker.claim(volumes["failed"]), terminal=True)
    lost = worker.claim(volumes["lost"])
    worker.fail_unclaimed(volumes["bare"])
    assert OldWorker(connection, job(connection)).release_leases_of(worker.id) == 1
    assert not worker.renew(lost)
    worker.stop()
    return connection.execute(
        """
        SELECT split_part(v.bdrc_i_id, '-', 2), t.status::text, t.attempt, t.failures, t.epoch, t.error_type,
               t.total_images, l.state, l.sent_at IS NOT NULL, l.reason
        FROM task_executions t JOIN volumes v ON v.id = t.volume_id
        JOIN ledger l ON (l.job_id, l.volume_id) = (t.job_id, t.volume_id)
        WHERE t.volume_id = ANY(%s) ORDER BY 1
        """,
        (list(volumes.values()),),
    ).fetchall()


@pytest.mark.parametrize("way", ["bec db upgrade", "schema.sql"])
def test_an_old_worker_restarted_between_the_phases_goes_on(new, way):
    connection = new()
    old_init(connection)
    running = OldWorker(connection, job(connection))  # at work all through the first phase
    held = running.claim(volume(connection, "held"))
    as_ever = old_life(connection, "x")
    if way == "schema.sql":
        connection.execute(NEWEST.encode())
    else:
        upgrade(connection, None, step=quiet, waiting=quiet)
    assert look(connection).unfit is None  # so new workers start beside it
    assert running.renew(held)
    assert running.finish(held)
    assert old_life(connection, "y") == as_ever  # a restarted one
    running.stop()


def test_old_code_started_on_the_embedded_database_in_between_goes_on_and_takes_nothing_away(new):
    connection = new()
    with connection.transaction():
        old_start_embedded(connection)
    as_ever = old_life(connection, "x")
    upgrade(connection, Phase.BEFORE, step=quiet, waiting=quiet)
    between = catalog(connection)
    connection.execute(
        "UPDATE schema_state SET sha256 = ''"
    )  # as if by hand: now it applies its own schema again
    with connection.transaction():
        old_start_embedded(connection)
    assert old_life(connection, "y") == as_ever
    assert catalog(connection) == between
    assert look(connection).unfit is None


def test_after_both_phases_old_code_is_refused(new):
    connection = new()
    old_init(connection)
    for phase in Phase:
        upgrade(connection, phase, step=quiet, waiting=quiet)
    with pytest.raises(OldCodeRefuses):
        OldWorker(connection, job(connection))


def test_what_goes_after_waits_until_no_old_worker_lives(new):
    connection = new()
    old_init(connection)
    worker = OldWorker(connection, job(connection), host="forgotten")
    with pytest.raises(ConflictError, match="first: bec db upgrade --phase before"):
        upgrade(connection, Phase.AFTER, step=quiet, waiting=quiet)
    upgrade(connection, Phase.BEFORE, step=quiet, waiting=quiet)
    with pytest.raises(ConflictError, match=rf"{worker.id} \(forgotten\)"):
        upgrade(connection, Phase.AFTER, step=quiet, waiting=quiet)
    assert versions(connection) == BEFORE
    worker.stop()
    upgrade(connection, Phase.AFTER, step=quiet, waiting=quiet)
    assert versions(connection) == ALL


def test_the_place_of_artifacts_is_filled_in_from_the_config_that_a_row_was_done_by(new, monkeypatch):
    connection = new()
    old_init(connection)
    worker = OldWorker(connection, job(connection))
    numbers = [volume(connection, f"v{n}") for n in range(12)]
    for number in numbers:
        worker.finish(worker.claim(number))
    worker.stop()
    connection.execute('UPDATE jobs SET config = \'{"artifact_prefix": "now"}\', config_revision = 3')
    for number, revision in zip(numbers, [1, 1, 2, 3, None, 3, 1, 1, 1, 1, 1, 1], strict=True):
        connection.execute(
            "UPDATE task_executions SET config_revision = %s WHERE volume_id = %s", (revision, number)
        )
    connection.execute(
        "UPDATE task_executions SET status = 'retryable_failed' WHERE volume_id = %s", (numbers[5],)
    )
    upgrade(connection, Phase.BEFORE, step=quiet, waiting=quiet)
    in_batches_of(3, monkeypatch)
    upgrade(connection, Phase.AFTER, step=quiet, waiting=quiet)
    roots = connection.execute("SELECT artifact_root FROM task_executions ORDER BY volume_id").fetchall()
    # of revision 2 and of a row without one nobody knows the config any more: "now" would be a guess
    assert [row[0] for row in roots] == ["first", "first", None, "now", None, None, *["first"] * 6]


def test_what_a_new_worker_said_stays_unless_an_old_one_did_the_task_once_more(new):
    connection = new()
    old_init(connection)
    upgrade(connection, Phase.BEFORE, step=quiet, waiting=quiet)
    old = OldWorker(connection, job(connection))
    newer = OldWorker(connection, job(connection))
    nobody = OldWorker(connection, job(connection))
    connection.execute("UPDATE workers SET recipe = 'r' WHERE worker_id = %s", (newer.id,))
    by_new, by_nobody, by_both = (volume(connection, name) for name in ("new", "nobody", "both"))
    newer.finish(newer.claim(by_new))
    nobody.finish(nobody.claim(by_nobody))
    newer.finish(newer.claim(by_both))
    connection.execute("UPDATE task_executions SET artifact_root = 'said', recipe = 'r'")
    connection.execute("UPDATE task_executions SET worker_id = NULL WHERE volume_id = %s", (by_nobody,))
    old.finish(old.claim(by_both, even_if_done=True))
    for worker in (old, nobody):
        worker.stop()
    upgrade(connection, Phase.AFTER, step=quiet, waiting=quiet)
    assert connection.execute(
        "SELECT volume_id, artifact_root, recipe FROM task_executions ORDER BY volume_id"
    ).fetchall() == [(by_new, "said", "r"), (by_nobody, "said", "r"), (by_both, "first", None)]


def test_an_interrupted_filling_in_goes_on(new, monkeypatch):
    connection = new()
    old_init(connection)
    worker = OldWorker(connection, job(connection))
    for number in range(10):
        worker.finish(worker.claim(volume(connection, f"v{number}")))
    worker.stop()
    upgrade(connection, Phase.BEFORE, step=quiet, waiting=quiet)
    in_batches_of(2, monkeypatch)
    connection.execute(
        """
        CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN
            IF new.id = 7 THEN RAISE 'cut off' USING ERRCODE = 'integrity_constraint_violation'; END IF;
            RETURN new;
        END $$;
        CREATE TRIGGER stop BEFORE UPDATE ON task_executions FOR EACH ROW EXECUTE FUNCTION stop()
        """
    )
    with pytest.raises(DatabaseUnavailable, match="cut off"):
        upgrade(connection, Phase.AFTER, step=quiet, waiting=quiet)
    filled = "SELECT count(artifact_root) FROM task_executions"
    assert connection.execute(filled).fetchone() == (6,)
    assert versions(connection) == BEFORE
    connection.execute("DROP FUNCTION stop CASCADE")
    upgrade(connection, Phase.AFTER, step=quiet, waiting=quiet)
    assert connection.execute(filled).fetchone() == (10,)


def in_batches_of(rows, monkeypatch):
    changed = tuple(
        attrs.evolve(m, sql=m.sql.replace("LIMIT 5000", f"LIMIT {rows}")) if m.runs is Runs.BATCHES else m
        for m in carried()
    )
    monkeypatch.setattr(standing, "carried", lambda: changed)


# -- the embedded database ----------------------------------------------------------------------------------


@pytest.fixture
def home(monkeypatch):
    clean_environment(monkeypatch)
    folder = Path(tempfile.mkdtemp(prefix="bec-home-"))
    folder.chmod(0o755)  # as root the server runs as another account
    monkeypatch.setenv("BEC_HOME", str(folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_the_embedded_database_brings_itself_up_to_date_and_spares_old_processes(new, home):
    settings = load_settings()
    with open_database(settings, require_schema=False) as database:
        with database.connection() as connection:
            old_init(connection)
        with open_database(settings) as newer, newer.connection() as connection:
            # the first one is connected, and may be old code
            assert versions(connection) == BEFORE
            with connection.transaction():
                OldWorker(connection, job(connection)).stop()
    with open_database(settings) as database, database.connection() as connection:
        assert versions(connection) == ALL
        assert_same(new(NEWEST), connection)


def test_an_old_worker_that_was_just_killed_on_this_machine_stops_no_command(new, home):
    settings = load_settings()
    with open_database(settings, require_schema=False) as database, database.connection() as connection:
        old_init(connection)
        OldWorker(connection, job(connection))
    with open_database(settings) as database, database.connection() as connection:
        assert versions(connection) == BEFORE
