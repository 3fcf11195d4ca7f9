"""The model of docs/task-life.md, driven through arbitrary interleavings by hypothesis.

The queue's table, the database functions, the worker's code for a task and the file store are the real ones. Only
time and processes are played: a worker is a thread that runs one message and that stops at a chosen point, for good
(a crash) or until it is woken (SIGSTOP, a frozen machine); leases and back-offs end by an UPDATE.

A longer search: ``BEC_TEST_EXAMPLES=2000 pytest tests/core/worker/test_task_life_properties.py``.
"""

import hashlib
import json
import os
import shutil
import threading
import uuid
from pathlib import Path
from types import SimpleNamespace

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from loguru import logger

from bec_core import Input
from bec_core.admin.moving import move_messages
from bec_core.artifacts import MARKER_NAME, Recipe, TaskFolder, artifact_of, intact, remember
from bec_core.db import Database, blocking, inputs, jobs, ledger, requeue, volumes, workers
from bec_core.db.tasks import Failure
from bec_core.errors import (
    ManifestMissing,
    PageError,
    RetryableTaskError,
    ShutdownRequested,
    StorageError,
    TerminalTaskError,
)
from bec_core.job_config import RuntimeConfig
from bec_core.models import (
    OutgoingMessage,
    Page,
    TaskResult,
    TaskStatus,
    Volume,
    VolumeRef,
    decode_message,
    encode_message,
)
from bec_core.queues import create_queues
from bec_core.queues.release import release, send_released
from bec_core.storage import FileStore
from bec_core.testing.checksum_job import CHECKSUM
from bec_core.worker import BECWorker, WorkerObserver, WorkerOptions
from bec_core.worker.hold import Keeper
from bec_core.worker.observer import Watchers
from bec_core.worker.turns import Turn
from bec_core.worker.workplace import LoadedJob, Services, Workplace

EXAMPLES = int(os.environ.get("BEC_TEST_EXAMPLES", "40"))
PHASES = [phase for phase in Phase if phase.name != "shrink" or not os.environ.get("BEC_TEST_NO_SHRINK")]
REFS = [VolumeRef("W1", f"I{n}") for n in range(3)]
MISSING = VolumeRef("W1", "I404")
WORKERS = 3
OPTIONS = WorkerOptions(lease_s=3600, retry_base_s=100, retry_cap_s=1000)
RUNTIME = RuntimeConfig(max_attempts=2)

OUTCOMES = st.sampled_from(
    ["done", "done", "done", "retryable", "terminal", "bad-pages", "stopped", "trouble"]
)
GATES = st.integers(0, 20)  # a task that is done passes fourteen points at which it can be stopped
ACTIONS = st.sampled_from(["none", "none", "crash", "sleep", "sleep", "trouble"])


class Crashed(BaseException):
    """What ends a played process; nothing of the worker's catches it."""


