"""Volumes in a browser: found by name, state and figures; drawn by their plugin; marked, and the marks handed on."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bec_serve.drawings import headers_of
from support.cli import Bec, install_plugin, write_archive_volume
from support.serving import MARK, ORIGIN, Client, form_token, log_in

VOLUME = "/jobs/drawn/volumes/W1/I0001"
PLAIN = re.compile(r"<[^>]+>")


def words(page: str) -> str:
    return " ".join(PLAIN.sub(" ", page).split())


@pytest.fixture
def drawn(bec: Bec, tmp_path: Path) -> Bec:
    """A job that can be drawn, with two volumes done and one that waits."""
    install_plugin(tmp_path / "plugins", "drawn", "support.drawn_job:DRAWN")
    for i_id in ("I0001", "I0002", "I0003"):
        write_archive_volume(tmp_path / "archive", "W1", i_id, [b"?", b"b" * int(i_id[-1])])
    bec.ok("jobs", "create", "--name", "drawn")
    bec.ok("queue", "enqueue", "--job-name", "drawn", "--volume=W1,I0001", "--volume=W1,I0002")
    bec.ok("worker", "--job-name", "drawn", "--poll-wait", "0", "--shutdown-after-empty", "1")
    bec.ok("queue", "enqueue", "--job-name", "drawn", "--volume=W1,I0003")
    return bec


@pytest.fixture
def marker(drawn: Bec, client: Client) -> Iterator[TestClient]:
    """A visitor who may mark."""
    visitor = client(allow_marks=True)
    assert log_in(visitor, MARK) == 303
    return visitor


def until_drawn(visitor: TestClient, place: str = VOLUME) -> str:
    for _ in range(200):
        page = visitor.get(place).text
        if "are being drawn" not in page:
            return page
    raise AssertionError("it was never drawn")


def mark(visitor: TestClient, **fields: object) -> int:
    page = until_drawn(visitor)
    seen = re.search(r'name="seen" value="([^"]+)"', page)
    assert seen
    sent = {
        "form_token": form_token(page),
        "seen": seen[1],
        "who": "Pema",
        "page": "I00010001.jpg",
        "number": "1",
    }
    return visitor.post(f"{VOLUME}/marks", data=sent | fields, headers=ORIGIN).status_code


def test_volumes_are_found_by_name_state_and_figures(drawn: Bec, client: Client) -> None:
    visitor = client()
    everything = words(visitor.get("/jobs/drawn/volumes").text)
    assert "3 volumes" in everything
    assert "W1/I0003 waiting" in everything
    assert words(visitor.get("/jobs/drawn/volumes?q=I0002").text).count("W1/I000") == 1
    assert "1 volume found" in words(visitor.get("/jobs/drawn/volumes?state=waiting").text)
    found = words(visitor.get("/jobs/drawn/volumes?bytes.min=3").text)
    assert "1 volume found" in found
    assert "W1/I0002" in found
    order = visitor.get("/jobs/drawn/volumes?by=bytes&order=down").text
    assert order.index("W1/I0002") < order.index("W1/I0001") < order.index("W1/I0003")
    assert 'aria-sort="descending"' in order


def test_titles_are_shown_as_they_are_and_told_to_be_tibetan_where_they_are(
    drawn: Bec, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "works.csv").write_text('work,title\nW1,"<b>Lamp</b> of བོད"\n', encoding="utf-8")
    monkeypatch.setenv("BEC_CATALOGUE", str(tmp_path / "works.csv"))
    for path in ("/jobs/drawn/volumes", VOLUME):
        page = client().get(path).text
        assert '<bdi lang="bo">&lt;b&gt;Lamp&lt;/b&gt; of བོད</bdi>' in page
    (tmp_path / "works.csv").write_text("work,title\nW1,Lamp\n", encoding="utf-8")
    assert "<bdi>Lamp</bdi>" in client().get(VOLUME).text


@pytest.mark.parametrize(
    "query", ["state=x", "by=x", "bytes.min=x", "leaf=0", "leaf=x", "leaf=99999999999999999999"]
)
def test_what_is_asked_for_and_is_not_there_is_said(drawn: Bec, client: Client, query: str) -> None:
    answer = client().get(f"/jobs/drawn/volumes?{query}")
    assert answer.status_code == 400
    assert "x" in answer.text or "leaf" in answer.text


def test_a_volume_is_drawn_by_its_plugin_and_only_its_own_script_may_run(drawn: Bec, client: Client) -> None:
    visitor = client()
    page = until_drawn(visitor)
    source = re.search(r'<iframe[^>]+src="([^"]+)"', page)
    assert source
    answer = visitor.get(source[1])
    assert answer.status_code == 200
    assert "pages of W1/I0001" in answer.text
    policy = answer.headers["content-security-policy"]
    assert "script-src 'sha256-" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2]
    folder = source[1].rpartition("/")[0]
    for name in ("../../../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "volume.json", "nothing.html"):
        assert visitor.get(f"{folder}/{name}").status_code == 404
    assert visitor.get("/drawings/" + "0" * 32 + "/index.html").status_code == 404


def test_a_drawing_without_a_policy_of_its_own_runs_no_script(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text("<html><script>alert(1)</script>")
    assert "script-src 'none'" in headers_of(page)["content-security-policy"]
    page.write_text(
        "<html>" + " " * 5000 + '<meta http-equiv="Content-Security-Policy" content="script-src *">'
    )
    assert "script-src 'none'" in headers_of(page)["content-security-policy"]


def test_what_cant_be_drawn_says_why(drawn: Bec, client: Client, tmp_path: Path) -> None:
    (tmp_path / "artifacts").rename(tmp_path / "elsewhere")
    assert "is not to be found below" in words(until_drawn(client()))


def test_a_mark_is_kept_with_its_name_and_told_of_later_as_of_an_earlier_result(
    drawn: Bec, marker: TestClient, tmp_path: Path
) -> None:
    assert mark(marker, judgement="wrong", fault=["missing", "merged"], note="<b>two</b> lines") == 303
    page = until_drawn(marker)
    assert "wrong missing, merged" in words(page)
    assert "&lt;b&gt;two&lt;/b&gt; lines" in page
    assert 'name="who" value="Pema"' in page  # asked once
    assert "of an earlier result" not in page
    listed = words(marker.get("/jobs/drawn/marks?judgement=wrong").text)
    assert "W1/I0001 I00010001.jpg wrong" in listed
    assert "I00010001" not in words(marker.get("/jobs/drawn/marks?judgement=right").text)
    write_archive_volume(tmp_path / "archive", "W1", "I0001", [b"?", b"changed"])
    drawn.ok("queue", "enqueue", "--job-name", "drawn", "--volume=W1,I0001", "--force")
    drawn.ok("worker", "--job-name", "drawn", "--poll-wait", "0", "--shutdown-after-empty", "1")
    marker.app.state.serving.reads.forget()  # type: ignore[attr-defined]
    assert "of an earlier result" in words(marker.get("/jobs/drawn/marks").text)


def test_corrected_lines_come_with_a_mark_and_only_where_the_page_is_wrong(marker: TestClient) -> None:
    def sent(data: bytes, judgement: str) -> tuple[int, str]:
        page = until_drawn(marker)
        seen = re.search(r'name="seen" value="([^"]+)"', page)
        assert seen
        answer = marker.post(
            f"{VOLUME}/marks",
            data={"form_token": form_token(page), "seen": seen[1], "who": "Pema", "page": "I00010001.jpg",
                  "judgement": judgement},
            files={"corrected": ("page.xml", data)},
            headers=ORIGIN,
        )  # fmt: skip
        return answer.status_code, words(answer.text)

    status, said = sent(b"lines", "right")
    assert status == 400
    assert "corrected lines go with a page that is wrong" in said
    status, said = sent(b"nonsense", "wrong")
    assert status == 400
    assert "it says no lines" in said
    assert sent(b"lines", "wrong")[0] == 303
    assert "wrong (lines corrected)" in words(marker.get("/jobs/drawn/marks").text)


def test_a_sample_is_marked_page_by_page_and_tells_the_share(drawn: Bec, marker: TestClient) -> None:
    assert "No sample of this job's pages was drawn yet" in words(marker.get("/jobs/drawn/sample").text)
    drawn.ok("marks", "sample", "drawn", "--sample", "4", "--seed", "1")
    marker.app.state.serving.reads.forget()  # type: ignore[attr-defined]
    page = marker.get("/jobs/drawn/sample").text
    assert "wrong unknown" in words(page)
    assert "The next page to mark" in page
    assert "#p1" in page
    assert mark(marker, judgement="wrong", fault="missing") == 303
    assert "3 pages not marked" in words(marker.get("/jobs/drawn/sample").text)
    assert marker.get("/jobs/drawn/sample?id=99").status_code == 404
    assert marker.get("/jobs/drawn/sample?id=x").status_code == 400


def test_two_jobs_are_compared_by_what_differs_most(drawn: Bec, client: Client, tmp_path: Path) -> None:
    drawn.ok("jobs", "create", "--name", "newer", "--type", "drawn")
    write_archive_volume(tmp_path / "archive", "W1", "I0001", [b"?", b"b" * 9])
    drawn.ok("queue", "enqueue", "--job-name", "newer", "--volume=W1,I0001", "--volume=W1,I0002")
    drawn.ok("worker", "--job-name", "newer", "--poll-wait", "0", "--shutdown-after-empty", "1")
    visitor = client()
    assert 'href="?with=drawn"' in visitor.get("/jobs/newer/compare").text
    found = words(visitor.get("/jobs/newer/compare?with=drawn&by=bytes").text)
    assert "2 volumes that both have done" in found
    assert "bytes 5 13 +8" in found
    assert "W1/I0001 2 10 +8" in found
    assert "W1/I0002" not in found
    assert visitor.get("/jobs/newer/compare?with=newer").status_code == 409
    assert visitor.get("/jobs/newer/compare?with=drawn&by=x").status_code == 409
    assert visitor.get("/jobs/newer/compare?with=nothing").status_code == 404


def test_marks_are_handed_on_as_a_table_and_as_lines_and_no_cell_is_a_formula(marker: TestClient) -> None:
    assert mark(marker, judgement="rescan", note="=HYPERLINK(1)") == 303
    answer = marker.get("/jobs/drawn/marks.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="marks-drawn.csv"'
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["page"], row["judgement"], row["who"]) == ("I00010001.jpg", "rescan", "Pema")
    assert not row["note"].startswith("=")
    (line,) = marker.get("/jobs/drawn/marks.jsonl").text.splitlines()
    assert json.loads(line)["note"] == "=HYPERLINK(1)"
    assert marker.get("/jobs/drawn/marks.exe").status_code == 400


@pytest.mark.parametrize(
    "fields",
    [{"judgement": "nice"}, {"judgement": "right", "page": "x.jpg"}, {"judgement": "right", "who": " "}],
)
def test_a_mark_that_is_none_is_refused(marker: TestClient, fields: dict[str, str]) -> None:
    assert mark(marker, **fields) == 400
    assert "Nobody has marked" in words(marker.get("/jobs/drawn/marks").text)


def test_nobody_marks_without_the_right_nor_from_elsewhere(
    drawn: Bec, client: Client, marker: TestClient
) -> None:
    looker = client()
    sent = {"page": "I00010001.jpg", "judgement": "right", "who": "x"}
    assert looker.post(f"{VOLUME}/marks", data=sent, headers=ORIGIN).status_code == 403
    assert marker.post(f"{VOLUME}/marks", data=sent, headers=ORIGIN).status_code == 403  # no form token
    assert (
        marker.post(f"{VOLUME}/marks", data=sent, headers={"origin": "http://evil.example"}).status_code
        == 403
    )
    assert "Mark a page" not in looker.get(VOLUME).text
