"""One conformance suite for both queues, then what each promises by itself."""

from __future__ import annotations

import json
import shlex
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from bec_core.db import Database
from bec_core.errors import NotFoundError, QueueUnavailable, SettingsError
from bec_core.models import Message, OutgoingMessage, VolumeRef, decode_message, encode_message
from bec_core.queues import CreatedQueues, SqsOptions, create_queues, open_queue, queue_names
from bec_core.queues import sqs as sqs_module
from bec_core.queues.letters import remove_letters
from bec_core.queues.policy import trouble
from bec_core.queues.postgres import PostgresQueue
from bec_core.queues.sqs import SqsQueue
from support.bad_network import Fault, FaultyProxy
from support.services import postgres_server

Create = Callable[..., CreatedQueues]


@pytest.fixture(params=["postgres", "sqs"])
def create(request: pytest.FixtureRequest) -> Create:
    """``create_queues`` with its service filled in."""
    if request.param == "postgres":
        database = request.getfixturevalue("database")
        return lambda name, **more: create_queues(name, "postgres", database=database, **more)
    options = SqsOptions(region="us-east-1", endpoint_url=request.getfixturevalue("aws"))
    return lambda name, **more: create_queues(name, "sqs", sqs=options, **more)


@pytest.fixture
def queues(create: Create) -> Iterator[CreatedQueues]:
    made = create(f"job-{uuid.uuid4().hex[:12]}")
    yield made
    made.tasks.close()
    made.dead_letters.close()


def receive(queue: Any, limit: int = 1, visibility_s: float = 60, wait_s: float = 0) -> list[Message]:
    found: list[Message] = queue.receive(limit=limit, wait_s=wait_s, visibility_s=visibility_s)
    return found


def test_a_message_comes_as_it_was_sent(queues: CreatedQueues) -> None:
    ref = VolumeRef("W22084", "I0886", "ocr_benchmark", "v1")
    odd = OutgoingMessage("not json: ཀ \"'\\ %s \n{}", {"error_message": "ཁ'; DROP TABLE jobs; --"})
    assert queues.tasks.send([encode_message(ref), odd]) == []
    found = {m.body: m for m in receive(queues.tasks, 10) + receive(queues.tasks, 10)}
    assert len(found) == 2
    assert found[odd.body].attributes == odd.attributes
    (other,) = (m for m in found.values() if m.body != odd.body)
    assert decode_message(other) == ref
    assert other.receive_count == 1
    assert other.enqueued_at is not None
    assert abs(other.enqueued_at.timestamp() - time.time()) < 60


def test_a_hidden_message_comes_again_with_its_count(queues: CreatedQueues) -> None:
    queues.tasks.send([OutgoingMessage("{}")])
    (first,) = receive(queues.tasks, visibility_s=1)
    assert receive(queues.tasks) == []
    (second,) = receive(queues.tasks, wait_s=5)
    assert (second.id, second.receive_count) == (first.id, 2)
    assert second.receipt != first.receipt
    assert not queues.tasks.extend(first, 60) or isinstance(queues.tasks, SqsQueue)
    assert receive(queues.tasks) == []
    assert queues.tasks.delete(second)
    assert queues.tasks.stats().in_flight == 0


def test_extending_keeps_it_hidden(queues: CreatedQueues) -> None:
    queues.tasks.send([OutgoingMessage("{}")])
    (message,) = receive(queues.tasks, visibility_s=1)
    assert queues.tasks.extend(message, 30)
    time.sleep(1.2)
    assert receive(queues.tasks) == []
    assert queues.tasks.delete(message)


def test_handing_back_makes_it_visible_at_once_and_ends_the_delivery(queues: CreatedQueues) -> None:
    queues.tasks.send([OutgoingMessage("{}")])
    (message,) = receive(queues.tasks)
    assert queues.tasks.extend(message, 0)
    assert not queues.tasks.extend(message, 60), "the lease keeper must not hide it again"
    (again,) = receive(queues.tasks)
    assert again.id == message.id


