#!/usr/bin/env python3
# ruff: noqa: E501 - the list quotes lines of the source
"""Remove each protection in turn and see that a test fails.

    python tests/crash/protections.py [--only TEXT] [--jobs N] [--write docs/reliability.md]

A copy of bec_core is changed, and the tests that are named run against it. A protection whose removal no test
notices is printed as NOT SEEN and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "packages" / "bec-core" / "src"
BEGIN, END = "<!-- protections: begin -->", "<!-- protections: end -->"
ENDINGS, LIFE, LEASES = "test_worker_endings.py", "test_task_life_properties.py", "test_leases.py"


@dataclass(frozen=True)
class Protection:
    """A protection: where it is in bec_core, what it becomes when it is removed, and which tests must notice."""

    name: str
    file: str
    there: str
    without: str
    tests: str
    match: str = ""


PROTECTIONS = [
    Protection(
        "the epoch when a task is recorded as done", "db/tasks.py",
        "        WHERE id = %(task_id)s AND epoch = %(epoch)s AND status = 'running'\n        RETURNING job_id, volume_id\n"
        '        """,\n        {**_outcome_values', "        WHERE id = %(task_id)s AND status = 'running'\n"
        '        RETURNING job_id, volume_id\n        """,\n        {**_outcome_values', LEASES, "stale_epoch",
    ),
    Protection(
        "the epoch when a failure is recorded", "db/tasks.py",
        "        WHERE id = %(task_id)s AND epoch = %(epoch)s AND status = 'running'\n        RETURNING job_id, volume_id\n"
        '        """,\n        {\n            **_failure', "        WHERE id = %(task_id)s AND status = 'running'\n"
        '        RETURNING job_id, volume_id\n        """,\n        {\n            **_failure', LEASES, "stale_epoch",
    ),
    Protection(
        "the lease is looked at when a task is claimed", "db/tasks.py",
        "AND (t.lease_expires_at IS NULL OR t.lease_expires_at <= clock_timestamp())", "", "test_worker.py",
        "another_worker_holds",
    ),
    Protection(
        "artifacts are written by compare-and-swap", "worker/publish.py",
        "folder.store.swap(key, data, if_etag=present)", "folder.store.put(key, data)", LEASES, "right_before_a_write",
    ),
    Protection(
        "the lease is confirmed between look and write", "worker/publish.py",
        "        confirm()  # after the look", "        # after the look", "test_worker.py", "lost_its_lease",
    ),
    Protection(
        "the marker is created only if there is none", "worker/publish.py",
        "folder.store.put_new(folder.key(MARKER_NAME), data)", "folder.store.put(folder.key(MARKER_NAME), data)", LEASES, "right_before_a_write",
    ),
    Protection(
        "a marker counts only with the artifacts that it lists", "worker/endings.py",
        "if not said and not folder.intact(marker):", "if False:", ENDINGS, "lists_other_artifacts",
    ),
    Protection(
        "the message is deleted last", "worker/task.py",
        "        self.observer.step(Step.MARKER_WRITTEN)\n",
        "        self._delete(held.message)\n        self.observer.step(Step.MARKER_WRITTEN)\n", LIFE,
    ),
    Protection(
        "a message whose task another worker holds is left, not deleted", "worker/endings.py",
        "        self.queue.extend(message, refused.wait_s + _SLACK_S)", "        self.queue.delete(message)",
        "test_worker.py", "another_worker_holds",
    ),
    Protection(
        "the letter is sent before the message is deleted", "worker/endings.py",
        "        failed = self.dead_letters.send(", "        self._delete(message)\n        failed = self.dead_letters.send(",
        ENDINGS, "recorded_but_not_set_aside",
    ),
    Protection(
        "leases are renewed", "worker/lease.py",
        "if now - task.renewed >= self._lease_s / 3:", "if False:", "test_worker.py", "longer_than_its_lease",
    ),
    Protection(
        "a task without progress is given up", "worker/lease.py",
        "if now - task.last_progress > self._stall_timeout_s:", "if False:", LEASES, "wedged",
    ),
    Protection(
        "the lease keeper survives what nobody thought of", "worker/lease.py",
        "except Exception:  # noqa", "except ZeroDivisionError:  # noqa", ENDINGS, "keeper_survives",
    ),
    Protection(
        "a task claimed during a stop stops too", "worker/lease.py",
        "if self._stopping is not None:", "if False:", ENDINGS, "told_to_stop",
    ),
    Protection(
        "what a dead process of the machine held is freed", "worker/loop.py",
        "            if process.is_dead(token):", "            if False:", "test_worker.py", "dead_worker",
    ),
    Protection(
        "a process is known by a clock that nobody sets", "worker/process.py",
        'return stat.read_text().rpartition(")")[2].split()[19]', 'return f"{process.create_time():.2f}"', ENDINGS,
        "jump_of_the_clock",
    ),
    Protection(
        "a malformed message is set aside", "worker/task.py",
        "            self._set_aside(message, error)\n            return\n        with", "            raise\n        with",
        "test_worker.py", "name_no_volume",
    ),
    Protection(
        "a missing manifest has a row", "worker/endings.py",
        "            tasks.fail_unclaimed(", "            dict(", "test_worker.py", "missing_manifest",
    ),
    Protection(
        "trouble outside is no failure of the task", "worker/task.py",
        "if error.retryable and held.message.receive_count < self.options.max_receives:", "if False:", ENDINGS,
        "no_failure_of_the_task",
    ),
    Protection(
        "pages that may pass make the task retryable", "worker/task.py",
        "if may_pass and held.claim.failures + 1 < self.runtime.max_attempts:", "if False:", ENDINGS, "pages_that_the_store",
    ),
    Protection(
        "failures end at max_attempts", "worker/endings.py",
        "failures >= self.runtime.max_attempts\n        backoff", "False\n        backoff", "test_worker.py", "used_up",
    ),
    Protection(
        "what kills its workers is given up", "worker/task.py",
        "        if held.message.receive_count > self.options.max_receives:", "        if False:", ENDINGS, "kills_its_workers",
    ),
    Protection(
        "a duplicate of a failed task is not run", "db/tasks.py",
        "AND (t.status <> 'terminal_failed' OR t.failures = 0 OR t.done_at IS NULL\n"
        "               OR coalesce(%(asked_at)s::timestamptz > t.done_at, true))",
        "AND (%(asked_at)s::timestamptz IS NULL OR true)", ENDINGS, "duplicate_of_a_failed",
    ),
    Protection(
        "a message left too often is renewed", "worker/endings.py",
        "        if message.receive_count >= self.options.max_receives:\n            # The", "        if False:\n            # The",
        ENDINGS, "left_too_often",
    ),
    Protection(
        "text that no store can hold is cleaned", "worker/failures.py",
        'return _UNSTORABLE.sub("\\ufffd", text)', "return text", ENDINGS, "garbage",
    ),
    Protection(
        "a letter keeps within SQS's ten attributes", "worker/dead_letters.py",
        "if len(attributes) < _MOST_ATTRIBUTES:", "if True:", ENDINGS, "within_what_sqs_takes",
    ),
    Protection(
        "an earlier attempt's list of failed pages is emptied", "worker/task.py",
        "if context.errors_name not in files and folder.exists(context.errors_name):", "if False:", ENDINGS,
        "list_of_failed_pages",
    ),
    Protection(
        "giving up does not unmake what is done", "db/tasks.py",
        "WHERE (job_id, volume_id) = (%s, %s) AND state = 'waiting'", "WHERE (job_id, volume_id) = (%s, %s)", ENDINGS,
        "does_not_unmake",
    ),
    Protection(
        "a message's source is a known kind of name", "models.py",
        "or not _SOURCE.fullmatch(source)", "or False", ENDINGS, "no_index_can_hold",
    ),
    Protection(
        "an id can't leave its place", "models.py",
        'or not _ID.fullmatch(value) or ".." in value', "or False", "test_security.py", "strangers",
    ),
    Protection(
        "half-written files of killed writers are removed", "storage/files.py",
        "    _sweep(path.parent)\n    temporary", "    temporary", "test_storage.py", "killed_writers",
    ),
]  # fmt: skip