class Player(WorkerObserver):
    """A worker: one thread at a time, which runs one message and obeys a plan."""

    def __init__(self, world, number):
        self.world = world
        self.worker_id = world.register(f"w{number}")
        self.store = GatedStore(world.folder, self)
        self.keeper = Keeper(
            world.database, world.tasks, lease_s=3600, stall_timeout_s=1e9, stuck_after_s=1e9
        )
        place = Workplace(
            Services(world.database, world.tasks, world.dead_letters, world, self.store, world.queue),
            LoadedJob(world.job_type, None, RUNTIME, self, Recipe("r", {}), world.job),
            self.worker_id,
            OPTIONS,
            self.keeper,
            Watchers([self]),
        )
        self.worker = BECWorker(place, None)
        self.worker._draining.set()  # no pauses
        self.thread = None
        self.settled = threading.Event()  # asleep or ended
        self.awake = threading.Event()
        self.asleep = False

    def start(self, message, outcome, gate, action):
        self.message, self.outcome, self.gates_left, self.action = message, outcome, gate, action
        self.settled.clear()
        self.awake.clear()
        self.thread = threading.Thread(target=self._live, daemon=True)
        self.thread.start()
        assert self.settled.wait(30), "a played worker hangs"

    def wake(self):
        self.asleep = False
        self.settled.clear()
        self.awake.set()
        assert self.settled.wait(30), "a played worker hangs"

    def _live(self):
        try:
            self.worker._see_through(self.message, Turn(), cancelled=False)
        except Crashed:
            pass
        except StorageError:
            pass  # the slot would pause and go on
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            self.world.unforeseen.append(error)
        finally:
            self.thread = None
            self.settled.set()

    def gate(self):
        """A point at which the plan may strike."""
        self.gates_left -= 1
        if self.gates_left != -1:
            return
        if self.action == "crash":
            raise Crashed
        if self.action == "trouble":
            raise StorageError("trouble on purpose")
        if self.action == "sleep":
            self.asleep = True
            self.settled.set()
            self.awake.wait()

    # -- the observer and the job ---------------------------------------------------------------------

    def step(self, step):
        if step == "claimed":
            self.world.claims[self.ref] = self.world.claims.get(self.ref, 0) + 1
        self.gate()

    def message_taken(self, message_id, volume):
        self.ref = volume.ref

    def run(self, ctx):
        if self.action != "crash":  # whatever comes out of a job is the job's: a crash comes at the next step
            self.gate()
        if self.outcome == "retryable":
            raise RetryableTaskError("on purpose")
        if self.outcome == "terminal":
            raise TerminalTaskError("on purpose")
        if self.outcome == "trouble":
            raise StorageError("on purpose")
        if self.outcome == "stopped":
            self.keeper.held()[0].stop.set(ShutdownRequested("on purpose"))
        for one in self.world.job_type.inputs:
            ctx.write_artifact("-read.bin", ctx.input(one.name).read(".bin"))
            if self.action != "crash":
                self.gate()  # it may be done anew before what was read is published
        # no two runs publish the same bytes: a mixture of two would be seen
        ctx.write_artifact("-a.bin", uuid.uuid4().bytes)
        ctx.write_artifact("-b.bin", uuid.uuid4().bytes)
        for page in ctx.volume.pages if self.outcome == "bad-pages" else ():
            ctx.page_failed(page, PageError("on purpose", stage="decode"))
        return TaskResult()


class GatedStore(FileStore):
    """The file store with a gate right before each write: after the lease was confirmed."""

    def __init__(self, root, player):
        super().__init__(root)
        self._player = player

    def swap(self, key, data, *, if_etag):
        self._player.gate()
        return super().swap(key, data, if_etag=if_etag)

    def put(self, key, data):
        self._player.gate()
        return super().put(key, data)


