"""Jobs that read other jobs, as operators handle them: created, asked, watched, rebound, deleted."""

from __future__ import annotations

import os
import time
from pathlib import Path

import attrs
import boto3
import psycopg
import pytest

from bec_core import Input, TaskContext, TaskResult
from bec_core.db import blocking
from bec_core.testing.checksum_job import ChecksumWorker
from support.cli import Bec, install_plugin, install_reader_plugin, write_archive_volume
from support.reading_job import READER, Reader
from support.services import PostgresServer

WORK = ("--poll-wait", "0", "--shutdown-after-empty", "1")


@pytest.fixture(params=["postgres", "sqs"])
def chain(request: pytest.FixtureRequest, bec: Bec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bec:
    """``bec`` on either queue, with the job types ``checksum`` and ``reader``, which reads it."""
    if request.param == "sqs":
        monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("aws"))
        monkeypatch.setenv("BEC_REGION", "us-east-1")
        monkeypatch.setenv("BEC_QUEUE", "sqs")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        client = boto3.client("sqs", endpoint_url=request.getfixturevalue("aws"), region_name="us-east-1")
        for url in client.list_queues().get("QueueUrls", []):  # moto keeps them from test to test
            client.delete_queue(QueueUrl=url)
    monkeypatch.setattr(Reader, "between", None)
    monkeypatch.setattr(Reader, "suffix", ".json")
    install_reader_plugin(tmp_path / "plugins")
    return bec


def volume(tmp_path: Path, i_id: str, *pages: bytes) -> str:
    write_archive_volume(tmp_path / "archive", "W1", i_id, pages or (b"one", b"two"))
    return f"W1,{i_id}"


def create(bec: Bec, name: str, *more: str) -> str:
    """Create a job; everything that it says."""
    made = bec.ok("jobs", "create", "--name", name, *more)
    return made.out + made.err


def enqueue(bec: Bec, name: str, *more: str) -> dict[str, list[str]]:
    done = bec.ok("queue", "enqueue", "--job-name", name, "--json", *more).json
    return {kind: [one["i_id"] for one in done[kind]] for kind in ("sent", "blocked", "skipped")}


def work(bec: Bec, name: str) -> int:
    return bec("worker", "--job-name", name, *WORK).code


def states(bec: Bec, name: str) -> dict[str, int]:
    progress = bec.ok("jobs", "stats", name, "--json").json["progress"]
    return {key: progress[key] for key in ("waiting", "blocked", "done", "failed") if progress[key]}


def test_the_only_job_of_the_type_is_read_and_told(chain: Bec, tmp_path: Path) -> None:
    create(chain, "mychecks", "--type", "checksum")
    said = create(chain, "reading-1")
    assert "reading-1 is of job type reader, the only one of the family reading" in said
    assert "Input lines: mychecks (the only job of type checksum)" in said
    shown = chain.ok("jobs", "show", "reading-1").out
    assert "Input lines: mychecks\n" in shown
    assert "Read by: reading-1\n" in chain.ok("jobs", "show", "mychecks").out
    assert "reader-new is of job type reader, which its name begins with" in create(chain, "reader-new")


def test_of_several_the_one_named_as_the_type_is_read_else_it_is_refused_with_the_choice(chain: Bec) -> None:
    create(chain, "one", "--type", "checksum")
    create(chain, "two", "--type", "checksum")
    refused = chain("jobs", "create", "--name", "reader")
    assert refused.code == 4
    assert "choose with --input lines=one | lines=two" in refused.err
    assert [job["name"] for job in chain.ok("jobs", "list", "--json").json] == ["one", "two"]
    create(chain, "checksum")
    assert "Input lines: checksum (of 3 jobs of type checksum the one named so)" in create(chain, "reader")
    other = chain.ok(
        "jobs", "create", "--name", "other", "--type", "reader", "--input", "lines=two", "--dry-run"
    )
    assert "Input lines: two (as given)" in other.out


def test_without_a_job_to_read_it_is_made_with_a_warning_and_all_is_blocked(
    chain: Bec, tmp_path: Path
) -> None:
    assert "every volume is blocked until it is bound (bec jobs update reader --input lines=JOB)" in create(
        chain, "reader"
    )
    one = volume(tmp_path, "I0001")
    assert enqueue(chain, "reader", "--volume", one)["blocked"] == ["I0001"]
    assert "Blocked: 1 (lines: bound to no job)" in chain.ok("jobs", "stats", "reader").out
    create(chain, "checksum")
    chain.ok("jobs", "update", "reader", "--input", "lines=checksum")
    enqueue(chain, "checksum", "--volume", one)
    assert work(chain, "checksum") == 0
    assert states(chain, "reader") == {"waiting": 1}
    assert work(chain, "reader") == 0
    assert states(chain, "reader") == {"done": 1}


