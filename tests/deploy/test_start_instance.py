"""deploy/aws/start-instance.sh, run with a system's programs that only say what they are told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bec_core.env_file import named_file
from support.places import ROOT

SCRIPT = ROOT / "deploy" / "aws" / "start-instance.sh"
SECRET = "arn:aws:secretsmanager:eu:1:secret:x"

AWS = """#!/bin/sh
echo "aws $*" >>"$SAID"
case "$*" in
*"ssm get-parameter --region eu --name /bec/ldv1/worker.env "*)
    printf 'BEC_SQL_HOST=db.example\\nBEC_WORKER_ARGS=\\n' ;;
*"secretsmanager get-secret-value --region eu --secret-id arn:aws:secretsmanager:eu:1:secret:x "*)
    printf '{"username": "bec", "password": "p4ss"}\\n' ;;
*) exit 9 ;;
esac
"""
CURL = """#!/bin/sh
case "$*" in
*"-X PUT"*" http://169.254.169.254/latest/api/token") printf t0ken ;;
*"X-aws-ec2-metadata-token: t0ken http://169.254.169.254/latest/meta-data/instance-type") printf c7i.large ;;
*) exit 22 ;;
esac
"""
PYTHON = f"""#!/bin/sh
echo "python $*" >>"$SAID"
if [ "$1 $2" = "-m venv" ]; then
    mkdir -p "$3/bin" "$3/share/bec"
    cp -r "{ROOT}/systemd" "$3/share/bec/systemd"
    cp "$STUBS/pip" "$3/bin/pip"
else
    exec "{sys.executable}" "$@"
fi
"""
SAYS = '#!/bin/sh\necho "{name} $*" >>"$SAID"\n'


class Machine:
    """A root folder in which the script thinks it is alone."""

    def __init__(self, root: Path, gpus: int) -> None:
        self.root = root
        stubs = root / "stubs"
        for folder in (
            "etc/systemd/system",
            "etc/logrotate.d",
            "etc/profile.d",
            "dev",
            "stubs",
            "opt/bec/release",
        ):
            (root / folder).mkdir(parents=True)
        control = root / "opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"
        control.parent.mkdir(parents=True)
        programs = {stubs / name: SAYS.format(name=name) for name in ("dnf", "pip", "systemctl", "useradd")}
        programs |= {
            stubs / "aws": AWS,
            stubs / "curl": CURL,
            stubs / "python3.11": PYTHON,
            control: SAYS.format(name="agent"),
        }
        for path, text in programs.items():
            path.write_text(text)
            path.chmod(0o755)
        for number in range(gpus):
            (root / "dev" / f"nvidia{number}").touch()
        (root / "dev" / "nvidiactl").touch()
        for name in ("bec_core", "bec_cli", "bec_ldv1", "bec_ocrv1"):
            (root / f"opt/bec/release/{name}-0.1.0-py3-none-any.whl").touch()
        (root / "opt/bec/release/numpy-2.0-cp311.whl").touch()

    def start(self, *arguments: str) -> list[str]:
        """Run it; the calls of programs, in order."""
        text = SCRIPT.read_text()
        for folder in ("/opt/", "/etc/", "/dev/nvidia"):
            text = text.replace(f" {folder}", f" {self.root}{folder}").replace(
                f">{folder}", f">{self.root}{folder}"
            )
            text = text.replace(f"={folder}", f"={self.root}{folder}").replace(
                f"({folder}", f"({self.root}{folder}"
            )
            text = text.replace(f"\n{folder}", f"\n{self.root}{folder}")
        script = self.root / "opt/bec/release/start-instance.sh"
        script.write_text(text)
        path = f"{self.root}/stubs:/usr/sbin:/usr/bin:/bin"
        said = self.root / "said"
        done = subprocess.run(
            ["bash", script, *arguments],
            env={"PATH": path, "SAID": str(said), "STUBS": str(self.root / "stubs")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return said.read_text().replace(str(self.root), "").splitlines()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
@pytest.mark.parametrize(
    ("gpus", "units"),
    [(0, ["bec-worker@ldv1"]), (1, ["bec-worker@ldv1"]), (2, ["bec-worker@ldv1:0", "bec-worker@ldv1:1"])],
)
def test_a_worker_is_installed_from_the_release_and_started(
    tmp_path: Path, gpus: int, units: list[str]
) -> None:
    machine = Machine(tmp_path, gpus)
    said = machine.start("worker", "eu", SECRET, "ldv1")
    wheels = [
        f"/opt/bec/release/bec_{name}-0.1.0-py3-none-any.whl" for name in ("cli", "core", "ldv1", "ocrv1")
    ]
    wheels[2] += "[torch]"
    assert f"pip install --quiet --no-index --find-links /opt/bec/release {' '.join(wheels)}" in said
    settings = tmp_path / "etc/bec/worker.env"
    assert settings.stat().st_mode & 0o777 == 0o600
    assert dict(named_file(settings).values) == {
        "BEC_EMF_INSTANCE_TYPE": "c7i.large",
        "BEC_SQL_HOST": "db.example", "BEC_WORKER_ARGS": "", "BEC_SQL_PASSWORD": "p4ss",
    }  # fmt: skip
    assert (tmp_path / "etc/systemd/system/bec-worker@.service").exists()
    assert (tmp_path / "etc/logrotate.d/bec").read_text() == (ROOT / "systemd/bec.logrotate").read_text()
    assert any(line.endswith("file:/opt/bec/share/bec/systemd/cloudwatch-agent.json") for line in said)
    started = [line for line in said if line.startswith("systemctl enable")]
    assert started == [f"systemctl enable --now --no-block {unit}" for unit in units]
    assert said.index("systemctl daemon-reload") < said.index(started[0])
    assert "p4ss" not in "\n".join(said)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_the_desk_feeds_every_job_and_needs_no_torch(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 0)
    said = machine.start("desk", "eu", SECRET, "ldv1", "ocr")
    assert not any("torch" in line for line in said)
    started = [line.rpartition(" ")[2] for line in said if line.startswith("systemctl enable")]
    assert started == ["bec-feeder@ldv1", "bec-feeder@ocr"]
    assert (tmp_path / "etc/systemd/system/bec-feeder@.service").exists()
    profile = (tmp_path / "etc/profile.d/bec.sh").read_text()
    shown = subprocess.run(
        ["bash", "-c", f'{profile}\necho "$PATH $BEC_ENV_FILE"'],
        env={"PATH": os.defpath}, capture_output=True, text=True, check=True,
    ).stdout.replace(str(tmp_path), "")  # fmt: skip
    assert shown.startswith("/opt/bec/bin:")
    assert shown.endswith(" /etc/bec/worker.env\n")
