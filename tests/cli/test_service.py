"""What ships for deployment: the systemd units, their environment file, the log agent's and logrotate's config."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from loguru import logger

from bec_cli.exits import Exit
from bec_cli.worker import worker
from bec_core.logs import CONTEXT, configure_logging
from bec_core.plugins import load_plugins
from bec_core.settings import core_fields, load_settings
from support.places import ROOT

SYSTEMD = ROOT / "systemd"
TEMPLATE = SYSTEMD / "bec-worker@.service"
UNITS = (TEMPLATE, SYSTEMD / "bec-worker.service")
NEEDS_SYSTEMD = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")


def service(name: str) -> list[str]:
    """What the template says for a setting, each time it is given."""
    return [
        line.partition("=")[2] for line in TEMPLATE.read_text().splitlines() if line.startswith(f"{name}=")
    ]


def lines_of(unit: Path) -> list[str]:
    return [line for line in unit.read_text().splitlines() if line and not line.startswith("#")]


def analyze(tmp_path: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    unit = tmp_path / name
    template = re.sub(r"@.*\.", "@.", name)
    unit.write_text((SYSTEMD / template).read_text().replace("/opt/bec/bin/bec", sys.executable))
    command = ["systemd-analyze", *arguments, str(unit)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@NEEDS_SYSTEMD
@pytest.mark.parametrize(
    "name",
    [
        "bec-worker.service",
        "bec-worker@ldv1.service",
    ],
)
def test_systemd_accepts_the_unit(tmp_path: Path, name: str) -> None:
    ended = analyze(tmp_path, name, "verify", "--man=no")
    assert (ended.returncode, [line for line in ended.stderr.splitlines() if "bec-worker" in line]) == (0, [])


@NEEDS_SYSTEMD
def test_a_worker_has_few_rights(tmp_path: Path) -> None:
    ended = analyze(tmp_path, "bec-worker.service", "security", "--offline=true", "--threshold=25")
    assert ended.returncode == 0, ended.stdout


def test_the_two_units_differ_in_the_job_alone() -> None:
    template, one = (lines_of(unit) for unit in UNITS)
    assert [line for line in one if line not in template] == [
        "Description=BEC worker",
        "Environment=BEC_JOB=ldv1",
        "Environment=BEC_LOG_FORMAT=journal BEC_LOG_FILE=/var/log/bec/worker.jsonl",
        "Environment=BEC_EMF_FILE=/var/log/bec/worker.emf",
    ]
    assert [line for line in template if line not in one] == [
        "Description=BEC worker of %i",
        "Environment=BEC_JOB=%i",
        "Environment=BEC_LOG_FORMAT=journal BEC_LOG_FILE=/var/log/bec/%i.jsonl",
        "Environment=BEC_EMF_FILE=/var/log/bec/%i.emf",
        "EnvironmentFile=-/etc/bec/worker-%i.env",
    ]


def test_a_worker_is_started_again_unless_it_would_only_fail_again() -> None:
    assert service("Restart") == ["always"]
    (success,) = service("SuccessExitStatus")
    assert {int(word) for word in success.split()} == {129, Exit.WORK_LEFT, Exit.INTERRUPTED, Exit.TERMINATED}
    (prevent,) = service("RestartPreventExitStatus")
    assert {int(word) for word in prevent.split()} == {Exit.USAGE, Exit.NOT_FOUND}


def test_no_limit_of_starts_leaves_a_fleet_down() -> None:
    assert service("StartLimitIntervalSec") == ["0"]
    assert service("StartLimitBurst") == []


def test_systemd_opens_no_file_before_it_makes_its_folder() -> None:
    """``StandardError=append:`` is opened before ``LogsDirectory`` is made: status 222 on a fresh machine."""
    assert not re.search(r"^Standard\w+=(append|file|truncate):", TEMPLATE.read_text(), re.MULTILINE)


@pytest.mark.parametrize(("result", "said"), [("success", 0), ("watchdog", 1)])
def test_what_the_worker_cant_say_itself_is_said_as_json(tmp_path: Path, result: str, said: int) -> None:
    """``ExecStopPost`` as systemd reads it: escapes and doubled signs are undone, then the shell runs it."""
    (line,) = service("ExecStopPost")
    script = re.fullmatch(r'/bin/sh -c "(.*)"', line)
    assert script
    text = re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), script[1])
    log = tmp_path / "ldv1.jsonl"
    environment = {
        "SERVICE_RESULT": result, "EXIT_CODE": "killed", "EXIT_STATUS": "ABRT", "BEC_LOG_FILE": str(log),
        "PATH": "/usr/bin:/bin",
    }  # fmt: skip
    command = ["/bin/sh", "-c", text.replace("$$", "$").replace("%%", "%")]
    subprocess.run(command, env=environment, check=True)
    lines = [json.loads(one) for one in log.read_text().splitlines()] if log.exists() else []
    assert len(lines) == said
    for one in lines:
        assert one["message"] == "systemd: the worker ended by watchdog (killed ABRT)"
        assert datetime.fromisoformat(one["time"]).utcoffset() is not None


def test_the_unit_stops_no_sooner_than_the_worker_hands_back() -> None:
    grace = float(re.findall(r"--grace (\d+)", service("ExecStart")[0])[0])
    assert float(service("TimeoutStopSec")[0].removesuffix("s")) >= grace + 20


def test_the_unit_calls_options_that_exist() -> None:
    known = {option for parameter in worker.params for option in parameter.opts}
    assert set(re.findall(r"--[a-z-]+", service("ExecStart")[0])) <= known


def test_the_environment_file_sets_what_bec_reads() -> None:
    text = (SYSTEMD / "worker.env").read_text()
    values = dict(
        line.lstrip("#").split("=", 1) for line in text.splitlines() if re.match(r"#?[A-Z0-9_]+=", line)
    )
    known = {name for names in core_fields().values() for name in names}
    known |= {one.environment for one in load_plugins().job_type("ldv1").resources if one.environment}
    assert set(values) - {"BEC_JOB", "BEC_WORKER_ARGS"} <= known
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
    agent = json.loads((SYSTEMD / "cloudwatch-agent.json").read_text())["logs"]["logs_collected"]
    file, metrics = agent["files"]["collect_list"]
    assert file["timezone"] == "UTC"
    moment = datetime.fromisoformat(line["time"])
    assert moment.utcoffset() is not None
    assert line["time"].startswith(moment.strftime(file["timestamp_format"])[:-3])
    folder = Path(file["file_path"]).parent
    assert [f"/var/log/{name}" for name in service("LogsDirectory")] == [str(folder)]
    for unit in UNITS:
        assert re.search(rf"BEC_LOG_FILE={folder}/\S+\.jsonl$", unit.read_text(), re.MULTILINE)
        assert re.search(rf"BEC_EMF_FILE={folder}/\S+\.emf$", unit.read_text(), re.MULTILINE)
    for one in (file, metrics):
        assert one["publish_multi_logs"]  # else the agent reads the one file that was written to last
    rotated = (SYSTEMD / "bec.logrotate").read_text().splitlines()[1].split()[:2]
    assert rotated == [file["file_path"], metrics["file_path"]]
