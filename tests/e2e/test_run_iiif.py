"""`bec run` and `bec queue enqueue` on a IIIF manifest of a library's server: whole, killed, resumed, repeated."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from support.iiif_server import Reply, iiif_server, image_service
from support.iiif_shapes import (
    bdrc,
    british_library,
    e_codices,
    gallica,
    internet_archive_2,
    internet_archive_3,
)
from support.places import ROOT

IMAGES = [path.read_bytes() for path in sorted((ROOT / "samples" / "Works").rglob("0*.jpg"))]
MANIFEST = "/vo:bdr:I1BEC1/manifest"


@pytest.fixture
def library():
    """A server in BDRC's shape that gives the sample pages."""

    def image(path):
        return IMAGES[int(re.search(r"(\d{4})\.jpg", path)[1]) % len(IMAGES)]

    with iiif_server() as server:
        server.services.append(image_service("/bdr:", image))
        yield server


class Desk:
    """A person's folder, their BEC_HOME, and the command they type."""

    def __init__(self, folder):
        self.folder = folder
        folder.chmod(0o755)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("BEC_", "AWS_"))}
        self.environment = {
            **clean,
            "BEC_HOME": str(folder / "home"),
            "BEC_IIIF_ALLOW_PRIVATE": "1",
            "BEC_IIIF_REQUESTS_PER_SECOND": "20",
        }

    def start(self, *arguments):
        command = [sys.executable, "-m", "bec_cli", *arguments]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def bec(self, *arguments, status=0):
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=200)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        assert process.returncode == status, out + err
        return out + err

    def markers(self):
        return [json.loads(path.read_text()) for path in sorted(self.folder.rglob("success.json"))]


@pytest.fixture
def desk():
    """A desk in a folder that the embedded server's user can reach; pytest's own are for root alone."""
    with tempfile.TemporaryDirectory(prefix="bec-desk-") as folder:
        yield Desk(Path(folder))


def test_a_manifest_s_url_is_run_and_its_report_shows_its_pages(library, desk):
    library.replies[MANIFEST] = Reply.of_json(bdrc(library.url, 3))
    said = desk.bec("run", "ldv1", library.url + MANIFEST, "--out", "out")
    assert "1 of 1 volumes are done; 0 pages failed" in said
    (marker,) = desk.markers()
    assert (marker["total_images"], marker["nb_errors"]) == (3, 0)
    assert marker["source"] == f"iiif:{library.url}{MANIFEST}"
    (report,) = (desk.folder / "out" / "report").glob("*/index.html")
    assert all(f"000{n}.jpg" in report.read_text() for n in (1, 2, 3))
    assert len(list(report.parent.glob("pages/*.*"))) == 3
    assert len(library.asked) == 4, "the manifest, and each page once: the report's pictures are at hand"
    again = desk.bec("run", "ldv1", library.url + MANIFEST, "--out", "out", "--no-report")
    assert "1 of 1 volumes are done (1 were before)" in again


def test_a_killed_run_goes_on_and_fetches_nothing_twice(library, desk):
    library.replies[MANIFEST] = Reply.of_json(bdrc(library.url, 40))
    arguments = ("run", "ldv1", library.url + MANIFEST, "--out", "out", "--no-report")
    desk.environment["BEC_IIIF_REQUESTS_PER_SECOND"] = "4"
    process = desk.start(*arguments)
    deadline = time.monotonic() + 120
    while len(library.asked) < 12 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert desk.markers() == []
    before = len(library.asked)
    assert 12 <= before < 40
    desk.environment["BEC_IIIF_REQUESTS_PER_SECOND"] = "100"
    said = desk.bec(*arguments)
    assert "1 of 1 volumes are done; 0 pages failed" in said
    (marker,) = desk.markers()
    assert (marker["total_images"], marker["nb_errors"], marker["attempt"]) == (40, 0, 2)
    images = [path for path in library.paths() if path != MANIFEST]
    assert len(set(images)) == 40
    assert len(images) - 40 <= 1, "at most what was on its way when the process was killed is asked for again"


def test_a_manifest_goes_through_a_queue_to_a_worker(library, desk):
    library.replies[MANIFEST] = Reply.of_json(bdrc(library.url, 2))
    desk.bec("jobs", "create", "--name", "lines", "--type", "ldv1")
    said = desk.bec(
        "queue", "enqueue", "--job-name", "lines", "--source", "iiif", "--volume", library.url + MANIFEST
    )
    assert "Enqueued 1 volume" in said
    assert library.asked == []
    desk.bec("worker", "--job-name", "lines", "--poll-wait", "1", "--shutdown-after-empty", "1")
    (marker,) = desk.markers()
    assert (marker["total_images"], marker["nb_errors"]) == (2, 0)
    desk.bec("report", "--job-name", "lines", "--out", "report")
    assert len(list((desk.folder / "report").glob("*/pages/*.*"))) == 2


def test_a_collection_of_all_libraries_shapes_is_run_each_manifest_a_volume(library, desk):
    def info(path):
        profile = ["http://iiif.io/api/image/2/level2.json", {"maxWidth": 1000}]
        return {"protocol": "http://iiif.io/api/image", "width": 2000, "height": 700, "profile": profile}

    for prefix in ("/image/iiif/3/", "/iiif/", "/loris/"):
        library.services.append(image_service(prefix, IMAGES[0]))
    library.services.append(
        image_service("/image/iiif/ark", IMAGES[0], sizes=r"full/1000,/0/default\.jpg", info=info)
    )
    shapes = (bdrc, british_library, e_codices, gallica, internet_archive_2, internet_archive_3)
    for shape in shapes:
        library.replies[f"/{shape.__name__}/manifest.json"] = Reply.of_json(shape(library.url, 2))
    members = [{"@id": f"/{shape.__name__}/manifest.json", "@type": "sc:Manifest"} for shape in shapes]
    library.replies["/top"] = Reply.of_json({"@type": "sc:Collection", "manifests": members})
    said = desk.bec("run", "ldv1", f"{library.url}/top", "--out", "out", "--no-report")
    assert "6 of 6 volumes are done; 0 pages failed" in said
    pages = {marker["volume"]["i_id"].rpartition("-")[0]: marker["total_images"] for marker in desk.markers()}
    assert pages == {shape.__name__: 1 if shape is british_library else 2 for shape in shapes}


def test_a_page_that_is_not_there_is_one_page_error(library, desk):
    library.replies[MANIFEST] = Reply.of_json(bdrc(library.url, 3))
    library.services.insert(0, lambda path: Reply(b"", 404) if "BEC10002" in path else None)
    said = desk.bec("run", "ldv1", library.url + MANIFEST, "--out", "out", "--no-report")
    assert "1 pages failed" in said
    (marker,) = desk.markers()
    assert marker["errors_by_stage"] == {"fetch": 1}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"BEC_IIIF_ALLOW_PRIVATE": "0"}, "BEC_IIIF_ALLOW_PRIVATE=1 allows it"),
        ({}, "says 404"),
        ({"BEC_IIIF_REQUESTS_PER_SECOND": "0"}, "allowed: 0.001 to 1000"),
    ],
)
def test_a_mistake_is_one_sentence(library, desk, settings, words):
    desk.environment.update(settings)
    process = desk.start("run", "ldv1", f"{library.url}/nothing/manifest.json", "--no-report")
    out, err = process.communicate(timeout=200)
    assert process.returncode not in (0, 1)
    assert words in out + err
    assert "Traceback" not in out + err
