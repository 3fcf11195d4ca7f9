"""``bec ldv1 export --crops``: an image per line, and a list of them."""

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from PIL import Image

from bec_ldv1.cli import ldv1
from bec_ldv1.lines import Line
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.records import PageRecord, to_parquet
from support.drawn_lines import HEIGHT, WIDTH, course, drawn, outline, stored


def artifacts(folder: Path, *names: str) -> Path:
    points = course(4, 20)
    line = Line(outline(points).astype(np.float32), points.astype(np.float32), 0.5)
    details = PageDetails(WIDTH, HEIGHT, 0.1, (line, line))
    boxes = np.empty((0, 4), np.int32)
    records = [PageRecord(name, "ff", contours=[], contours_bboxes=boxes, details=details) for name in names]
    path = folder / "W1-I0001-abcdef.parquet"
    path.write_bytes(to_parquet(records))
    return path


def test_the_command_writes_images_and_a_list(tmp_path):
    images = tmp_path / "images" / "W1-0001"
    images.mkdir(parents=True)
    (images / "p1.png").write_bytes(stored(drawn(course(4, 20)), 1))
    (images / "p2.png").write_bytes(b"no image")
    path = artifacts(tmp_path, "p1.png", "p2.png")
    arguments = [
        "export",
        str(path),
        "--crops",
        str(tmp_path / "crops"),
        "--images",
        str(tmp_path / "images"),
    ]
    result = CliRunner().invoke(ldv1, arguments, standalone_mode=False)
    assert result.return_value == 6
    assert "p2.png: not an image of a known kind" in result.output
    folder = tmp_path / "crops" / "W1-I0001-abcdef"
    rows = [json.loads(text) for text in (folder / "lines.jsonl").read_text().splitlines()]
    assert [(row["crop"], row["image"], row["line"]) for row in rows] == [
        ("p1_001.png", "p1.png", 1),
        ("p1_002.png", "p1.png", 2),
    ]
    with Image.open(folder / "p1_001.png") as crop:
        assert (crop.mode, list(crop.size)) == ("L", rows[0]["size"])
