"""What ships for deployment: the systemd template, its environment file, the log agent's config."""

from __future__ import annotations

import configparser
import io
import json
import re
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import attrs
import pytest
from loguru import logger

from bec_cli.exits import Exit
from bec_cli.worker import worker
from bec_core.logs import CONTEXT, configure_logging
from bec_core.settings import Settings, load_settings
from support.places import ROOT

SYSTEMD = ROOT / "systemd"
UNIT = SYSTEMD / "bec-worker@.service"


def service(name: str) -> str:
    """A setting of the unit that is given once."""
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    parser.read(UNIT)
    return parser["Service"][name]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
@pytest.mark.parametrize("instance", ["ldv1", "ldv1-2"])
def test_systemd_accepts_the_unit(tmp_path: Path, instance: str) -> None:
    text = UNIT.read_text().replace("/opt/bec/bin/bec", sys.executable)
    unit = tmp_path / f"bec-worker@{instance}.service"
    unit.write_text(text)
    ended = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    ours = [line for line in ended.stderr.splitlines() if "bec-worker" in line]
    assert (ended.returncode, ours) == (0, [])


def test_the_unit_knows_our_exit_statuses() -> None:
    assert service("Restart") == "on-failure"
    assert {int(word) for word in service("SuccessExitStatus").split()} == {Exit.INTERRUPTED, Exit.TERMINATED}
    assert {int(word) for word in service("RestartPreventExitStatus").split()} == {
        Exit.USAGE, Exit.NOT_FOUND, Exit.CONFLICT,
    }  # fmt: skip


def test_the_unit_stops_no_sooner_than_the_worker_hands_back() -> None:
    grace = float(re.findall(r"--grace (\d+)", service("ExecStart"))[0])
    assert float(service("TimeoutStopSec").removesuffix("s")) >= grace + 20


def test_the_unit_calls_options_that_exist() -> None:
    known = {option for parameter in worker.params for option in parameter.opts}
    assert set(re.findall(r"--[a-z-]+", service("ExecStart"))) <= known


def test_the_environment_file_sets_what_bec_reads() -> None:
    text = (SYSTEMD / "worker.env").read_text()
    values = dict(
        line.lstrip("#").split("=", 1) for line in text.splitlines() if re.match(r"#?[A-Z0-9_]+=", line)
    )
    known = {name for field in attrs.fields(Settings) for name in field.metadata["env"]}
    assert set(values) - {"BEC_WORKER_ARGS"} <= known
    settings = load_settings({name: value for name, value in values.items() if name != "BEC_LD_MODEL_PATH"})
    assert settings.queue_kind == "sqs"
    assert settings.dest_location == "s3://bdrc-artifacts"


def test_the_log_agent_reads_our_log_lines() -> None:
    stream = io.StringIO()
    configure_logging(json_lines=True, stream=stream)
    try:
        with logger.contextualize(job="ldv1", volume="W1/I1", worker=3, task=4, attempt=1):
            logger.info("done")
    finally:
        logger.remove()
    line = json.loads(stream.getvalue())
    assert set(CONTEXT) | {"time", "level", "message"} <= set(line)
    file = json.loads((SYSTEMD / "cloudwatch-agent.json").read_text())["logs"]["logs_collected"]["files"][
        "collect_list"
    ][0]
    assert file["timezone"] == "UTC"
    moment = datetime.fromisoformat(line["time"])
    assert moment.utcoffset() is not None
    assert line["time"].startswith(moment.strftime(file["timestamp_format"])[:-3])
    assert Path(file["file_path"]).parent == Path(service("StandardError").removeprefix("append:")).parent
    assert f"/var/log/{service('LogsDirectory')}" == str(Path(file["file_path"]).parent)