def test_wrong_inputs_are_refused_with_the_way_out(chain: Bec) -> None:
    create(chain, "checksum")
    for given, code, said in (
        ("lines", 2, "--input lines is not NAME=JOB"),
        ("pages=checksum", 2, "has no input pages (it has: lines)"),
        ("lines=nobody", 3, "there is no job 'nobody' for the input lines (jobs of type checksum: checksum)"),
    ):
        refused = chain("jobs", "create", "--name", "reader", "--input", given)
        assert (refused.code, said in refused.err) == (code, True), refused.err
    create(chain, "reader")
    refused = chain("jobs", "update", "reader", "--input", "lines=reader")
    assert refused.code == 4
    assert "the input lines takes jobs of type checksum; reader is of type reader" in refused.err
    assert chain("jobs", "create", "--name", "c", "--type", "checksum", "--follow").code == 2


def test_a_job_that_others_read_is_deleted_only_if_that_is_said(chain: Bec, tmp_path: Path) -> None:
    create(chain, "checksum")
    create(chain, "reader")
    refused = chain("jobs", "delete", "checksum", "--yes")
    assert refused.code == 4
    assert "job checksum is read by reader, blocked without it" in refused.err
    assert "needs --unbind-readers" in chain.ok("jobs", "delete", "checksum", "--dry-run").err
    chain.ok("jobs", "delete", "checksum", "--yes", "--unbind-readers")
    assert "Input lines: bound to no job" in chain.ok("jobs", "show", "reader").out


def test_from_asking_to_done_with_everything_watched_in_between(chain: Bec, tmp_path: Path) -> None:
    create(chain, "checksum")
    create(chain, "reader")
    good, bad = volume(tmp_path, "I0001"), volume(tmp_path, "I0002", b"!terminal")
    both = ("--volume", good, "--volume", bad)
    asked = chain.ok("queue", "enqueue", "--job-name", "reader", *both)
    assert "Blocked 2 volumes, an input is not done: W1/I0001, W1/I0002" in asked.out
    assert "Blocked: 2 (lines: 2 not asked for)" in chain.ok("jobs", "stats", "reader").out
    idle = chain.ok("worker", "--job-name", "reader", *WORK)  # nothing is on its way
    assert "2 volumes blocked by inputs that nobody is doing: bec jobs stats reader" in idle.err
    chain.ok("queue", "enqueue", "--job-name", "reader", *both, "--with-inputs")
    assert states(chain, "checksum") == {"waiting": 2}
    assert "Blocked: 2 (lines: 2 waiting)" in chain.ok("jobs", "stats", "reader").out
    assert work(chain, "reader") == 75, "its inputs are on their way"
    top = chain.ok("top", "--once", "--json").json
    assert {job["job"]: job["blocked"] for job in top["jobs"]} == {"checksum": 0, "reader": 2}
    shown = chain.ok("volumes", "show", "W1,I0001").out
    assert "blocked" in shown
    listed = chain.ok("volumes", "list", "--job-name", "reader", "--status", "blocked", "--json").json
    assert [one["i_id"] for one in listed] == ["I0001", "I0002"]
    work(chain, "checksum")
    assert "Blocked: 1 (lines: 1 failed)" in chain.ok("jobs", "stats", "reader").out
    assert work(chain, "reader") == 0
    assert states(chain, "reader") == {"done": 1, "blocked": 1}
    assert chain.ok("audit", "--job-name", "reader").out == "✓ All fits\n"
    volume(tmp_path, "I0002", b"good now")
    enqueue(chain, "checksum", "--volume", bad)
    work(chain, "checksum")
    assert work(chain, "reader") == 0
    assert states(chain, "reader") == {"done": 2}


def test_a_following_job_is_asked_by_itself_and_what_was_done_before_by_done_by(
    chain: Bec, tmp_path: Path
) -> None:
    create(chain, "checksum")
    before = volume(tmp_path, "I0001")
    enqueue(chain, "checksum", "--volume", before)
    work(chain, "checksum")
    create(chain, "reader", "--follow")
    assert "Input lines: checksum, followed" in chain.ok("jobs", "show", "reader").out
    enqueue(chain, "checksum", "--volume", volume(tmp_path, "I0002"))
    work(chain, "checksum")
    assert states(chain, "reader") == {"waiting": 1}
    assert enqueue(chain, "reader", "--done-by", "checksum") == {
        "sent": ["I0001"], "blocked": [], "skipped": ["I0002"],
    }  # fmt: skip
    assert work(chain, "reader") == 0
    assert states(chain, "reader") == {"done": 2}
    chain.ok("jobs", "update", "reader", "--no-follow")
    enqueue(chain, "checksum", "--volume", volume(tmp_path, "I0003"))
    work(chain, "checksum")
    assert states(chain, "reader") == {"done": 2}


