"""``bec plan``: in every state of what it is asked about."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.cli import Bec, install_reader_plugin, write_archive_volume

PRICES = """
currency = "XTS"
[instances."example.small"]
cores = 4
hourly = 0.5
[storage]
gib_month = 0.02
[requests]
get = 1
put = 1
list = 1
sqs = 1
"""


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """An archive of three volumes, and the list of them."""
    for number in range(1, 4):
        pages = [b"%d-%d" % (number, page) for page in range(3 + number)]
        write_archive_volume(tmp_path / "archive", "W1", f"I{number}", pages)
    listed = tmp_path / "volumes.txt"
    listed.write_text("W1,I1\nW1,I2\nW1,I3\n")
    (tmp_path / "prices.toml").write_text(PRICES)
    return listed


def test_a_list_of_volumes(bec: Bec, volumes: Path, tmp_path: Path) -> None:
    made = bec.ok(
        "plan", "checksum", "--file", "volumes.txt", "--prices", "prices.toml", "--pages", "4",
        "--instances", "2", "--json",
    ).json  # fmt: skip
    (job,) = made["jobs"]
    assert (job["volumes"]["value"], job["pages"]["value"], job["pages"]["basis"]) == (3, 15, "measured")
    assert job["pages_per_s"]["basis"] == "measured"
    assert "done here, load" in job["pages_per_s"]["why"]
    assert job["read"]["value"] == pytest.approx(15 * 3), "three bytes a page"
    assert job["processor_s"]["basis"] == "measured"
    assert job["core_hours"]["value"] == pytest.approx(15 * job["processor_s"]["value"] / 3600)
    assert job["measured_on"]["cores"] >= 1
    assert job["written"]["basis"] == "extrapolated"
    assert job["on"][0]["cost"]["value"] == pytest.approx(job["on"][0]["instance_hours"]["value"] * 0.5)
    assert job["on"][0]["days"]["basis"] == "assumed"
    assert not list((tmp_path / "artifacts").glob("*")), "nothing is published"
    assert bec.ok("jobs", "list", "--json").json == [], "and no job is made"


def test_a_table_for_people(bec: Bec, volumes: Path) -> None:
    ended = bec.ok("plan", "checksum", "--file", "volumes.txt", "--rate", "2", "--prices", "prices.toml")
    for words in (
        "Hours of one worker",
        "assumed",
        "measured",
        "example.small",
        "XTS",
        "nothing lost",
    ):
        assert words in ended.out
    ended = bec.ok("plan", "checksum", "--volume", "W1,I1", "--rate", "2")
    assert "your own file (--prices FILE" in ended.err
    assert "XTS" not in ended.out


def test_a_chain(bec: Bec, volumes: Path, tmp_path: Path) -> None:
    install_reader_plugin(tmp_path / "plugins")
    made = bec.ok(
        "plan", "checksum,reader", "--file", "volumes.txt", "--prices", "prices.toml", "--pages", "3",
        "--rate", "reader=5", "--json",
    ).json  # fmt: skip
    first, second = made["jobs"]
    assert first["pages_per_s"]["basis"] == "measured"
    assert (second["pages_per_s"]["value"], second["pages_per_s"]["basis"]) == (5, "assumed")
    assert second["written"]["value"] > first["written"]["value"], "it was tried on what the first one wrote"
    assert made["on"][0]["cost"]["value"] == pytest.approx(
        first["on"][0]["cost"]["value"] + second["on"][0]["cost"]["value"]
    )


def test_a_job_before_during_and_after(bec: Bec, volumes: Path) -> None:
    bec.ok("jobs", "create", "--name", "lines", "--type", "checksum")
    ended = bec("plan", "--job-name", "lines")
    assert (ended.code, "nothing is left to do of lines" in ended.err) == (4, True)
    bec.ok("queue", "enqueue", "--job-name", "lines", "--volume", "W1,I1")
    ended = bec("plan", "--job-name", "lines", "--rates-of", "lines")
    assert (ended.code, "has done no volume yet" in ended.err) == (4, True)
    bec.ok("worker", "--job-name", "lines", "--shutdown-after-empty", "1", "--poll-wait", "0")
    bec.ok("queue", "enqueue", "--job-name", "lines", "--volume", "W1,I2", "--volume", "W1,I3")
    made = bec.ok(
        "plan", "--job-name", "lines", "--rates-of", "lines", "--prices", "prices.toml",
        "--measured-on", "example.small", "--json",
    ).json  # fmt: skip
    (job,) = made["jobs"]
    assert (job["volumes"]["value"], job["pages"]["value"]) == (2, 11)
    assert job["pages_per_s"]["why"].startswith("1 volumes that lines did last")
    assert job["on"][0]["pages_per_s"]["basis"] == "measured"
    assert job["written"]["value"] > 0, "told by the markers"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "say either JOB_TYPE"),
        (["checksum"], 2, "say which volumes"),
        (["checksum", "--job-name", "x"], 2, "say either"),
        (["--job-name", "none"], 3, "none"),
        (["nosuch", "--volume", "W1,I1"], 3, "nosuch"),
        (["checksum", "--volume", "W1,I1", "--rate", "fast"], 2, "--rate fast: write"),
        (["checksum", "--volume", "W1,I1", "--rate", "ocr=2"], 2, "say of which job"),
        (["checksum", "--volume", "W1,I1", "--rate", "0"], 2, "a number above 0"),
        (["checksum", "--volume", "W1,I1", "--measured-on", "x"], 2, "say --prices FILE"),
        (["checksum", "--volume", "W1,I1", "--prices", "none.toml"], 2, "none.toml can't be read"),
        (["checksum", "--volume", "W1,I1", "--prices", "volumes.txt"], 2, "volumes.txt is not TOML"),
        (["checksum", "--volume", "W9,I9"], 4, "there is no page to try"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(bec: Bec, volumes: Path, arguments: list[str], code: int, said: str) -> None:
    ended = bec("plan", *arguments)
    assert said in ended.err
    assert ended.code == code, ended.err


def test_volumes_without_a_manifest_count_with_no_page(bec: Bec, volumes: Path) -> None:
    ended = bec.ok("plan", "checksum", "--volume", "W1,I1", "--volume", "W9,I9", "--rate", "2", "--json")
    assert "W9/I9 counts with no page" in ended.err
    assert ended.json["jobs"][0]["pages"]["value"] == 4


def test_pages_that_all_fail_are_no_rate(bec: Bec, tmp_path: Path) -> None:
    write_archive_volume(tmp_path / "archive", "W1", "I1", [b"!bad-page", b"!bad-page"])
    ended = bec("plan", "checksum", "--volume", "W1,I1")
    assert "none of the 2 pages that checksum tried could be done" in ended.err
    assert ended.code == 4
