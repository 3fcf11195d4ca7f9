"""bench/speed.py: its pages, its proxy and its ratios; the measuring itself is a command for people."""

import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.places import ROOT

BENCH = ROOT / "bench"
sys.path.insert(0, str(BENCH))

from measuring import command  # noqa: E402
from measuring.against import checked_out, ratios  # noqa: E402
from measuring.bounds import Remembered, measure_bounds, tile_pixels  # noqa: E402
from measuring.command import Run  # noqa: E402
from measuring.machine import describe  # noqa: E402
from measuring.pages import distinct_pages, draw_page, make_volume  # noqa: E402
from measuring.recognition import recognition_bounds  # noqa: E402

from bec_ldv1.network.setup import start_engine  # noqa: E402
from bec_ldv1.page.detect import detect_page  # noqa: E402
from bec_ldv1.record.make import page_record  # noqa: E402


def test_the_three_kinds_have_the_sizes_that_they_should(tmp_path: Path) -> None:
    found = []
    for number in range(3):
        with Image.open(draw_page(tmp_path, number)) as image:
            found.append((image.format, image.size, image.mode, image.info.get("compression")))

    assert found == [
        ("JPEG", (3_600, 900), "L", None),
        ("JPEG", (1_800, 2_800), "L", None),
        ("TIFF", (12_000, 2_400), "1", "group4"),
    ]


def test_a_page_is_the_same_wherever_it_is_drawn(tmp_path: Path) -> None:
    first, again = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    again.mkdir()

    assert draw_page(first, 3).read_bytes() == draw_page(again, 3).read_bytes()
    assert draw_page(first, 0).read_bytes() != draw_page(first, 3).read_bytes()


def test_a_volume_repeats_its_pages_in_order(tmp_path: Path) -> None:
    pages = distinct_pages(tmp_path, None, 2)
    make_volume(tmp_path / "volume", pages, 5)

    made = sorted((tmp_path / "volume").iterdir())
    assert [one.read_bytes() for one in made] == [pages[n % 2].read_bytes() for n in range(5)]


def test_no_image_to_take_pages_from_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="name a folder of scans"):
        distinct_pages(tmp_path, tmp_path, 2)


class Counting:
    """A network that counts what it is asked."""

    model = "anything else of an engine"

    def __init__(self) -> None:
        self.calls = 0

    def infer(self, tiles: object) -> int:
        self.calls += 1
        return self.calls


def test_what_was_asked_once_is_not_asked_again() -> None:
    network = Counting()
    remembered = Remembered(network)
    tiles = np.zeros((2, 512, 512), np.uint8)

    for _ in range(3):
        with remembered.asking("a"):
            answers = [remembered.infer(tiles), remembered.infer([tiles[0]])]
    assert network.calls == 2
    assert answers == [1, 2]
    with remembered.asking("b"):
        assert remembered.infer(tiles) == 3
    assert remembered.model == network.model
    assert [tile_pixels(one) for one in remembered.asked.values()] == [2 * 512**2, 512**2, 2 * 512**2]


def test_a_page_of_another_job_asks_by_another_name() -> None:
    remembered = Remembered(Reading(), "read")
    with remembered.asking("a"):
        assert remembered.read(["one", "two"]) == [3, 3]
    assert remembered.asked == {("a", 0): ["one", "two"]}
    assert remembered.ask(["three"]) == [5], "the engine itself"


class Reading:
    """An engine that reads a line as its length."""

    def read(self, lines: list[str]) -> list[int]:
        return [len(line) for line in lines]


def test_what_a_job_reads_is_made_before_it_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of recognition only its own time counts, not that of the line detection before it."""
    ran: list[tuple[str, tuple[str, ...]]] = []

    def one(chain: str, volume: object, place: object, environment: object, options: tuple[str, ...]) -> Run:
        ran.append((chain, options))
        return Run(float(len(ran)), 1.0, 1.0, 1.0)

    monkeypatch.setattr(command, "_run", one)
    assert command.run(tmp_path, {}, "ocrv1", '{"decoder": "greedy"}').pages_per_s == 2.0
    assert ran == [("ldv1", ()), ("ldv1,ocrv1", ("--config-text", 'ocrv1={"decoder": "greedy"}'))]


def test_ratios_are_of_pairs() -> None:
    def one(rate: float) -> Run:
        return Run(rate, 10.0, 5.0, 100.0)

    found = ratios([(one(2.0), one(1.0)), (one(3.0), one(3.0)), (one(5.0), one(4.0))])
    assert found["pages/s"] == (statistics.median([2, 1, 1.25]), 1.0, 2.0)
    assert found["peak memory"] == (1.0, 1.0, 1.0)


def test_the_machine_is_described() -> None:
    assert "processor" in describe()
    assert "numpy" in describe()


@pytest.mark.slow
def test_the_bounds_and_the_stages_of_a_drawn_page(tmp_path: Path) -> None:
    pages = distinct_pages(tmp_path, None, 2)
    with start_engine() as engine:
        record = page_record("1", "", detect_page(pages[0].read_bytes(), engine))
        found = measure_bounds(engine, pages, 40, 2)  # a record's 2 ms are seldom met on fewer
    assert record.details is not None
    assert len(record.details.lines) == 6, "the drawn page is no page of lines to the network"
    assert {"decode", "prepare", "lines", "record", "Parquet"} <= set(found.stages)
    assert found.in_turn < min(found.network.pages_per_s, found.rest.pages_per_s)
    assert found.asked > 2
    assert sum(found.stages.values()) == pytest.approx(found.rest.cpu_s, rel=0.8)


@pytest.mark.slow
def test_the_bounds_of_recognition(tmp_path: Path) -> None:
    name, found = recognition_bounds(distinct_pages(tmp_path, None, 1), 1, 1)
    assert name == "box in float32"
    assert found.asked == 6, "the drawn page's lines"
    assert {"decode", "cut lines"} <= set(found.stages)
    assert found.network.cpu_s > 0


@pytest.mark.slow
def test_where_there_is_no_gpu_it_says_so() -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    done = subprocess.run(
        [sys.executable, BENCH / "speed.py", "--gpu"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    assert "no GPU" in done.stderr


@pytest.mark.slow
def test_another_commit_is_checked_out_for_a_while(tmp_path: Path) -> None:
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(tmp_path)]
    (tmp_path / "a").write_text("1")
    for words in (["init", "-q"], ["add", "a"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    with checked_out(tmp_path, "HEAD") as tree:
        assert (tree / "a").read_text() == "1"
    assert not tree.exists()
    with pytest.raises(SystemExit, match="failed"), checked_out(tmp_path, "nothing"):
        pass