def test_pausing_the_job_in_the_middle_loses_nothing(chain: Bec, tmp_path: Path) -> None:
    create(chain, "checksum")
    create(chain, "reader", "--follow")
    chain.ok("jobs", "pause", "reader")
    enqueue(chain, "checksum", "--volume", volume(tmp_path, "I0001"))
    work(chain, "checksum")
    assert states(chain, "reader") == {"waiting": 1}
    chain.ok("jobs", "resume", "reader")
    assert work(chain, "reader") == 0
    assert states(chain, "reader") == {"done": 1}


def test_what_is_out_of_date_and_why(chain: Bec, tmp_path: Path) -> None:
    create(chain, "checksum")
    create(chain, "reader")
    two = ("--volume", volume(tmp_path, "I0001"), "--volume", volume(tmp_path, "I0002"))
    chain.ok("queue", "enqueue", "--job-name", "reader", "--with-inputs", *two)
    work(chain, "checksum")
    work(chain, "reader")
    none = chain.ok("jobs", "stale", "reader")
    assert (none.out, "no worker" in none.err) == ("Nothing is out of date\n", False)
    chain.ok("jobs", "update", "reader", "--config-text", '{"page_ms": 1}')
    unseen = chain.ok("jobs", "stale", "reader").err
    assert "no worker of job reader has started since its revision 2" in unseen
    chain.ok("jobs", "update", "reader", "--config-text", "{}")
    enqueue(chain, "checksum", "--volume", "W1,I0001", "--force")
    work(chain, "checksum")
    assert chain.ok("jobs", "stale", "reader").out == "Nothing is out of date\n", (
        "done again with the same result"
    )

    create(chain, "other", "--type", "checksum")
    chain.ok("jobs", "update", "reader", "--input", "lines=other")
    assert len(chain.ok("jobs", "stale", "reader", "--json").json) == 2, "the other has done nothing"
    enqueue(chain, "other", *two)
    work(chain, "other")
    assert chain.ok("jobs", "stale", "reader").out == "Nothing is out of date\n", "the same content"
    run = ChecksumWorker.run

    def otherwise(self: ChecksumWorker, ctx: TaskContext) -> TaskResult:
        result = run(self, ctx)
        ctx.write_artifact(".json", b'{"other": 1}')
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ChecksumWorker, "run", otherwise)
        enqueue(chain, "other", "--volume", "W1,I0001", "--force")
        work(chain, "other")
    (stale,) = chain.ok("jobs", "stale", "reader", "--json").json
    assert (stale["i_id"], stale["reasons"]) == ("I0001", {"input": "lines"})
    shown = chain.ok("jobs", "stale", "reader", "--why").out
    assert "input: lines" in shown
    assert "Out of Date: 1" in chain.ok("jobs", "stats", "reader").out
    assert enqueue(chain, "reader", "--stale=model")["sent"] == []
    assert chain("queue", "enqueue", "--job-name", "reader", "--stale=weather").code == 2
    assert enqueue(chain, "reader", "--stale=input")["sent"] == ["I0001"]
    work(chain, "reader")
    (text,) = (tmp_path / "artifacts" / "reader" / "W1" / "I0001").rglob("*.txt")
    assert text.read_bytes() == b'read: {"other": 1}'
    assert chain.ok("jobs", "stale", "reader").out == "Nothing is out of date\n"


def test_one_volume_here_and_now_says_what_it_waits_for(chain: Bec, tmp_path: Path) -> None:
    create(chain, "checksum")
    create(chain, "reader")
    volume(tmp_path, "I0001")
    here = ("--w", "W1", "--i", "I0001")
    blocked = chain("run-volume", "--job-name", "reader", *here)
    assert blocked.code == 4
    assert "blocked: not done at version" in blocked.err
    assert "lines (checksum)" in blocked.err
    chain.ok("run-volume", "--job-name", "checksum", *here)
    chain.ok("run-volume", "--job-name", "reader", *here)