def test_a_deleted_message_is_over(queues: CreatedQueues) -> None:
    queues.tasks.send([OutgoingMessage("{}")])
    (message,) = receive(queues.tasks, visibility_s=1)
    assert queues.tasks.delete(message)
    assert not queues.tasks.extend(message, 60)
    time.sleep(1.2)
    assert receive(queues.tasks) == []


def test_each_message_goes_to_one_receiver(queues: CreatedQueues) -> None:
    queues.tasks.send([OutgoingMessage(str(n)) for n in range(60)])

    def work(_: int) -> list[str]:
        got = []
        while batch := receive(queues.tasks, 3):
            for message in batch:
                assert queues.tasks.delete(message)
                got.append(message.body)
        return got

    with ThreadPoolExecutor(4) as pool:
        bodies = [body for part in pool.map(work, range(4)) for body in part]
    assert sorted(bodies, key=int) == [str(n) for n in range(60)]


def test_at_most_the_limit_is_received(queues: CreatedQueues) -> None:
    queues.tasks.send([OutgoingMessage(str(n)) for n in range(15)])
    assert 1 <= len(receive(queues.tasks, 2)) <= 2
    assert 1 <= len(receive(queues.tasks, 10)) <= 10


def test_the_count_of_waiting_and_hidden(queues: CreatedQueues) -> None:
    queues.tasks.send([OutgoingMessage(str(n)) for n in range(7)])
    taken = receive(queues.tasks, 2)
    stats = queues.tasks.stats()
    assert (stats.available, stats.in_flight, stats.delayed) == (7 - len(taken), len(taken), 0)
    assert stats.created_at is not None


def test_peek_leaves_all_in_place(queues: CreatedQueues) -> None:
    queues.tasks.send([OutgoingMessage(str(n), {"n": str(n)}) for n in range(12)])
    peeked = queues.tasks.peek(11, receive=True) or []
    assert len({m.id for m in peeked}) == 11
    assert all(m.attributes == {"n": m.body} for m in peeked)
    assert queues.tasks.stats().available == 12
    assert len(queues.tasks.peek(20, receive=True) or []) == 12


@pytest.mark.parametrize("receive_them", [False, True])
def test_any_number_of_peeks_dead_letters_nothing(create: Create, receive_them: bool) -> None:
    queues = create(f"job-{uuid.uuid4().hex[:12]}", max_receive_count=4)
    queues.tasks.send([encode_message(VolumeRef("W1", f"I{n}")) for n in range(3)])
    for _ in range(17):
        seen = queues.tasks.peek(3, receive=receive_them)
        assert seen is None or len(seen) == 3
    assert queues.dead_letters.stats().available == 0
    assert len(receive(queues.tasks, 10)) == 3
    assert queues.dead_letters.stats().available == 0


def test_a_replaced_message_counts_its_deliveries_anew(queues: CreatedQueues) -> None:
    ref = VolumeRef("W1", "I1", "ocr_benchmark", "v1")
    queues.tasks.send([encode_message(ref)])
    for _ in range(3):
        (message,) = receive(queues.tasks)
        queues.tasks.extend(message, 0)
    (message,) = receive(queues.tasks)
    assert message.receive_count == 4
    queues.tasks.replace(message)
    (fresh,) = receive(queues.tasks, 10)
    assert (decode_message(fresh), fresh.receive_count) == (ref, 1)
    assert not queues.tasks.extend(message, 60) or isinstance(queues.tasks, SqsQueue)
    assert receive(queues.tasks) == []


def test_a_queue_says_its_own_delivery_limit(create: Create) -> None:
    queues = create(f"job-{uuid.uuid4().hex[:12]}", max_receive_count=7)
    on_sqs = isinstance(queues.tasks, SqsQueue)
    assert queues.tasks.delivery_limit() == (7 if on_sqs else None)
    assert queues.dead_letters.delivery_limit() is None


# Letters -----------------------------------------------------------------------------------------------


