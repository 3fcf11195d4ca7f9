"""docs/deploying-on-aws.md: its commands for AWS, run from top to bottom against moto."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.aws_cli import aws_program
from support.places import ROOT
from support.services import moto_server
from support.stack import TEMPLATE, Account

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS:UserWarning")

PAGE = (ROOT / "docs" / "deploying-on-aws.md").read_text()
NOT_PLAYED = "aws ssm start-session"
"""A session wants a terminal, and a machine."""


def blocks() -> Iterator[str]:
    """The page's blocks for the account's shell: those that call ``aws``, and those that name things for them."""
    for block in re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        if re.search(r"\baws [a-z]", block) or re.match(r"export AWS_", block):
            yield "".join(line for line in block.splitlines(keepends=True) if NOT_PLAYED not in line)


def test_every_command_for_aws_is_understood_and_leads_to_a_stack_and_back(tmp_path: Path) -> None:
    (tmp_path / "deploy/aws").mkdir(parents=True)
    text = TEMPLATE.read_text()
    (tmp_path / "deploy/aws/bec.yaml").write_text(text)
    (tmp_path / "release").mkdir()
    (tmp_path / "release/bec_core-0.1.0-py3-none-any.whl").write_bytes(b"wheel")
    steps = list(blocks())
    assert len(steps) >= 9
    script = "set -euo pipefail\n" + "\n".join(
        f"{step}echo done {number}" for number, step in enumerate(steps)
    )
    with moto_server() as url:
        account = Account(url)
        sqs = account.client("sqs")
        for queue in sqs.list_queues(QueueNamePrefix="bec_").get(
            "QueueUrls", []
        ):  # moto keeps those of other tests
            sqs.delete_queue(QueueUrl=queue)
        with aws_program(account.client, tmp_path) as seen:
            done = subprocess.run(
                ["bash", "-c", script], cwd=tmp_path, env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        assert done.returncode == 0, done.stderr
    commands = {tuple(words[:2]) for words in seen}
    shown = {tuple(found) for found in re.findall(r"\baws ([a-z0-9]+) ([a-z0-9-]+)", "\n".join(steps))}
    assert commands == shown


def test_the_alarms_that_cost_are_counted() -> None:
    """By metrics: those of every job, and those of the first stack alone."""
    of_each = of_first = 0
    for part in re.split(r"^  (?=\w+:\n)", TEMPLATE.read_text(), flags=re.MULTILINE):
        if "Type: AWS::CloudWatch::Alarm" in part:
            metrics = len(re.findall(r"MetricName:", part))
            if "Condition: First" in part:
                of_first += metrics
            else:
                of_each += metrics
    assert f"| jobs × {of_each} + {of_first}, and" in PAGE
