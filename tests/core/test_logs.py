import io
import json
import signal
import subprocess
import sys
from datetime import datetime

import pytest
from loguru import logger

from bec_core.logs import configure_logging


@pytest.fixture(autouse=True)
def _restore():
    yield
    logger.remove()


def test_json_lines_carry_time_level_and_context():
    stream = io.StringIO()
    configure_logging(form="json", stream=stream)
    with logger.contextualize(job="ldv1", volume="W1/I1", task=7, attempt=2):
        logger.info("done\nwith it")
    line = json.loads(stream.getvalue())
    assert (line["level"], line["message"], line["job"], line["task"]) == ("INFO", "done\nwith it", "ldv1", 7)
    assert datetime.fromisoformat(line["time"]).utcoffset() is not None


def test_a_traceback_shows_no_values():
    stream = io.StringIO()
    configure_logging(form="json", stream=stream)
    password = "hunter2"
    try:
        raise ValueError(f"length {len(password)}")
    except ValueError:
        logger.exception("failed")
    assert "ValueError" in json.loads(stream.getvalue())["exception"]
    assert "hunter2'" not in stream.getvalue().replace('password = "hunter2"', "")


def test_console_lines_show_where():
    stream = io.StringIO()
    configure_logging(form="console", stream=stream)
    with logger.contextualize(volume="W1/I1"):
        logger.warning("odd {}", "<page>")
    assert "[W1/I1] odd <page>" in stream.getvalue()


def test_lines_for_the_journal_have_its_sign_for_the_level_and_no_time():
    stream = io.StringIO()
    configure_logging(form="journal", stream=stream)
    with logger.contextualize(volume="W1/I1"):
        logger.warning("odd {}", "<page>\nof two lines")
        try:
            raise ValueError("bad")
        except ValueError:
            logger.exception("failed")
    lines = stream.getvalue().splitlines()
    assert lines[:4] == [
        "<4>[W1/I1] odd <page>",
        "<4>of two lines",
        "<3>[W1/I1] failed",
        "<3>Traceback (most recent call last):",
    ]
    assert lines[-1] == "<3>ValueError: bad"


def test_a_file_gets_json_and_stderr_the_form_that_was_asked_for(tmp_path):
    stream = io.StringIO()
    path = tmp_path / "bec.jsonl"
    configure_logging(form="console", stream=stream, file=path)
    logger.info("both")
    assert json.loads(path.read_text())["message"] == "both"
    assert "both" in stream.getvalue()


# -- one log ------------------------------------------------------------------------------------------------

WHOLE = """
import ctypes, logging, os, sys, threading, warnings
from concurrent.futures import ThreadPoolExecutor
from loguru import logger
from pathlib import Path
from bec_core.logs import configure_logging, in_context, within
configure_logging(form="json", capture=True, file=Path(sys.argv[1]) if len(sys.argv) > 1 else None)
with within(job="ldv1", volume="W1/I1"):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(in_context(lambda: logger.info("from a pool"))).result()
        pool.submit(in_context(lambda: logging.getLogger("psycopg.pool").warning("from psycopg"))).result()
    warnings.warn("from a warning")
    os.write(2, b"from a C library\\x1b[2J\\n")
    print("from a print", file=sys.stderr)
    import time; time.sleep(0.5)
"""
SAID = ("from a pool", "from psycopg", "from a warning", "from a C library", "from a print")


def run_whole(*arguments):
    return subprocess.run(
        [sys.executable, "-c", WHOLE, *arguments], capture_output=True, text=True, check=True, timeout=60
    )


def test_the_log_is_json_all_through_with_job_and_volume():
    lines = [json.loads(line) for line in run_whole().stderr.splitlines()]
    for said in SAID:
        (line,) = [one for one in lines if said in one["message"]]
        assert (line["job"], line["volume"]) == ("ldv1", "W1/I1"), said


def test_a_log_file_is_opened_with_its_folder_and_stderr_shows_no_control_character(tmp_path):
    path = tmp_path / "deep" / "bec.jsonl"
    ended = run_whole(str(path))
    messages = [json.loads(line)["message"] for line in path.read_text().splitlines()]
    assert all(any(said in message for message in messages) for said in SAID)
    assert "from a C library" in ended.stderr
    assert "\x1b" not in ended.stderr


def test_a_log_file_is_opened_again_after_a_rotation(tmp_path):
    path = tmp_path / "bec.jsonl"
    configure_logging(file=path)
    logger.info("one")
    path.rename(tmp_path / "bec.jsonl.1")
    logger.info("two")
    assert json.loads((tmp_path / "bec.jsonl.1").read_text())["message"] == "one"
    assert json.loads(path.read_text())["message"] == "two"


def test_no_control_character_reaches_the_console_or_a_json_line_raw():
    nasty = "\x1b[2J\x9b\u202e\ud800\rx"
    for as_json in (True, False):
        stream = io.StringIO()
        configure_logging(form="json" if as_json else "console", stream=stream)
        try:
            raise ValueError(nasty)
        except ValueError:
            logger.exception("{}", nasty)
        assert not [c for c in stream.getvalue() if c in nasty[:-1] and c not in "[2J"]


def test_where_a_crashed_process_stood_is_told_past_the_captured_stderr():
    script = (
        "import ctypes\n"
        "from bec_core.logs import configure_logging\n"
        "configure_logging(form='json', capture=True)\n"
        "ctypes.string_at(0)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGSEGV
    assert "Fatal Python error: Segmentation fault" in ended.stderr