def refs_of(count: int) -> list[VolumeRef]:
    return [VolumeRef("W1", f"I{n:04}") for n in range(count)]


def test_the_letters_of_some_volumes_go_and_the_others_stay_visible(queues: CreatedQueues) -> None:
    dead, refs = queues.dead_letters, refs_of(35)
    odd = [OutgoingMessage("no volume"), OutgoingMessage(json.dumps({"w_id": "W1", "i_id": "I0003"}))]
    assert dead.send([*map(encode_message, refs), *odd]) == []
    assert remove_letters(dead, refs[3:20]) == 18
    assert dead.stats().available == 19
    assert remove_letters(dead, refs[3:20]) == 0
    assert remove_letters(dead, []) == 0
    assert remove_letters(dead, refs) == 18
    assert dead.stats().available == 1


def test_looking_for_letters_does_not_start_over_when_the_hiding_runs_out(
    queues: CreatedQueues, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, refs = queues.dead_letters, refs_of(30)
    dead.send([encode_message(ref) for ref in refs])
    looked: list[str] = []
    ask = type(dead).receive

    def forgetful(queue: Any, *, limit: int, wait_s: float, visibility_s: float) -> list[Message]:
        if len(looked) > 300:
            raise AssertionError("it goes round and round")
        found = ask(queue, limit=limit, wait_s=0, visibility_s=visibility_s)
        for message in found:
            looked.append(message.body)
            queue.extend(message, 0)  # the hiding is over at once
        return found

    monkeypatch.setattr(type(dead), "receive", forgetful)
    remove_letters(dead, [VolumeRef("W9", "I9")])
    assert len(looked) <= 31
    monkeypatch.undo()
    assert dead.stats().available == 30


def test_looking_for_letters_ends_while_others_add_to_them(
    queues: CreatedQueues, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = queues.dead_letters
    dead.send([encode_message(ref) for ref in refs_of(12)])
    time.sleep(1.1)
    ask, sent = type(dead).receive, [0]

    def busy(queue: Any, *, limit: int, wait_s: float, visibility_s: float) -> list[Message]:
        sent[0] += 1
        assert sent[0] < 50, "it chases what comes meanwhile"
        queue.send([encode_message(VolumeRef("W2", f"I{sent[0]}-{n}")) for n in range(10)])
        return ask(queue, limit=limit, wait_s=0, visibility_s=visibility_s)

    monkeypatch.setattr(type(dead), "receive", busy)
    removed = remove_letters(dead, [*refs_of(12), VolumeRef("W9", "I9")])
    assert removed >= 11 or isinstance(dead, SqsQueue)


def test_looking_through_letters_can_be_bounded(queues: CreatedQueues) -> None:
    queues.dead_letters.send([encode_message(ref) for ref in refs_of(25)])
    removed = remove_letters(queues.dead_letters, refs_of(25), limit=5)
    assert removed == (5 if isinstance(queues.dead_letters, SqsQueue) else 25)


# The queue's own policy --------------------------------------------------------------------------------


def test_queues_that_we_create_have_nothing_wrong(queues: CreatedQueues) -> None:
    assert trouble(queues.tasks, queues.dead_letters) is None


@pytest.mark.parametrize(
    ("policy", "what"),
    [
        ({}, "has no redrive policy"),
        ({"maxReceiveCount": "2"}, "after 2 deliveries"),
        ({"deadLetterTargetArn": "other"}, "not into the job's dead-letter queue"),
    ],
)
def test_a_policy_that_loses_messages_is_named_with_the_command_that_mends_it(
    cloud: CreatedQueues, aws: str, policy: dict[str, str], what: str
) -> None:
    client = boto3.client("sqs", endpoint_url=aws, region_name="us-east-1")
    other = create_queues(f"other-{uuid.uuid4().hex[:8]}", "sqs", sqs=SqsOptions("us-east-1", aws))
    arns = {"deadLetterTargetArn": cloud.dead_letters.arn(), "maxReceiveCount": "20"}  # type: ignore[attr-defined]
    changed = {**arns, **policy}
    if changed["deadLetterTargetArn"] == "other":
        changed["deadLetterTargetArn"] = other.dead_letters.arn()  # type: ignore[attr-defined]
    text = json.dumps(changed) if policy else ""
    client.set_queue_attributes(QueueUrl=cloud.tasks.url, Attributes={"RedrivePolicy": text})
    said = trouble(cloud.tasks, cloud.dead_letters)
    assert said is not None
    assert what in said
    command = shlex.split(said.partition("to mend it: ")[2])
    assert command[:3] == ["aws", "sqs", "set-queue-attributes"]
    assert command[command.index("--queue-url") + 1] == cloud.tasks.url
    client.set_queue_attributes(QueueUrl=cloud.tasks.url, Attributes=json.loads(command[-1]))
    assert trouble(cloud.tasks, cloud.dead_letters) is None, "the command does mend it"


def test_purge_empties(queues: CreatedQueues) -> None:
    queues.tasks.send([OutgoingMessage("{}")] * 3)
    queues.tasks.purge()
    assert receive(queues.tasks) == []
    assert queues.tasks.stats().available == 0


def test_sending_nothing_is_nothing(queues: CreatedQueues) -> None:
    assert queues.tasks.send([]) == []


def test_waiting_ends_when_a_message_comes(queues: CreatedQueues) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(receive, queues.tasks, wait_s=10)
        time.sleep(0.5)
        queues.tasks.send([OutgoingMessage("{}")])
        started = time.monotonic()
        assert len(waiting.result()) == 1
        assert time.monotonic() - started < 3


def test_waiting_ends_in_time(queues: CreatedQueues) -> None:
    started = time.monotonic()
    assert receive(queues.tasks, wait_s=1) == []
    assert 0.9 < time.monotonic() - started < 3


def test_the_last_resort_of_sqs_moves_to_the_dead_letter_queue(aws: str) -> None:
    options = SqsOptions(region="us-east-1", endpoint_url=aws)
    queues = create_queues(f"job-{uuid.uuid4().hex[:12]}", "sqs", sqs=options, max_receive_count=2)
    queues.tasks.send([encode_message(VolumeRef("W1", "I1"))])
    for _ in range(2):
        (message,) = receive(queues.tasks)
        queues.tasks.extend(message, 0)
    assert receive(queues.tasks) == []
    (dead,) = receive(queues.dead_letters)
    assert decode_message(dead) == VolumeRef("W1", "I1")
    assert queues.tasks.stats().available == 0


def test_creating_again_finds_what_is_there(create: Create) -> None:
    job = f"job-{uuid.uuid4().hex[:12]}"
    first = create(job)
    assert first.created == queue_names(job) == (f"bec_{job}_tasks", f"bec_{job}_dlq")
    assert (first.tasks.name, first.dead_letters.name) == first.created
    first.tasks.send([OutgoingMessage("{}")])
    again = create(job, max_receive_count=3)
    assert again.created == ()
    assert again.tasks.url == first.tasks.url
    assert len(receive(again.tasks)) == 1


def test_a_queue_is_opened_again_by_its_url(queues: CreatedQueues, request: pytest.FixtureRequest) -> None:
    database = None
    if queues.tasks.url.startswith("postgres:"):
        database = request.getfixturevalue("database")
    queues.tasks.send([OutgoingMessage("{}")])
    again = open_queue(queues.tasks.url, database=database, sqs=SqsOptions(region="us-east-1"))
    assert again.name == queues.tasks.name
    assert len(receive(again)) == 1


def test_a_queue_that_is_not_there(queues: CreatedQueues, request: pytest.FixtureRequest) -> None:
    local = queues.tasks.url.startswith("postgres:")
    missing = open_queue(
        queues.tasks.url + "x",
        database=request.getfixturevalue("database") if local else None,
        sqs=SqsOptions(region="us-east-1"),
    )
    calls: list[Callable[[], object]] = [
        lambda: receive(missing),
        lambda: missing.send([OutgoingMessage("{}")]),
        missing.stats,
    ]
    for call in calls:
        with pytest.raises(NotFoundError, match="there is no queue"):
            call()


@pytest.mark.parametrize("job", ["", "a b", "a/b", "a'b", "a.b", "x" * 80, "ཀ"])
def test_a_job_name_that_no_queue_can_have(job: str) -> None:
    with pytest.raises(SettingsError, match="queue's name"):
        create_queues(job, "sqs")


@pytest.mark.parametrize(
    "url",
    ["", "bec_x_tasks", "postgres:///", "postgres://host/bec_x_tasks", "postgres:///a/b", "postgres:///a?b",
     "ftp://x/y", "https://", "https://sqs.eu-west-1.amazonaws.com/1/q?x", "https://sqs.x/1/q.fifo"],
)  # fmt: skip
def test_urls_that_are_no_queue(url: str, database: Database) -> None:
    with pytest.raises(SettingsError):
        open_queue(url, database=database)


# PostgreSQL --------------------------------------------------------------------------------------------


@pytest.fixture
def local(database: Database) -> CreatedQueues:
    return create_queues("local", "postgres", database=database)


def test_a_queue_in_postgres_gives_nothing_up_whatever_an_earlier_version_told_it(
    local: CreatedQueues, database: Database
) -> None:
    with database.connection() as connection:
        connection.execute("UPDATE queues SET max_receive_count = 2 WHERE dead_letter_id IS NOT NULL")
    assert local.tasks.delivery_limit() == 2
    local.tasks.send([OutgoingMessage("{}")])
    for delivery in range(1, 6):
        (message,) = receive(local.tasks)
        assert message.receive_count == delivery
        local.tasks.extend(message, 0)
    assert local.dead_letters.stats().available == 0


def test_what_postgres_cannot_store_is_refused_alone(local: CreatedQueues) -> None:
    bad = [OutgoingMessage("a\0b"), OutgoingMessage("ok"), OutgoingMessage("{}", {"k": "\0"})]
    assert [f.index for f in local.tasks.send(bad)] == [0, 2]
    assert [m.body for m in receive(local.tasks, 10)] == ["ok"]


def test_a_waiting_receiver_sees_a_hidden_message_come_back(local: CreatedQueues) -> None:
    queue = PostgresQueue(local.dead_letters.name, local.tasks._database)  # type: ignore[attr-defined]
    queue.send([OutgoingMessage("{}")])
    (message,) = receive(queue)
    assert queue.extend(message, 0.4)
    started = time.monotonic()
    assert len(receive(queue, wait_s=10)) == 1
    assert 0.3 < time.monotonic() - started < 1.5


def test_a_waiting_receiver_is_woken_at_once(local: CreatedQueues) -> None:
    delays = []
    for _ in range(5):
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(lambda: (receive(local.tasks, wait_s=10), time.monotonic()))
            time.sleep(0.2)
            local.tasks.send([OutgoingMessage("{}")])
            sent = time.monotonic()
            messages, seen = waiting.result()
            local.tasks.delete(messages[0])
            delays.append(seen - sent)
    assert sorted(delays)[2] < 0.1


def test_the_queue_survives_its_servers_restart() -> None:
    with postgres_server() as server:
        database = Database(server.new_database("restart"))
        database.open()
        queue = create_queues("x", "postgres", database=database).tasks
        queue.send([OutgoingMessage("kept")])
        (held,) = receive(queue)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(receive, queue, wait_s=20)
            time.sleep(0.3)
            server.stop("immediate")
            with pytest.raises(QueueUnavailable):
                waiting.result(timeout=15)
        server.start()
        queue.send([OutgoingMessage("new")])
        assert queue.delete(held) or receive(queue, 10)
        assert "new" in {m.body for m in receive(queue, 10)} | {m.body for m in queue.peek(10)}
        database.close()


def test_a_receipt_is_no_sql(local: CreatedQueues) -> None:
    local.tasks.send([OutgoingMessage("{}")])
    (message,) = receive(local.tasks)
    assert local.tasks.stats().in_flight == 1
    for receipt in ("", "x'; DELETE FROM queue_messages; --", str(uuid.uuid4())):
        forged = Message(message.id, "", {}, receipt)
        assert not local.tasks.delete(forged)
        assert not local.tasks.extend(forged, 10)
    assert local.tasks.delete(message)


# SQS ---------------------------------------------------------------------------------------------------


@pytest.fixture
def cloud(aws: str, proxy: FaultyProxy) -> CreatedQueues:
    """Queues of moto's that are reached through the proxy."""
    options = SqsOptions(
        region="us-east-1", endpoint_url=proxy.url, connect_timeout_s=1, read_timeout_s=3, max_attempts=3
    )
    return create_queues(f"job-{uuid.uuid4().hex[:12]}", "sqs", sqs=options)


def test_the_created_queues_are_made_to_last(cloud: CreatedQueues) -> None:
    client = cloud.tasks._connected()  # type: ignore[attr-defined]
    for queue in (cloud.tasks, cloud.dead_letters):
        got = client.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["All"])["Attributes"]
        days = 14 if queue is cloud.dead_letters else 4
        assert got["MessageRetentionPeriod"] == str(days * 24 * 3600)
    got = client.get_queue_attributes(QueueUrl=cloud.tasks.url, AttributeNames=["All"])["Attributes"]
    policy = json.loads(got["RedrivePolicy"])
    assert int(policy["maxReceiveCount"]) == 20
    assert policy["deadLetterTargetArn"].endswith(cloud.dead_letters.name)


def test_throttling_is_waited_out(cloud: CreatedQueues, proxy: FaultyProxy) -> None:
    for call in (
        lambda: cloud.tasks.send([OutgoingMessage("{}")]),
        lambda: receive(cloud.tasks)[0],
    ):
        proxy.fail(Fault("status", status=503), times=2)
        call()
    assert sum(fault == "status" for *_, fault in proxy.seen) == 4


@pytest.mark.parametrize("kind", ["status", "hang", "drop"])
def test_trouble_that_stays_is_an_error_with_its_name(
    cloud: CreatedQueues, proxy: FaultyProxy, kind: str
) -> None:
    proxy.fail(Fault(kind), times=1000)  # type: ignore[arg-type]
    options = SqsOptions(region="us-east-1", read_timeout_s=0.3, max_attempts=2)
    queue = open_queue(cloud.tasks.url, sqs=options)
    assert isinstance(queue, SqsQueue)
    message = Message("id", "", {}, "receipt")
    calls: list[Callable[[], object]] = [
        lambda: receive(queue),
        lambda: queue.send([OutgoingMessage("{}")] * 11),
        lambda: queue.extend(message, 10),
        lambda: queue.delete(message),
    ]
    for call in calls:
        with pytest.raises(QueueUnavailable, match=cloud.tasks.name):
            call()


class Strict:
    """A client that, like SQS, refuses the whole call for one bad entry."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        if any(not v["StringValue"] for e in Entries for v in e["MessageAttributes"].values()):
            error = {"Code": "InvalidParameterValue", "Message": "must contain a non-empty value"}
            raise ClientError({"Error": error}, "SendMessageBatch")
        self.taken += [e["MessageBody"] for e in Entries]
        return {}


def test_one_bad_message_does_not_spoil_the_rest() -> None:
    messages = [OutgoingMessage(str(n), {"n": str(n) if n not in (3, 11) else ""}) for n in range(12)]
    client = Strict()
    queue = SqsQueue("https://sqs.x/1/q", client=client)  # type: ignore[arg-type]
    failures = queue.send(messages)
    assert [f.index for f in failures] == [3, 11]
    assert all("non-empty value" in f.reason for f in failures)
    assert len(client.taken) == 10


class HalfDeaf:
    """A client that fails entries of a batch on its first calls, and keeps what it took."""

    def __init__(self, failing_calls: int, *, sender_fault: bool = False) -> None:
        self.left = failing_calls
        self.sender_fault = sender_fault
        self.taken: list[str] = []
        self.lock = threading.Lock()

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        assert len(Entries) <= 10
        assert sum(len(e["MessageBody"]) for e in Entries) <= 262_144
        with self.lock:
            fail = Entries[::2] if self.left > 0 else []
            self.left -= 1
            self.taken += [e["MessageBody"] for e in Entries if e not in fail]
        return {
            "Failed": [
                {"Id": e["Id"], "Code": "InternalError", "Message": "no", "SenderFault": self.sender_fault}
                for e in fail
            ]
        }


def test_failed_entries_are_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    client = HalfDeaf(failing_calls=3)
    queue = SqsQueue("https://sqs.x/1/q", client=client)  # type: ignore[arg-type]
    assert queue.send([OutgoingMessage(str(n)) for n in range(45)]) == []
    assert sorted(client.taken, key=int) == [str(n) for n in range(45)]


def test_entries_that_keep_failing_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    client = HalfDeaf(failing_calls=1000)
    queue = SqsQueue("https://sqs.x/1/q", client=client)  # type: ignore[arg-type]
    failures = queue.send([OutgoingMessage(str(n)) for n in range(20)])
    assert failures
    assert all("InternalError" in f.reason for f in failures)
    assert sorted([*client.taken, *(str(f.index) for f in failures)], key=int) == [str(n) for n in range(20)]


def test_big_messages_are_spread_over_calls() -> None:
    client = HalfDeaf(failing_calls=0)
    queue = SqsQueue("https://sqs.x/1/q", client=client)  # type: ignore[arg-type]
    assert queue.send([OutgoingMessage(str(n) * 100_000) for n in range(10)]) == []
    assert len(client.taken) == 10


class Clocked:
    """A client that records the visibilities it is asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def receive_message(self, **_: Any) -> dict[str, Any]:
        return {"Messages": [{"MessageId": "1", "ReceiptHandle": "r", "Body": "{}"}]}

    def change_message_visibility(self, *, VisibilityTimeout: int, **_: Any) -> None:
        self.asked.append(VisibilityTimeout)


def test_no_delivery_is_extended_beyond_twelve_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(sqs_module.time, "monotonic", lambda: now[0])
    client = Clocked()
    queue = SqsQueue("https://sqs.x/1/q", client=client)  # type: ignore[arg-type]
    (message,) = receive(queue)
    assert queue.extend(message, 100_000)
    now[0] += 11 * 3600
    assert queue.extend(message, 7200.2)
    assert queue.extend(message, 600.2)
    now[0] += 3600
    assert not queue.extend(message, 600)
    assert client.asked == [43_200, 3600, 601]


def test_an_expired_receipt_is_over(cloud: CreatedQueues) -> None:
    class Refusing:
        def change_message_visibility(self, **_: Any) -> None:
            error = {"Code": "AWS.SimpleQueueService.ReceiptHandleIsInvalid", "Message": "expired"}
            raise ClientError({"Error": error}, "ChangeMessageVisibility")

        delete_message = change_message_visibility

    queue = SqsQueue("https://sqs.x/1/q", client=Refusing())  # type: ignore[arg-type]
    message = Message("1", "", {}, "r")
    assert not queue.extend(message, 10)
    assert not queue.delete(message)


@pytest.mark.parametrize(
    ("url", "region", "endpoint"),
    [
        ("https://sqs.eu-west-3.amazonaws.com/1/q", "eu-west-3", "https://sqs.eu-west-3.amazonaws.com"),
        ("https://eu-west-3.queue.amazonaws.com/1/q", "eu-west-3", "https://sqs.eu-west-3.amazonaws.com"),
        ("http://127.0.0.1:4566/1/q", "us-east-1", "http://127.0.0.1:4566"),
    ],
)
def test_the_url_tells_region_and_endpoint(
    url: str, region: str, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = sqs_module.sqs_client(SqsOptions(), queue_url=url)
    assert (client.meta.region_name, client.meta.endpoint_url) == (region, endpoint)
