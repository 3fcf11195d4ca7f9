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
FAULT = "test_whose_fault.py"
INPUTS = "test_inputs.py"
RESUME = "test_resume.py"
WORKER = "core/worker/test_worker.py"  # jobs have tests of this name too


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
        "the epoch when a task is recorded as done", "db/tasks/outcomes.py",
        "            WHERE id = %(task_id)s AND epoch = %(epoch)s AND status = 'running'\n            RETURNING job_id, volume_id, request",
        "            WHERE id = %(task_id)s AND status = 'running'\n            RETURNING job_id, volume_id, request", LEASES, "stale_epoch",
    ),
    Protection(
        "the epoch when a failure is recorded", "db/tasks/failures.py",
        "        WHERE id = %(task_id)s AND epoch = %(epoch)s AND status = 'running'\n        RETURNING job_id, volume_id, request",
        "        WHERE id = %(task_id)s AND status = 'running'\n        RETURNING job_id, volume_id, request", LEASES, "stale_epoch",
    ),
    Protection(
        "the lease is looked at when a task is claimed", "db/tasks/claims.py",
        "AND (t.lease_expires_at IS NULL OR t.lease_expires_at <= clock_timestamp())", "", WORKER,
        "another_worker_holds",
    ),
    Protection(
        "artifacts are written by compare-and-swap", "artifacts/publish.py",
        "folder.store.swap(key, data, if_etag=present)", "folder.store.put(key, data)", LEASES, "right_before_a_write",
    ),
    Protection(
        "the lease is confirmed between look and write", "artifacts/publish.py",
        "        confirm()  # after the look", "        # after the look", WORKER, "lost_its_lease",
    ),
    Protection(
        "the marker is created only if there is none, or takes the place of the one that stood", "artifacts/publish.py",
        "folder.store.swap(folder.key(MARKER_NAME), data, if_etag=standing.etag if standing else None)",
        "folder.store.put(folder.key(MARKER_NAME), data)", "test_marker.py", "late_marker",
    ),
    Protection(
        "a marker counts only with the artifacts that it lists", "worker/attempt.py",
        "if not said and not intact(folder, marker):", "if False:", ENDINGS, "lists_other_artifacts",
    ),
    Protection(
        "a marker counts only if it answers the latest request", "worker/attempt.py",
        "if not marker.answers(standing.asked):", "if False:", "test_requests.py", "forced",
    ),
    Protection(
        "an attempt answers no request that came after its claim", "db/tasks/outcomes.py",
        "AND l.request <= f.request\n        ), unresolved", "\n        ), unresolved", "test_requests.py", "while_it_runs",
    ),
    Protection(
        "the message is deleted last", "worker/settle.py",
        "    ending, released = _row_and_ledger(place, message, ending)\n",
        "    place.services.queue.delete(message)\n    ending, released = _row_and_ledger(place, message, ending)\n", LIFE, "World",
    ),
    Protection(
        "a message whose task another worker holds is left, not deleted", "worker/settle.py",
        "            queue.extend(message, wait_s or 0.0)", "            queue.delete(message)",
        WORKER, "another_worker_holds",
    ),
    Protection(
        "the letter is sent before the message is deleted", "worker/settle.py",
        "    _dead_letter(place, message, ending)\n    _remove_parts(place, ending)\n    _message(place, message, ending)\n",
        "    _message(place, message, ending)\n    _dead_letter(place, message, ending)\n",
        ENDINGS, "recorded_but_not_set_aside",
    ),
    Protection(
        "leases are renewed", "worker/hold.py",
        "if now - task.renewed >= self._lease_s / 3:", "if False:", WORKER, "longer_than_its_lease",
    ),
    Protection(
        "a task without progress is given up", "worker/hold.py",
        "if quiet is not None and now - quiet > self._stall_timeout_s:", "if False:", LEASES, "wedged",
    ),
    Protection(
        "kept pages count only if they are of the same work", "worker/parts/shelf.py",
        "            if of != identity:", "            if False:", RESUME, "forced or another_recipe",
    ),
    Protection(
        "a kept page counts only if its bytes are the same", "worker/parts/task.py",
        "if place and place.name == page.filename and etags.get(page.filename) == place.etag:", "if place:", RESUME, "bytes_changed",
    ),
    Protection(
        "the lease is confirmed before a part is written", "worker/parts/task.py",
        "            self._confirm()\n", "            pass\n", RESUME, "taken_over_writes_no_part",
    ),
    Protection(
        "kept pages go when their task ends", "worker/settle.py",
        "        if place.parts_of(volume).remove():", "        if False:", RESUME, "failed_for_good or goes_on_where",
    ),
    Protection(
        "what was only stopped is no failure", "worker/settle.py",
        "        return tasks.hand_back(connection, held.claim)\n", "        pass\n", WORKER, "hands_the_task_back",
    ),
    Protection(
        "the keeper survives what nobody thought of", "worker/hold.py",
        "except Exception:  # noqa", "except ZeroDivisionError:  # noqa", ENDINGS, "keeper_survives",
    ),
    Protection(
        "a task claimed during a stop stops too", "worker/hold.py",
        "if self._stopping is not None:", "if False:", ENDINGS, "told_to_stop",
    ),
    Protection(
        "what a dead process of the machine held is freed", "worker/deaths.py",
        "        if not identity.is_dead(token):", "        if True:", WORKER, "dead_worker",
    ),
    Protection(
        "its message is shown again", "worker/deaths.py",
        "            if task.message_id and task.receipt:", "            if False:", FAULT, "message_is_there_at_once",
    ),
    Protection(
        "of several tasks in a dead hand nobody is blamed", "db/workers.py",
        "count(*) OVER () = 1 AS blamed", "true AS blamed", FAULT, "nobody_is_blamed",
    ),
    Protection(
        "what a process died of with others in hand is tried alone", "worker/attempt.py",
        "self._gate.passing(alone=claimed.alone,", "self._gate.passing(alone=False,", FAULT, "tried_alone",
    ),
    Protection(
        "a process is known by a clock that nobody sets", "worker/identity.py",
        'return stat.read_text().rpartition(")")[2].split()[19]', 'return f"{process.create_time():.2f}"', ENDINGS,
        "jump_of_the_clock",
    ),
    Protection(
        "a malformed message is set aside", "worker/attempt.py",
        '            return SetAside(describe(error, stage="receive"))', "            raise",
        WORKER, "name_no_volume",
    ),
    Protection(
        "a missing manifest has a row", "worker/settle.py",
        "        tasks.fail_unclaimed(", "        dict(", WORKER, "missing_manifest",
    ),
    Protection(
        "trouble outside is no failure of the task", "worker/attempt.py",
        "except (LeaseLost, TaskStalled, ShutdownRequested, ServiceError):", "except (LeaseLost, TaskStalled, ShutdownRequested):", FAULT,
        "trouble_met_under_the_jobs_hands",
    ),
    Protection(
        "a fault of ours is no failure of the task", "worker/attempt.py",
        "                return OurFault(error, self._ref, self._held, self._stage)",
        "                return Failed(self._ref, describe(error, stage=self._stage), self._held)", FAULT, "older_schema",
    ),
    Protection(
        "a fault that keeps coming ends the worker", "worker/process.py",
        "if faults >= FAULTS_IN_A_ROW:", "if False:", FAULT, "older_schema or three_volumes",
    ),
    Protection(
        "a volume that alone meets a fault is set aside", "worker/settle.py",
        "    if faults.count < most or not faults.others_succeed:", "    if True:", FAULT, "one_volume_meets",
    ),
    Protection(
        "a fault under the job's hands can't become a page's", "worker/attempt.py",
        "        if context.fault is not None:", "        if False:", FAULT, "bug_under_the_jobs_hands",
    ),
    Protection(
        "no observer can fail a task", "worker/observer.py",
        "except Exception as error:  # noqa", "except ZeroDivisionError as error:  # noqa", FAULT, "no_observer",
    ),
    Protection(
        "whatever comes out of a job is the job's", "worker/attempt.py",
        "        except BaseException as error:  # noqa: BLE001 - a job may", "        except Exception as error:  # noqa: BLE001 - a job may", FAULT, "whatever_comes_out",
    ),
    Protection(
        "pages are counted by the runtime", "worker/context.py",
        "        if failed > self._max_page_error_rate * total:", "        if False:", FAULT, "hide_its_failed_pages",
    ),
    Protection(
        "a deleted job's worker sets nothing aside", "worker/settle.py",
        "    if left.job_status(connection, place.job.id) is None:\n        raise JobGone(f\"job {place.job.name} was deleted\")\n    if ending.ref is not None:", "    if ending.ref is not None:", FAULT, "not_even_nonsense",
    ),
    Protection(
        "what is left is asked of the ledger", "worker/process.py",
        "        elif found.over or (options.until_drained and not found.total):\n            if queue_was_empty:", "        elif True:\n            if True:", FAULT, "work_left",
    ),
    Protection(
        "pages that may pass make the task retryable", "worker/attempt.py",
        "        if not may_pass or held.claim.failures + 1 >= self._place.loaded.runtime.max_attempts:", "        if True:", ENDINGS, "pages_that_the_store",
    ),
    Protection(
        "failures end at max_attempts", "worker/attempt.py",
        "terminal = not is_retryable(error) or failures >= most", "terminal = not is_retryable(error)", WORKER, "used_up",
    ),
    Protection(
        "leases that run out too often end the task", "worker/attempt.py",
        "        if claim.lost >= tasks.LOST_LIMIT:", "        if False:", FAULT, "ten_times",
    ),
    Protection(
        "a duplicate of a failed task is not run", "db/tasks/claims.py",
        "AND (t.status <> 'terminal_failed' OR t.failures = 0 OR t.done_at IS NULL\n"
        "           OR coalesce(%(asked_at)s::timestamptz > t.done_at, true))",
        "AND (%(asked_at)s::timestamptz IS NULL OR true)", ENDINGS, "duplicate_of_a_failed",
    ),
    Protection(
        "a message is replaced before its queue gives it up", "worker/process.py",
        "if self._renew_at is not None and message.receive_count >= self._renew_at:", "if False:", FAULT, "before_its_queues_own_limit",
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
        "an earlier attempt's list of failed pages is emptied", "worker/attempt.py",
        "if context.errors_name not in files and folder.exists(context.errors_name):", "if False:", ENDINGS,
        "list_of_failed_pages",
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
    Protection(
        "asking and finishing exclude each other by the job that is read", "db/blocking.py",
        "SELECT count(*), count(pg_advisory_xact_lock(%s, input_job_id)) FROM (", "SELECT count(*), count(%s::int + input_job_id) FROM (",
        INPUTS, "never_miss_each_other",
    ),
    Protection(
        "whoever finishes releases what is blocked", "db/blocking.py",
        '        "l.volume_id = %(volume)s AND l.job_id IN (SELECT job_id FROM job_inputs WHERE input_job_id = %(job)s)",',
        '        "false AND %(volume)s = 0 AND %(job)s = 0",', INPUTS, "released_by_the_transaction",
    ),
    Protection(
        "an input is looked at before a volume is claimed", "worker/attempt.py",
        "        if not place.loaded.type.inputs:\n            return ()\n", "        if place.loaded.type.name == 'reader':\n            return ()\n",
        INPUTS, "too_early",
    ),
    Protection(
        "what was read is compared with what stands before the marker is written", "worker/attempt.py",
        "        task_inputs.check_unchanged()\n", "", INPUTS, "changes_between",
    ),
    Protection(
        "what is read is what the input's marker lists", "worker/inputs.py",
        "        if listed is not None and listed != digest:\n", "        if False:\n", INPUTS, "is_damaged",
    ),
    Protection(
        "a needed artifact that an input lacks fails for good", "worker/inputs.py",
        "                if listed is not None and one.folder.basename + suffix not in listed:\n", "                if False:\n", INPUTS, "needed_artifact",
    ),
    Protection(
        "what is released a moment ago is left to whoever sends it", "db/ledger.py",
        "l.sent_at IS NULL AND l.released_at > statement_timestamp() - make_interval(secs => 10), false)", "false)", INPUTS, "a_moment_ago",
    ),
    Protection(
        "an idle worker releases what somebody else finished", "worker/process.py",
        "        if found.blocked and self._release():", "        if False:", INPUTS, "version_before or without_a_row",
    ),
    Protection(
        "a cancelled job that follows is asked for nothing", "db/blocking.py",
        "WHERE i.input_job_id = %(job)s AND i.follow AND j.status <> 'cancelled'", "WHERE i.input_job_id = %(job)s AND i.follow", INPUTS, "cancelled_follower",
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
            "-k", protection.match, str(next((ROOT / "tests").rglob(protection.tests))),
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