def main() -> int:
    """Try what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="only protections whose name contains this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", type=Path, help="put the table into this document")
    arguments = parser.parse_args()
    chosen = [p for p in PROTECTIONS if arguments.only in p.name]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        failed = list(pool.map(failing_tests, chosen))
    lines = ["| removed | the test that then fails |", "| --- | --- |"]
    for protection, tests in zip(chosen, failed, strict=True):
        lines.append(f"| {protection.name} | {', '.join(f'`{test}`' for test in tests) or '**NOT SEEN**'} |")
    table = "\n".join(lines)
    print(table)
    if arguments.write:
        before, _, rest = arguments.write.read_text().partition(BEGIN)
        arguments.write.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")
    return 0 if all(failed) else 1


def failing_tests(protection: Protection) -> list[str]:
    """The tests that fail without the protection, by name."""
    with tempfile.TemporaryDirectory(prefix="bec-without-") as temporary:
        copy = Path(temporary) / "bec_core"
        shutil.copytree(SOURCE / "bec_core", copy, ignore=shutil.ignore_patterns("__pycache__"))
        changed = copy / protection.file
        text = changed.read_text()
        if text.count(protection.there) != 1:
            raise SystemExit(
                f"{protection.name}: its place in {protection.file} is gone; bring this list up to date"
            )
        changed.write_text(text.replace(protection.there, protection.without))
        environment = os.environ | {
            "PYTHONPATH": temporary, "BEC_TEST_EXAMPLES": "400", "BEC_TEST_NO_SHRINK": "1", "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        command = [
            sys.executable, "-u", "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", "-o", "timeout=100",
            "-k", protection.match, str(ROOT / "tests" / "integration" / protection.tests),
        ]  # fmt: skip
        told = run(command, environment, Path(temporary) / "told")
    names = re.findall(r"^(?:FAILED|ERROR) \S+::(\w+)", told, re.MULTILINE)
    print(f"{'seen' if names else 'NOT SEEN'}: {protection.name}", flush=True)
    return sorted(set(names))


def run(command: list[str], environment: dict[str, str], output: Path) -> str:
    """What the tests told. A worker without a protection may never end: it gets half a minute after the verdict."""
    with output.open("wb") as file:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 900
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.5)
        if re.search(r"^\d+ (failed|passed).* in ", output.read_text(), re.MULTILINE):
            deadline = min(deadline, time.monotonic() + 30)
    process.kill()
    process.wait()
    return output.read_text()


if __name__ == "__main__":
    sys.exit(main())
