import io
import json
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
    configure_logging(json_lines=True, stream=stream)
    with logger.contextualize(job="ldv1", volume="W1/I1", task=7, attempt=2):
        logger.info("done\nwith it")
    line = json.loads(stream.getvalue())
    assert (line["level"], line["message"], line["job"], line["task"]) == ("INFO", "done\nwith it", "ldv1", 7)
    assert datetime.fromisoformat(line["time"]).utcoffset() is not None


def test_a_traceback_shows_no_values():
    stream = io.StringIO()
    configure_logging(json_lines=True, stream=stream)
    password = "hunter2"
    try:
        raise ValueError(f"length {len(password)}")
    except ValueError:
        logger.exception("failed")
    assert "ValueError" in json.loads(stream.getvalue())["exception"]
    assert "hunter2'" not in stream.getvalue().replace('password = "hunter2"', "")


def test_console_lines_show_where():
    stream = io.StringIO()
    configure_logging(json_lines=False, stream=stream)
    with logger.contextualize(volume="W1/I1"):
        logger.warning("odd {}", "<page>")
    assert "[W1/I1] odd <page>" in stream.getvalue()
