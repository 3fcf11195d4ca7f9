"""The pages show what the command line says, and what a form does is what its preview showed."""

from __future__ import annotations

import io
import re
from html import unescape
from pathlib import Path

import psycopg
import pytest
from PIL import Image

from bec_serve.templating import share
from support.cli import Bec, write_archive_volume
from support.serving import ACT, MARK, ORIGIN, Client, form_token, log_in

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[2J\u202e"


def words(page: str) -> str:
    """What a reader sees, in one line."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page.partition("<main")[2])))


def test_every_page_says_what_the_command_line_says(job: Bec, client: Client) -> None:
    here = client(hourly_price=0.5)
    progress = job.ok("jobs", "stats", "checksum", "--json").json["progress"]
    shown = words(here.get("/").text)
    assert "checksum" in shown
    assert f"done of 5 volumes {progress['done']} {share(progress['done'], progress['asked'])}" in shown
    assert f"failed {progress['failed']}" in shown
    assert f"waiting {progress['waiting']}" in shown
    assert "cost so far" in shown
    groups = job.ok("errors", "top", "--json").json
    listed = here.get("/failures").text
    of_job = here.get("/jobs/checksum").text
    for group in groups:
        for page in (listed, of_job):
            assert f'href="/jobs/checksum/failures/{group["fingerprint"]}"' in page
            assert group["error_type"] in page
    assert "I0001" in of_job  # among the slowest


def test_a_cause_and_a_task_have_pages_of_their_own(job: Bec, client: Client) -> None:
    here = client()
    task = next(one for one in job.ok("errors", "list", "--json").json if one["error_type"] == "KeyError")
    group = here.get(f"/jobs/checksum/failures/{task['error_fingerprint']}")
    assert f'href="/failures/{task["id"]}"' in group.text
    page = here.get(f"/failures/{task['id']}").text
    assert "W2/I0004" in page
    assert "Traceback (most recent call last)" in page
    assert "nobody thought of this" in unescape(page)
    assert here.get("/failures/999999").status_code == 404
    assert here.get("/jobs/checksum/failures/none").status_code == 404
    assert here.get("/jobs/nope").status_code == 404


def test_failed_pages_are_listed_and_pictures_come_only_from_the_volume(
    job: Bec, client: Client, tmp_path: Path, bec_database: str
) -> None:
    here = client()
    done = next(one for one in job.ok("jobs", "tasks", "checksum", "--json").json if one["i_id"] == "I0002")
    page = here.get(f"/failures/{done['id']}").text
    assert "I00020001.jpg" in page
    assert here.get(f"/failures/{done['id']}/pages/0.jpg").status_code == 422  # it is no image: so it failed
    assert here.get(f"/failures/{done['id']}/pages/1.jpg").status_code == 404
    image = io.BytesIO()
    Image.new("RGB", (2000, 1000), "white").save(image, "JPEG")
    write_archive_volume(tmp_path / "archive", "W2", "I0003", [image.getvalue()])
    (tmp_path / "archive" / "secret.jpg").write_bytes(image.getvalue())
    failed = next(one for one in job.ok("errors", "list", "--json").json if one["ref"]["i_id"] == "I0003")
    with psycopg.connect(bec_database, autocommit=True) as connection:
        for name, status in (("I00030001.jpg", 200), ("../../../secret.jpg", 404), ("/etc/passwd", 404)):
            connection.execute(
                "UPDATE task_executions SET nb_errors = 1, page_errors = jsonb_build_array(jsonb_build_object("
                "'img_filename', %s::text, 'message', %s::text)) WHERE id = %s",
                (name, HOSTILE.replace("\x00", ""), failed["id"]),
            )
            here.app.state.serving.files.forget()  # type: ignore[attr-defined]
            answer = here.get(f"/failures/{failed['id']}/pages/0.jpg")
            assert answer.status_code == status, name
            if status == 200:
                shown = Image.open(io.BytesIO(answer.content))
                assert shown.size == (480, 240)
    text = here.get(f"/failures/{failed['id']}").text
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_preview_shows_what_redrive_would_do_and_does_nothing(job: Bec, client: Client) -> None:
    here = client(allow_actions=True)
    task = next(one for one in job.ok("errors", "list", "--json").json if one["error_type"] == "KeyError")
    place = f"/jobs/checksum/redrive?fingerprint={task['error_fingerprint']}"
    page = here.get(place).text
    assert "Queue 1 volume again?" in page
    assert "W2/I0004" in page
    assert '<form method="post" action="/jobs/checksum/redrive"' not in page  # who may only look
    assert "Log in to act" in page
    assert len(job.ok("errors", "list", "--json").json) == 2
    assert here.get("/jobs/checksum/redrive").status_code == 404


def test_redrive_needs_the_right_to_act(job: Bec, client: Client) -> None:
    task = job.ok("errors", "list", "--json").json[0]
    fields = {"task": str(task["id"]), "digest": "x"}
    looking = client()
    answer = looking.post("/jobs/checksum/redrive", data=fields, headers=ORIGIN)
    assert answer.status_code == 403
    marking = client(allow_marks=True, allow_actions=True)
    assert log_in(marking, MARK) == 303
    page = marking.get("/login").text
    answer = marking.post(
        "/jobs/checksum/redrive", data={**fields, "form_token": form_token(page)}, headers=ORIGIN
    )
    assert answer.status_code == 403
    assert len(job.ok("errors", "list", "--json").json) == 2


def test_what_was_shown_is_queued_again_and_nothing_else(job: Bec, client: Client) -> None:
    here = client(allow_actions=True)
    assert log_in(here, ACT) == 303
    tasks = {one["error_type"]: one for one in job.ok("errors", "list", "--json").json}
    page = here.get(f"/jobs/checksum/redrive?task={tasks['KeyError']['id']}").text
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
    assert set(fields) == {"form_token", "digest", "task"}
    other = {**fields, "task": str(tasks["TerminalTaskError"]["id"])}
    assert here.post("/jobs/checksum/redrive", data=other, headers=ORIGIN).status_code == 409
    done = here.post("/jobs/checksum/redrive", data=fields, headers=ORIGIN)
    assert done.status_code == 200
    assert "1 volume queued again" in done.text
    progress = job.ok("jobs", "stats", "checksum", "--json").json["progress"]
    assert (progress["waiting"], progress["failed"]) == (2, 1)
    assert job.ok("jobs", "log", "checksum", "--json").json[0]["who"].endswith(" through bec serve")
    again = here.post("/jobs/checksum/redrive", data=fields, headers=ORIGIN)
    assert "0 volumes queued again" in again.text  # a second click does nothing
    assert "1 volume waited already" in again.text
    assert job.ok("jobs", "stats", "checksum", "--json").json["progress"]["waiting"] == 2


def test_workers_are_shown_with_what_they_did(job: Bec, client: Client) -> None:
    here = client()
    page = here.get("/workers").text
    assert "No worker is there" in page
    assert "1 worker that stopped within a day" in page
    number = job.ok("workers", "list", "--json").json[0]["id"]
    assert "2 done, 2 terminal_failed" in words(here.get(f"/workers/{number}").text)
    assert here.get("/workers?job=checksum").status_code == 200
    assert here.get("/workers/99999").status_code == 404


def test_jobs_that_read_each_other_are_drawn(job: Bec, client: Client, reader: None) -> None:
    job.ok("jobs", "create", "--name", "reading", "--type", "reader", "--input", "lines=checksum")
    page = client().get("/").text
    assert page.count('class="arrow"') == 2  # across and down
    assert "<title>reading: nothing asked for</title>" in page


def test_a_page_that_takes_long_says_so_at_once_and_comes_by_itself(
    job: Bec, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = client()
    monkeypatch.setattr("bec_serve.routing._AT_ONCE_S", 0.0)
    first = here.get("/jobs/checksum")
    assert first.status_code == 202
    assert '<meta http-equiv="refresh" content="1">' in first.text
    monkeypatch.setattr("bec_serve.routing._AT_ONCE_S", 30.0)
    assert here.get("/jobs/checksum").status_code == 200
    assert here.get("/jobs/nope").status_code == 404


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (0, 0, "–"),
        (0, 9, "0 %"),
        (1, 10_000, "< 1 %"),
        (9999, 10_000, "> 99 %"),
        (9, 9, "100 %"),
        (1, 3, "33 %"),
    ],
)
def test_all_is_said_only_of_all(part: float, whole: float, said: str) -> None:
    assert share(part, whole) == said
