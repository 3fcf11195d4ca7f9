"""`bec run` over what is no plain folder of images: a PDF, a TIFF with several pages; to report and line images."""

import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from PIL import Image

from support.places import ROOT

PAGES = sorted((ROOT / "samples" / "Works").rglob("0*.jpg"))[:2]


def pages_as(form, path):
    """The sample pages as one file; those of a PDF are JPEG images in it."""
    images = [Image.open(page).convert("L") for page in PAGES]
    more = {"quality": 95} if form == "PDF" else {"compression": "tiff_lzw"}
    images[0].save(path, form, save_all=True, append_images=images[1:], **more)


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(prefix="bec-run-") as folder:  # PostgreSQL's own user must reach it
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def bec(place):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("BEC_", "AWS_"))}

    def call(*arguments, status=0):
        done = subprocess.run(
            [sys.executable, "-m", "bec_cli", *arguments], cwd=place, capture_output=True, text=True,
            env={**clean, "BEC_HOME": str(place / "home")}, timeout=240,
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        return done.stdout + done.stderr

    return call


def test_a_pdf_alone_from_its_pages_to_report_and_line_images(place, bec):
    pages_as("PDF", place / "book.pdf")
    said = bec("run", "ldv1", "book.pdf")
    assert "1 volumes in book.pdf" in said
    (marker_path,) = (place / "book-bec").glob("ldv1/book/book/*/success.json")
    marker = json.loads(marker_path.read_text())
    assert (marker["total_images"], marker["nb_errors"]) == (2, 0)
    assert marker["source"] == f"pdf:{(place / 'book.pdf').as_uri()}"
    (report,) = (place / "book-bec" / "report").glob("book-book-*/index.html")
    assert "p0002.pdf" in report.read_text()
    assert sorted(path.name for path in (report.parent / "pages").iterdir()) == ["0001.jpg", "0002.jpg"]
    bec("ldv1", "export", "book-bec", "--crops", "crops", "--images", "book.pdf")
    (lines,) = place.glob("crops/*/lines.jsonl")
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    assert {row["image"] for row in rows} == {"p0001.pdf", "p0002.pdf"}
    assert all((lines.parent / row["crop"]).is_file() for row in rows)
    assert "1 were before" in bec("run", "ldv1", "book.pdf", "--no-report")


def test_a_folder_of_many_kinds(place, bec):
    for folder in ("scans/vol1", "scans/vol2/@eaDir"):
        (place / folder).mkdir(parents=True)
    pages_as("TIFF", place / "scans/vol1/leaves.tif")
    pages_as("PDF", place / "scans/vol1/book.pdf")
    file = io.BytesIO()
    Image.open(PAGES[0]).save(file, "WEBP")
    (place / "scans/vol2/1.webp").write_bytes(file.getvalue())
    (place / "scans/vol2/@eaDir/1.jpg").write_bytes(b"thumbnail")
    for name in ("notes.txt", "vol1/more.txt", "vol2/old.xml", "vol2/._1.webp"):
        (place / "scans" / name).write_bytes(b"x")
    (place / "scans/damaged.pdf").write_bytes(b"%PDF-1.7")
    said = bec("run", "ldv1", "scans", "--out", "out", status=6)
    assert "left out: 2 .txt, 1 ._*, 1 .xml" in said
    assert said.count("left out:") == 1
    assert "damaged.pdf: it is damaged, or no PDF" in said
    markers = [json.loads(path.read_text()) for path in (place / "out").rglob("success.json")]
    pages = {marker["volume"]["i_id"]: (marker["total_images"], marker["nb_errors"]) for marker in markers}
    assert pages == {"vol1": (2, 0), "vol1--book.pdf": (2, 0), "vol2": (1, 0)}
    bec("ldv1", "export", "out", "--crops", "crops", "--images", "scans")
    images = {
        json.loads(line)["image"]
        for lines in place.glob("crops/*/lines.jsonl")
        for line in lines.read_text().splitlines()
    }
    assert images == {"leaves.tif", "leaves.tif#2", "p0001.pdf", "p0002.pdf", "1.webp"}
