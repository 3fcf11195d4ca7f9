"""`bec run` over a person's own folder: killed, interrupted, repeated."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from bec_core.db import open_database
from bec_core.settings import load_settings
from support.places import ROOT

SAMPLES = ROOT / "samples" / "Works"
PAGES = sorted(SAMPLES.rglob("0*.jpg"))


class Desk:
    """A person's folder, their BEC_HOME, and the command they type."""

    def __init__(self, folder, volumes):
        self.folder = folder
        folder.chmod(0o755)
        for name, count in volumes.items():
            (folder / "scans" / name).mkdir(parents=True)
            for number in range(count):
                page = PAGES[number % len(PAGES)]
                shutil.copyfile(page, folder / "scans" / name / f"{number:04}.jpg")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("BEC_", "AWS_"))}
        self.environment = {**clean, "BEC_HOME": str(folder / "home")}

    def start(self, *more):
        command = [sys.executable, "-m", "bec_cli", "run", "ldv1", "scans", "--out", "out", *more]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, process, status=0, timeout=120):
        try:
            _, said = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        assert process.returncode == status, said
        return said

    def markers(self):
        return [
            json.loads(path.read_text()) for path in sorted(self.folder.glob("out/ldv1/*/*/*/success.json"))
        ]

    def signal_at_work(self, process, number):
        """Send a signal when a task is claimed: its pages are being read, and nothing is published."""
        deadline = time.monotonic() + 60
        with open_database(load_settings(self.environment)) as database:
            while time.monotonic() < deadline:
                with database.connection() as connection:
                    if connection.execute(
                        "SELECT 1 FROM task_executions WHERE status = 'running'"
                    ).fetchone():
                        process.send_signal(number)
                        return
                time.sleep(0.05)
        raise AssertionError("the job never started")


@pytest.fixture
def desk():
    """Makes a desk in a folder that the embedded server's user can reach; pytest's own are for root alone."""
    with tempfile.TemporaryDirectory(prefix="bec-desk-") as folder:
        yield lambda **volumes: Desk(Path(folder), volumes)


def test_every_directory_with_images_is_a_volume_and_done_is_not_done_again(desk):
    desk = desk(first=3, second=2)
    said = desk.finish(desk.start())
    assert "2 volumes in scans" in said
    assert "2 of 2 volumes are done; 0 pages failed" in said
    assert (desk.folder / "out" / "report" / "index.html").exists()
    first = desk.markers()
    again = desk.finish(desk.start("--no-report"))
    assert "2 of 2 volumes are done (2 were before); 0 pages failed" in again
    assert desk.markers() == first
    assert [marker["total_images"] for marker in first] == [3, 2]


def test_another_config_a_deleted_output_and_force_do_the_work_again(desk):
    """Seen: another config was served the old results, and after its output was deleted nothing was done."""
    desk = desk(book=2)
    desk.finish(desk.start("--no-report"))
    (first,) = desk.markers()
    desk.finish(desk.start("--no-report", "--config-text", '{"batch_size": 3}'))
    assert desk.markers() == [first], "a batch size changes no result"
    desk.finish(desk.start("--no-report", "--force"))
    (forced,) = desk.markers()
    assert (forced["request"], forced["recipe"]) == (1, first["recipe"])
    shutil.rmtree(desk.folder / "out")
    said = desk.finish(desk.start("--no-report"))
    assert "1 of 1 volumes are done; 0 pages failed" in said
    assert len(desk.markers()) == 1


def test_one_volume_that_can_not_be_read_stops_no_other(desk):
    desk = desk(good=1, odd=1)
    odd = desk.folder / "scans" / "odd" / "two\nparts.jpg"
    shutil.copyfile(PAGES[0], odd)
    said = desk.finish(desk.start("--no-report"))
    assert "2 of 2 volumes are done" in said
    assert "\nparts" not in said.replace("\\nparts", "")


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 130)]
)
def test_a_stopped_run_goes_on_with_the_same_command_and_completes_once(desk, number, status):
    desk = desk(book=60)
    process = desk.start("--no-report")
    desk.signal_at_work(process, number)
    desk.finish(process, status)
    assert desk.markers() == []
    said = desk.finish(desk.start("--no-report"))
    assert "1 of 1 volumes are done" in said
    (marker,) = desk.markers()
    assert (marker["total_images"], marker["nb_errors"], marker["attempt"]) == (60, 0, 2)


def test_a_broken_page_is_one_page_error_and_the_report_says_so(desk):
    desk = desk(book=30)
    (desk.folder / "scans" / "book" / "0005.jpg").write_bytes(b"this is no image")
    said = desk.finish(desk.start())
    assert "1 pages failed" in said
    (marker,) = desk.markers()
    assert marker["errors_by_stage"] == {"decode": 1}
    report = next((desk.folder / "out" / "report").glob("*/index.html")).read_text()
    assert "0005.jpg" in report


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ldv1", "nowhere"], "nowhere is not a folder"),
        (["ldv1", "empty"], "there is no image"),
        (["ldv2", "scans"], "no plugin brings the job type 'ldv2'"),
        (["ldv1", "scans", "--model-path", "none.pth"], "none.pth"),
        (["ldv1", "scans", "--config-text", '{"batch_size": 0, "speed": 1}'], "speed is unknown"),
    ],
)
def test_a_mistake_is_one_sentence(desk, arguments, words):
    desk = desk(book=1)
    (desk.folder / "empty").mkdir()
    command = [sys.executable, "-m", "bec_cli", "run", *arguments]
    done = subprocess.run(command, cwd=desk.folder, env=desk.environment, capture_output=True, text=True)
    assert done.returncode not in (0, 1)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
