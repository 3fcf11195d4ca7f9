"""What ships for deployment: the systemd template, its environment file, the log agent's config."""

from __future__ import annotations

import configparser
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from loguru import logger

from bec_cli.exits import Exit
from bec_cli.worker import worker
from bec_core.logs import CONTEXT, configure_logging
from bec_core.plugins import load_plugins
from bec_core.settings import core_fields, load_settings
from support import real_systemd
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
    assert {int(word) for word in service("SuccessExitStatus").split()} == {
        129, Exit.INTERRUPTED, Exit.TERMINATED,
    }  # fmt: skip
    assert {int(word) for word in service("RestartForceExitStatus").split()} == {
        Exit.STUCK, Exit.WORK_LEFT, Exit.FAULT,
    }  # fmt: skip
    assert {int(word) for word in service("RestartPreventExitStatus").split()} == {
        Exit.USAGE, Exit.NOT_FOUND, Exit.CONFLICT,
    }  # fmt: skip


def test_no_limit_of_starts_leaves_a_fleet_down() -> None:
    assert "StartLimitIntervalSec=0\n" in UNIT.read_text()
    assert "StartLimitBurst" not in UNIT.read_text()


def test_systemd_opens_no_file_before_it_makes_its_folder() -> None:
    """``StandardError=append:`` is opened before ``LogsDirectory`` is made: status 222 on a fresh machine."""
    assert not re.search(r"^Standard\w+=(append|file|truncate):", UNIT.read_text(), re.MULTILINE)


def test_the_shell_gives_the_worker_its_arguments_and_its_log(tmp_path: Path) -> None:
    """What systemd makes of ``ExecStart``, run: the program replaces the shell, its stderr goes to the file."""
    program = tmp_path / "bec"
    program.write_text('#!/bin/sh\necho "$$ $*"\necho \'{"level": "INFO"}\' >&2\nexit 75\n')
    program.chmod(0o755)
    line = service("ExecStart").replace("%i", "ldv1").replace("/opt/bec/bin/bec", str(program))
    line = (
        line.replace("${BEC_JOB}", "ldv1").replace(" $BEC_WORKER_ARGS", " --concurrency 2").replace("$$", "$")
    )
    process = subprocess.Popen(
        shlex.split(line),
        stdout=subprocess.PIPE,
        text=True,
        env={"LOGS_DIRECTORY": str(tmp_path), "PATH": "/bin"},
    )
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 75
    assert out == f"{process.pid} worker --job-name ldv1 --grace 60 --concurrency 2\n"
    assert (tmp_path / "ldv1.jsonl").read_text() == '{"level": "INFO"}\n'


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
    known = {name for names in core_fields().values() for name in names}
    known |= {one.environment for one in load_plugins().job_type("ldv1").resources if one.environment}
    assert set(values) - {"BEC_WORKER_ARGS"} <= known
    settings = load_settings(values)
    assert settings.queue_kind == "sqs"
    assert settings.dest_location == "s3://bdrc-artifacts"


def test_the_log_agent_reads_our_log_lines() -> None:
    stream = io.StringIO()
    configure_logging(form="json", stream=stream)
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
    assert "$$LOGS_DIRECTORY/%i.jsonl" in service("ExecStart")
    assert f"/var/log/{service('LogsDirectory')}" == str(Path(file["file_path"]).parent)


@pytest.mark.skipif(real_systemd.why_not() is not None, reason=str(real_systemd.why_not()))
def test_the_unit_starts_on_a_machine_without_any_state_and_again_while_work_is_left(tmp_path: Path) -> None:
    """After the documented steps alone: user, environment file, program. 75, 76, 70 and 1 start it again; 0 not."""
    lab = tmp_path / "lab"
    program = lab / "opt/bec/bin/bec"
    program.parent.mkdir(parents=True)
    program.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = queue ]; then echo "$*" >>/var/lib/bec/waits; exit 5; fi\n'
        'echo "{\\"message\\": \\"$* as $(id -un)\\"}" >&2\n'
        "runs=$(wc -l </var/log/bec/ldv1.jsonl)\n"
        "set -- 75 76 70 1 0; shift $((runs - 1)); exit $1\n"
    )
    program.chmod(0o755)
    (lab / "etc/bec").mkdir(parents=True)
    (lab / "etc/bec/worker.env").write_text("BEC_WORKER_ARGS=--concurrency 2\n")
    units = {
        UNIT.name: UNIT.read_text(),
        f"{UNIT.name}.d/quick.conf": "[Service]\nRestartSec=100ms\n",
    }
    log = lab / "var/log/bec/ldv1.jsonl"
    with real_systemd.systemd(lab, units, wants="bec-worker@ldv1.service", users={"bec": 6543}) as said:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (log.exists() and len(log.read_text().splitlines()) >= 5):
            time.sleep(0.2)
        time.sleep(2)  # another start after status 0 would be seen
        what = said.read_text(errors="replace")
    assert log.exists(), what
    message = {"message": "worker --job-name ldv1 --grace 60 --concurrency 2 as bec"}
    assert [json.loads(line) for line in log.read_text().splitlines()] == [message] * 5, what
    assert (lab / "var/lib/bec/waits").read_text().splitlines() == ["queue wait --job-name ldv1"] * 5
    assert (log.stat().st_uid, log.stat().st_mode & 0o777) == (6543, 0o640)
