"""``--wait``: when there is something to do for a worker that has loaded nothing yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bec_cli import worker_waiting
from bec_cli.worker_waiting import wait_for_work
from bec_core.admin.jobs import find_job
from bec_core.admin.session import Session
from bec_core.admin.waiting import LOOK_S, Outlook, outlook
from bec_core.errors import DatabaseUnavailable
from bec_core.models import OutgoingMessage
from bec_core.settings import Supervision, load_settings
from bec_core.worker import Life, ServiceManager, Watchdog
from support.cli import Bec


@pytest.fixture
def session(bec: Bec) -> Iterator[Session]:
    bec.ok("jobs", "create", "--name", "checksum")
    with Session(load_settings()) as opened:
        yield opened


def seen(session: Session) -> Outlook:
    return outlook(session, find_job(session, "checksum"))


def test_what_a_worker_would_meet(bec: Bec, session: Session) -> None:
    assert seen(session) == Outlook(
        "nothing is left to do for job checksum: waiting for more", LOOK_S, nothing_left=True
    )
    bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I0001")
    assert seen(session).pause_s is None
    bec.ok("jobs", "pause", "checksum")
    assert seen(session) == Outlook("job checksum is paused", LOOK_S)
    bec.ok("jobs", "resume", "checksum")
    assert seen(session).pause_s is None


def test_a_message_that_nobody_entered_into_the_ledger_is_something_to_do(session: Session) -> None:
    job = find_job(session, "checksum")
    session.queue(job.queue_url).send([OutgoingMessage("{}")])
    assert seen(session).pause_s is None


def test_a_cancelled_job_has_its_messages_to_be_set_aside_and_no_more(bec: Bec, session: Session) -> None:
    bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I0001")
    bec.ok("jobs", "cancel", "checksum")
    job = find_job(session, "checksum")
    queue = session.queue(job.queue_url)
    for message in queue.receive(limit=10, wait_s=0, visibility_s=60):
        queue.delete(message)
    assert seen(session).nothing_left


def test_trouble_fails_the_first_look_and_is_waited_for_later(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Outlook | Exception] = []

    def look(*_: object) -> Outlook:
        found = looks.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    said: list[str] = []
    watchdog = Watchdog(ServiceManager(Supervision()), Life())
    monkeypatch.setattr(worker_waiting, "outlook", look)
    monkeypatch.setattr(watchdog, "idle", lambda why, _: said.append(why))
    away = DatabaseUnavailable("it is away")
    looks[:] = [away]
    with pytest.raises(DatabaseUnavailable):
        wait_for_work(session, "checksum", watchdog, poll_s=0)
    looks[:] = [Outlook("nothing", 0.1), away, away, Outlook("nothing", 0.1), Outlook()]
    assert wait_for_work(session, "checksum", watchdog, poll_s=0).name == "checksum"
    assert said == ["nothing", *["waiting after trouble: it is away"] * 2, "nothing"]
