"""Nothing that strangers named reaches a terminal raw, and a reader may leave whenever it likes."""

from __future__ import annotations

import json
import subprocess
import sys

import psycopg
import pytest
from loguru import logger

from bec_cli.common import styled
from bec_cli.main import run
from bec_core.text import readable, shown, shown_line

NASTY = "\x1b]0;x\x07\x9b2J\u202e\u2066\u200e\u061c[red]x[/red]"
RAW = set("\x1b\x07\x9b\u202e\u2066\u200e\u061c")


def test_each_kind_of_control_is_an_escape_and_letters_stay() -> None:
    for code in (
        *range(32),
        *range(0x7F, 0xA0),
        0x61C,
        0x200E,
        0x200F,
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        0xD800,
    ):
        if chr(code) not in "\n\t":
            assert chr(code) not in shown(f"a{chr(code)}b")
        assert chr(code) not in shown_line(f"a{chr(code)}b")
    assert shown("ཀ é\n\t中") == "ཀ é\n\t中"
    assert readable("caf\udce9") == "caf\\xe9"
    assert styled(("[red]\x1b", "red")).plain == "[red]\\x1b"


@pytest.fixture
def planted(bec, postgres):
    """A job with a failed task whose texts are a stranger's; its task's id."""
    import os

    bec.ok("jobs", "create", "--name", "checksum")
    bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I1")
    bec("worker", "--job-name", "checksum", "--poll-wait", "0.1", "--shutdown-after-empty", "1")
    with psycopg.connect(
        host=os.environ["BEC_SQL_HOST"], user="postgres", dbname=os.environ["BEC_SQL_DATABASE"]
    ) as connection:
        connection.execute(
            "UPDATE task_executions SET error_message = %s, error_type = %s, error_traceback = %s",
            [NASTY] * 3,
        )
        connection.execute("UPDATE workers SET worker_name = %s, hostname = %s", [NASTY] * 2)
        (task,) = connection.execute("SELECT max(id) FROM task_executions").fetchone()
    return str(task)


@pytest.mark.parametrize("as_json", [False, True])
def test_no_listing_shows_a_planted_control_character(bec, planted, as_json) -> None:
    seen = 0
    for command in (
        ("errors", "top"), ("errors", "list"), ("errors", "show", planted), ("workers", "list", "--all"),
        ("top", "--once"), ("jobs", "list"), ("volumes", "list", "--job-name", "checksum"),
        ("queue", "peek", "--job-name", "checksum", "--dlq"),
    ):  # fmt: skip
        words = [word for word in command if not (as_json and word == "--once")]
        ended = bec(*words, *(["--json"] if as_json else []))
        assert not RAW & set(ended.out + ended.err), (command, ended.out)
        seen += "[red]x[/red]" in ended.out
        if as_json and ended.code == 0:
            json.loads(ended.out)
    assert seen


def test_a_reader_that_leaves_early_is_no_error(bec) -> None:
    for number in range(40):
        bec.ok(
            "jobs",
            "create",
            "--name",
            f"j{number}",
            "--type",
            "checksum",
            "--config-text",
            "{}",
        )
    for words in ("jobs list", "jobs list --json", "jobs list 2>&1"):
        arguments, _, redirect = words.partition(" 2>")
        arguments += f" 2>{redirect}" if redirect else ""
        command = f"set -o pipefail; {sys.executable} -m bec_cli {arguments} | true"
        ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stderr) == (0, ""), words


def test_a_traceback_of_debug_shows_no_control_character() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bec_cli", "--env-file", "/dev/null", "--debug", "plugins", "list"],
        env={"PYTHONPATH": ":".join(sys.path), "BEC_LOG_FILE": "/proc/\x1b[2J\u202e/log"},
        capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert "Traceback" in ended.stderr
    assert "\\x1b[2J\\u202e" in ended.stderr
    assert not RAW & set(ended.stderr)


def test_a_log_file_that_cant_be_written_is_said() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bec_cli", "--env-file", "/dev/null", "plugins", "list"],
        env={"PYTHONPATH": ":".join(sys.path), "BEC_LOG_FILE": "/proc/nothere/log"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr.startswith("bec: BEC_LOG_FILE=/proc/nothere/log can't be written: ")


def test_a_plugins_command_shows_no_control_character_of_a_files_name(tmp_path, capsys) -> None:
    folder = tmp_path / "W1\x1b[2J\u202e"
    for name in ("done", "unfinished"):
        (folder / name).mkdir(parents=True)
        (folder / name / f"{name}.parquet").write_bytes(b"no parquet")
    (folder / "done" / "success.json").write_text("{}")
    assert run(["ldv1", "export", str(folder), "--format", "csv", "--out", str(tmp_path / "out")]) == 1
    logger.remove()
    seen = capsys.readouterr()
    assert "left out" in seen.err
    assert not RAW & set(seen.out + seen.err)