class World(RuleBasedStateMachine):
    database: Database
    root: Path
    job_type = CHECKSUM

    @initialize()
    def begin(self):
        self.folder = self.root / uuid.uuid4().hex
        with self.database.connection() as connection:
            connection.execute(
                "TRUNCATE queue_messages, queues, ledger, task_executions, workers, volumes, jobs CASCADE"
            )
        queues = create_queues("checksum", "postgres", database=self.database)
        self.tasks, self.dead_letters = queues.tasks, queues.dead_letters
        with self.database.connection() as connection:
            self.job = jobs.create(
                connection, name="checksum", job_type="checksum", config={},
                queue_url=self.tasks.url, dlq_url=self.dead_letters.url,
            )  # fmt: skip
        self.claims = {}
        self.unforeseen = []
        self.store = FileStore(self.folder)
        self.players = [Player(self, n) for n in range(WORKERS)]

    def teardown(self):
        if not hasattr(self, "players"):
            return
        try:
            self.come_to_rest()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    # -- what the workers see of the world ------------------------------------------------------------

    def resolve(self, ref):
        if ref == MISSING:
            raise ManifestMissing("no manifest, on purpose")
        pages = tuple(Page(n, f"{n}.jpg") for n in range(2))
        return Volume(ref, ref.i_id.encode().ljust(16, b"."), "v", pages)

    def register(self, name):
        with self.database.connection() as connection:
            return workers.register(
                connection, name=name, hostname="played", job_id=self.job.id, process="", tags={}
            )

    settings = SimpleNamespace(environment={})
    through = ""

    def queue(self, url):
        """What :mod:`bec_core.admin` asks a session for, as it does for ``settings``."""
        return self.tasks if url == self.tasks.url else self.dead_letters

    # -- what can happen ------------------------------------------------------------------------------

    @rule(ref=st.sampled_from([*REFS, MISSING]), sent=st.booleans(), force=st.booleans())
    def asked(self, ref, sent, force):
        """An operator enqueues; the command may die before the message is sent."""
        with self.database.connection() as connection:
            ids = volumes.upsert_refs(connection, [ref])
            ledger.request(connection, self.job.id, [(ids[0], ref)])
            requeue.free(connection, self.job.id, ids)
        if not sent:
            return
        if force and ref != MISSING:
            with self.database.connection() as connection:
                connection.execute(
                    "UPDATE ledger SET request = request + 1 WHERE (job_id, volume_id) = (%s, %s)",
                    (self.job.id, ids[0]),
                )
        assert self.tasks.send([encode_message(ref)]) == []
        with self.database.connection() as connection:
            ledger.mark_sent(connection, self.job.id, ids)

    @rule(ref=st.sampled_from(REFS))
    def duplicated(self, ref):
        self.tasks.send([encode_message(ref)])

    @rule()
    def malformed(self):
        self.tasks.send([OutgoingMessage("what is this?")])

    @rule(who=st.integers(0, WORKERS - 1), outcome=OUTCOMES, gate=GATES, action=ACTIONS)
    def delivered(self, who, outcome, gate, action):
        player = self.players[who]
        if player.thread is not None:
            return
        messages = self.tasks.receive(limit=1, wait_s=0, visibility_s=3600)
        if messages:
            player.start(messages[0], outcome, gate, action)

    @rule(who=st.integers(0, WORKERS - 1))
    def woken(self, who):
        """A sleeper goes on. If its task was taken over, it changes nothing that counts."""
        player = self.players[who]
        if not player.asleep:
            return
        held = player.keeper.held()
        before = self.row(held[0].volume.ref) if held else None
        stale = before is not None and (before["epoch"], before["status"]) != (held[0].claim.epoch, "running")
        there = self.objects(held[0].volume.ref) if held else None
        marked = held and self.folder_of(held[0].volume.ref).marker() is not None
        player.wake()
        if stale and before["status"] == "done":
            assert self.objects(held[0].volume.ref) == there, "a worker without a lease changed the store"
        if stale:
            after = self.row(held[0].volume.ref)
            found_a_marker = marked and before["status"] != "done" and after["status"] == "done"
            assert after == before or found_a_marker, "a worker without a lease changed the row"

    @rule(ref=st.sampled_from(REFS), gates=st.tuples(GATES, GATES), outcomes=st.tuples(OUTCOMES, OUTCOMES))
    def overtaken(self, ref, gates, outcomes):
        """One worker sleeps past its lease, another takes over and sleeps too; then they wake, the older first."""
        if any(player.thread is not None for player in self.players[:2]):
            return
        self.asked(ref, True, False)
        for who in (0, 1):
            self.time_passes()
            self.delivered(who, outcomes[who], gates[who], "sleep")
        self.woken(0)
        self.nothing_is_lost()
        self.woken(1)

    @rule()
    def time_passes(self):
        """Every lease, every back-off and every hidden message's time is over."""
        with self.database.connection() as connection:
            connection.execute(
                "UPDATE task_executions SET lease_expires_at = now() WHERE lease_expires_at > now()"
            )
            connection.execute("UPDATE task_executions SET retry_at = now() WHERE retry_at > now()")
            connection.execute("UPDATE queue_messages SET visible_at = now() WHERE visible_at > now()")

    @rule()
    def messages_come_again(self):
        """Visibility ends before the lease does."""
        with self.database.connection() as connection:
            connection.execute("UPDATE queue_messages SET visible_at = now() WHERE visible_at > now()")

    @rule(who=st.integers(0, WORKERS - 1))
    def taken_for_dead(self, who):
        """Another worker of the machine frees what this one held; it may be wrong about its death."""
        with self.database.connection() as connection:
            workers.bury(
                connection,
                self.players[who].worker_id,
                max_attempts=RUNTIME.max_attempts,
                failure=Failure("worker", "WorkerDied", "on purpose", "f"),
            )

    @rule()
    def redriven(self):
        move_messages(self, self.dead_letters.url, self.tasks.url)

    # -- what must hold at any time -------------------------------------------------------------------

    @invariant()
    def nothing_is_lost(self):
        if not hasattr(self, "players"):
            return
        assert self.unforeseen == []
        queued, dead = self.asked_for("checksum_tasks"), self.asked_for("checksum_dlq")
        for ref, state, sent, request in self.entries():
            where = (ref, state)
            if state == "waiting":
                assert ref in queued or not sent, f"nothing will ever come of {where}"
            elif state == "blocked":
                assert self.is_blocked(ref), f"its input is done, and nobody will look at {where}"
            elif state == "failed":
                assert ref in dead or ref in queued, f"no reason is kept for {where}"
            else:
                marker = self.folder_of(ref).marker()
                answered = marker is not None and marker.answers(request)
                assert answered or ref in queued, f"no marker answers {where}"

    def is_blocked(self, ref):
        """Whether a volume may be blocked."""
        return False

    @invariant()
    def markers_tell_the_truth(self):
        if not hasattr(self, "players"):
            return
        for ref in REFS:
            folder, row = self.folder_of(ref), self.row(ref)
            marker = folder.marker()
            if marker is None:
                continue
            assert row is not None
            if row["status"] == "done":
                assert intact(folder, marker), f"the marker of {ref} lists other artifacts"
            assert intact(folder, marker) or ref in self.asked_for("checksum_tasks")

    @invariant()
    def attempts_are_counted(self):
        if not hasattr(self, "players"):
            return
        for ref in REFS:
            row = self.row(ref)
            assert (row["attempt"] if row else 0) == self.claims.get(ref, 0)
            if row:
                assert 0 <= row["failures"] <= RUNTIME.max_attempts
                if row["status"] == "retryable_failed":
                    assert row["failures"] < RUNTIME.max_attempts
                assert (row["lease_expires_at"] is not None) == (row["status"] == "running")

    # -- the end --------------------------------------------------------------------------------------

    def come_to_rest(self):
        """Everybody wakes, whoever enqueued does it again, and an honest worker does the rest."""
        for who, player in enumerate(self.players):
            if player.asleep:
                self.woken(who)
        self.everything_is_ready()
        for ref, state, sent, _ in self.entries():
            if state == "waiting" and not sent:
                self.asked(ref, True, False)
        for _ in range(400):
            self.time_passes()
            messages = self.tasks.receive(limit=1, wait_s=0, visibility_s=3600)
            if not messages:
                break
            self.players[0].start(messages[0], "done", 99, "none")
        else:
            raise AssertionError("the queue never empties")
        self.nothing_is_lost()
        self.markers_tell_the_truth()
        self.attempts_are_counted()
        dead = self.asked_for("checksum_dlq")
        for ref, state, _, request in self.entries():
            row = self.row(ref)
            if state == "done":
                assert row["status"] == TaskStatus.DONE
                marker = self.folder_of(ref).marker()
                assert intact(self.folder_of(ref), marker)
                assert marker.answers(request)
            elif state == "blocked":
                assert ref == MISSING  # nobody can do what it waits for
            else:
                assert state == "failed"
                assert ref in dead
        for message in self.dead_letters.peek(1000):
            assert message.attributes["error_type"]
            assert message.attributes["error_message"]

    def everything_is_ready(self):
        """What others have to do for the volumes is done."""

    # -- looking --------------------------------------------------------------------------------------

    def folder_of(self, ref):
        return TaskFolder(self.store, "checksum", self.resolve(ref))

    def objects(self, ref):
        return [(info.key, info.etag) for info in self.store.list(self.folder_of(ref).prefix.rstrip("/"))]

    def entries(self):
        with self.database.connection() as connection:
            rows = connection.execute(
                "SELECT v.bdrc_w_id, v.bdrc_i_id, l.state, l.sent_at IS NOT NULL, l.request"
                " FROM ledger l JOIN volumes v ON v.id = l.volume_id WHERE l.job_id = %s",
                (self.job.id,),
            ).fetchall()
        return [(VolumeRef(w, i), *rest) for w, i, *rest in rows]

    def row(self, ref):
        columns = "status, attempt, failures, epoch, lease_expires_at"
        with self.database.connection() as connection:
            found = connection.execute(
                f"SELECT {columns} FROM task_executions t JOIN volumes v ON v.id = t.volume_id"
                " WHERE v.bdrc_i_id = %s AND t.job_id = %s".encode(),
                (ref.i_id, self.job.id),
            ).fetchall()
        assert len(found) <= 1
        return dict(zip(columns.split(", "), found[0], strict=True)) if found else None

    def asked_for(self, queue):
        with self.database.connection() as connection:
            rows = connection.execute(
                "SELECT body, attributes FROM queue_messages m JOIN queues q ON q.id = m.queue_id"
                " WHERE q.name = %s",
                (f"bec_{queue}",),
            ).fetchall()
        return {decode_message(OutgoingMessage(b, a)) for b, a in rows if b.startswith("{")}