def test_an_audit_finds_and_mends_what_is_blocked_although_its_input_is_done(
    chain: Bec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(chain, "checksum")
    create(chain, "reader")
    one = volume(tmp_path, "I0001")
    enqueue(chain, "reader", "--volume", one)
    enqueue(chain, "checksum", "--volume", one)
    with pytest.MonkeyPatch.context() as patch:  # a worker of the version before
        patch.setattr(blocking, "before_finishing", lambda connection, job_id: False)
        work(chain, "checksum")
    assert (
        "Blocked: 1 (inputs done: released by whoever looks next)" in chain.ok("jobs", "stats", "reader").out
    )
    found = chain("audit", "--job-name", "reader", "--json")
    assert found.code == 6
    assert [one["kind"] for one in found.json["findings"]] == ["blocked-ready"]
    chain.ok("audit", "--job-name", "reader", "--repair", "--yes")
    assert states(chain, "reader") == {"waiting": 1}


def test_waiting_for_inputs_ends_when_one_is_done(
    chain: Bec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(chain, "checksum")
    create(chain, "reader")
    one = volume(tmp_path, "I0001")
    wait = ("queue", "wait", "--job-name", "reader", "--at-most", "4")
    enqueue(chain, "reader", "--volume", one)
    began = time.monotonic()
    chain.ok(*wait)
    assert time.monotonic() - began < 3.8, "nothing is on its way"
    enqueue(chain, "checksum", "--volume", one)
    began = time.monotonic()
    chain.ok(*wait)
    assert time.monotonic() - began > 3.9, "its input is"
    assert "1 blocked, their inputs on their way" in chain("worker", "--job-name", "reader", *WORK).err
    with pytest.MonkeyPatch.context() as patch:  # a worker of the version before
        patch.setattr(blocking, "before_finishing", lambda connection, job_id: False)
        work(chain, "checksum")
    began = time.monotonic()
    chain.ok("queue", "wait", "--job-name", "reader", "--at-most", "60")
    assert time.monotonic() - began < 10, "it can be released"


def test_what_failed_further_up_the_chain_is_on_nobodys_way(
    chain: Bec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    further = attrs.evolve(READER, name="further", family=None, inputs=(Input("text", family="reading"),))
    monkeypatch.setattr("support.reading_job.FURTHER", further, raising=False)
    install_plugin(tmp_path / "plugins", "further", "support.reading_job:FURTHER")
    for name in ("checksum", "reader", "further"):
        create(chain, name)
    good, bad = volume(tmp_path, "I0001"), volume(tmp_path, "I0002", b"!terminal")
    both = ("--volume", good, "--volume", bad)
    enqueue(chain, "further", *both)
    assert "Blocked: 2 (text: 2 not asked for)" in chain.ok("jobs", "stats", "further").out
    enqueue(chain, "reader", *both)
    assert "Blocked: 2 (text: 2 not asked for)" in chain.ok("jobs", "stats", "further").out, (
        "nor what it reads"
    )
    assert work(chain, "further") == 0
    enqueue(chain, "checksum", *both)
    assert "Blocked: 2 (text: 2 waiting)" in chain.ok("jobs", "stats", "further").out
    assert work(chain, "further") == 75
    work(chain, "checksum")
    assert "Blocked: 2 (text: 1 waiting, 1 failed)" in chain.ok("jobs", "stats", "further").out
    assert work(chain, "reader") == 0
    assert "1 failed" in chain.ok("jobs", "stats", "further").out
    volume(tmp_path, "I0002", b"good now")
    enqueue(chain, "checksum", "--volume", bad)
    assert "Blocked: 1 (text: 1 waiting)" in chain.ok("jobs", "stats", "further").out
    work(chain, "checksum")
    work(chain, "reader")
    assert chain.ok("jobs", "stats", "further", "--json").json["progress"]["blocked"] == 0


def test_what_was_done_by_an_unknown_recipe_is_said_to_be_unknown(
    chain: Bec, tmp_path: Path, postgres: PostgresServer
) -> None:
    create(chain, "checksum")
    enqueue(chain, "checksum", "--volume", volume(tmp_path, "I0001"))
    work(chain, "checksum")
    assert "unknown" not in chain.ok("jobs", "stale", "checksum").err
    with psycopg.connect(postgres.dsn(os.environ["BEC_SQL_DATABASE"]), autocommit=True) as connection:
        connection.execute("UPDATE task_executions SET recipe = NULL")
    shown = chain.ok("jobs", "stale", "checksum")
    assert "1 volume done by a recipe that nobody knows" in shown.err
    assert shown.out == "Nothing is out of date\n"
