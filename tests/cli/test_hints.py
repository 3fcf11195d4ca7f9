"""A mistyped name gets those that look like it; the shell completes jobs, job types and volumes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bec_cli.main import run


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["job", "list"], "Did you mean 'jobs'?"),
        (["jobs", "lst"], "Did you mean 'list'?"),
        (["jobs", "list", "--jsn"], "Did you mean '--json'?"),
        (["queue", "enque", "--job-name", "x"], "Did you mean 'enqueue'?"),
        (["ldv", "evaluate"], "Did you mean 'ldv1'?"),
        (["ldv1", "evalute"], "Did you mean 'evaluate'?"),
    ],
)
def test_a_mistyped_command_is_named_at_every_level(
    typed: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(typed) == 2
    assert meant in capsys.readouterr().err


def test_a_mistyped_job_or_job_type_is_named_and_no_package_is_suggested(bec) -> None:
    bec.ok("jobs", "create", "--name", "ldv1-careful", "--type", "checksum")
    ended = bec("jobs", "stats", "ldv1-carefull")
    assert ended.code != 0
    assert "; did you mean 'ldv1-careful'?" in ended.err
    ended = bec("jobs", "create", "--name", "evil-package", "--type", "checksm")
    assert "; did you mean 'checksum'?" in ended.err
    assert "pip install" not in ended.err


def test_a_long_list_of_jobs_is_not_read_out(bec) -> None:
    for number in range(15):
        bec.ok("jobs", "create", "--name", f"j{number:02}", "--type", "checksum")
    assert "(jobs: j00, j01, " in (said := bec("jobs", "show", "nothing-like-it").err)
    assert "j09 and 5 more)" in said


def completed(words: str) -> list[str]:
    environment = {
        **os.environ,
        "_BEC_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    ended = subprocess.run(
        [sys.executable, "-c", "from bec_cli.main import main; main()"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return [line.removeprefix("plain,") for line in ended.stdout.splitlines()]


def test_the_shell_completes_job_types_one_after_another() -> None:
    assert completed("bec run ldv1,oc") == ["ldv1,ocreval", "ldv1,ocrv1"]
    assert completed("bec jobs create --type ldv") == ["ldv1"]


def test_the_shell_completes_volumes_of_a_work_that_is_typed(bec) -> None:
    bec.ok("jobs", "create", "--name", "checksum")
    for volume in ("W1,I1", "W1,I2", "W2,I1"):
        bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume", volume)
    assert completed("bec volumes show W1,") == ["W1,I1", "W1,I2"]
    assert completed("bec queue enqueue --job-name checksum --volume W") == ["W1,I1", "W1,I2", "W2,I1"]