class ReadingWorld(World):
    """The same with a job that reads another one, which finishes volumes, does them anew and takes them back."""

    job_type = attrs.evolve(CHECKSUM, inputs=(Input("read", type="other", artifacts=(".bin",)),))

    @initialize()
    def begin(self):
        super().begin()
        queues = create_queues("other", "postgres", database=self.database)
        with self.database.connection() as connection:
            self.other = jobs.create(
                connection, name="other", job_type="other", config={},
                queue_url=queues.tasks.url, dlq_url=queues.dead_letters.url,
            )  # fmt: skip
            inputs.bind(connection, self.job.id, "read", self.other.id, artifacts=(".bin",))
        self.unsent = []
        for ref in REFS[:2]:
            self.other_finishes(ref, True)

    def other_folder(self, ref):
        return TaskFolder(self.store, "other", self.resolve(ref))

    @rule(ref=st.sampled_from(REFS), sent=st.booleans())
    def other_finishes(self, ref, sent):
        """The other job does a volume (anew), with another result each time; its worker may die before it sends."""
        folder, volume = self.other_folder(ref), self.resolve(ref)
        data = uuid.uuid4().bytes
        name = folder.basename + ".bin"
        self.store.put(folder.key(name), data)
        listed = {"artifacts": [attrs.asdict(artifact_of(name, data))], "job_name": "other"}
        self.store.put(folder.key(MARKER_NAME), json.dumps(listed).encode())
        with self.database.connection() as connection:
            volume_id = volumes.upsert(connection, volume)
            connection.execute(
                "DELETE FROM task_executions WHERE job_id = %s AND volume_id = %s", (self.other.id, volume_id)
            )
            found = remember(
                connection, folder.marker(), job_id=self.other.id, volume_id=volume_id,
                etag=volume.etag, version=volume.version, root="other",
            )  # fmt: skip
        if sent:
            send_released(self.database, self.queue, found.released)

    @rule(ref=st.sampled_from(REFS))
    def other_is_asked_again_from_scratch(self, ref):
        """Its result is taken away: an operator deletes it."""
        folder = self.other_folder(ref)
        with self.database.connection() as connection:
            connection.execute(
                "DELETE FROM task_executions t USING volumes v WHERE v.id = t.volume_id AND v.bdrc_i_id = %s"
                " AND t.job_id = %s",
                (ref.i_id, self.other.id),
            )
        for name in (MARKER_NAME, folder.basename + ".bin"):
            if folder.exists(name):
                self.store.delete(folder.key(name))

    @rule(ref=st.sampled_from([*REFS, MISSING]), sent=st.booleans(), force=st.booleans())
    def asked(self, ref, sent, force):
        with self.database.connection() as connection:
            blocking.entering(connection, self.job.id)
            ids = volumes.upsert_refs(connection, [ref])
            ledger.request(connection, self.job.id, [(ids[0], ref)])
            requeue.free(connection, self.job.id, ids)
            if force and ref != MISSING:
                connection.execute(
                    "UPDATE ledger SET request = request + 1 WHERE (job_id, volume_id) = (%s, %s)",
                    (self.job.id, ids[0]),
                )
            blocked = blocking.block(connection, self.job.id, ids)
        if blocked or not sent:
            return
        assert self.tasks.send([encode_message(ref)]) == []
        with self.database.connection() as connection:
            ledger.mark_sent(connection, self.job.id, ids)

    @rule()
    def somebody_sweeps(self):
        release(self.database, self.queue, self.job, sources=self, store=self.store)

    def is_blocked(self, ref):
        with self.database.connection() as connection:
            ready = [
                (one.ref.w_id, one.ref.i_id) for one in blocking.blocked_but_ready(connection, self.job.id)
            ]
        return (ref.w_id, ref.i_id) not in ready

    @invariant()
    def what_was_read_is_what_is_said(self):
        if not hasattr(self, "players"):
            return
        for ref in REFS:
            folder, row = self.folder_of(ref), self.row(ref)
            marker = folder.marker()
            if marker is None or row["status"] != "done":
                continue
            (read,) = marker.lineage
            held = self.store.get(folder.key(folder.basename + "-read.bin")).data
            assert hashlib.sha256(held).hexdigest() == read["sha256"]

    def everything_is_ready(self):
        for ref in REFS:
            if not self.other_folder(ref).exists(MARKER_NAME):
                self.other_finishes(ref, True)
        self.somebody_sweeps()


@pytest.fixture
def quick_disk(monkeypatch):
    """The order of writes is what is tested, not the disk."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.parametrize("world", [World, ReadingWorld])
def test_no_interleaving_loses_or_doubles_a_task(postgres, tmp_path, quick_disk, world):
    logger.remove()
    dsn = postgres.new_database(f"t_{uuid.uuid4().hex}") + " options='-c synchronous_commit=off'"
    World.database = Database(dsn, max_size=10)
    World.root = tmp_path
    World.database.open()
    try:
        run_state_machine_as_test(
            world,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                print_blob=True,
                phases=PHASES,
            ),
        )
    finally:
        World.database.close()
