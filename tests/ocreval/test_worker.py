"""The job over a made-up task: what it reads, writes and says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from attrs import Factory, define, frozen

from bec_core import VERDICTS, Page, TaskStopped, TerminalTaskError, Volume
from bec_core.job import ingredients_of
from bec_ocreval.config import OcrEvalConfig
from bec_ocreval.errors import TruthError
from bec_ocreval.measures import read_measures
from bec_ocreval.results import Sign, read_pages, read_summary
from bec_ocreval.worker import OcrEvalWorker, build_worker
from support.ocr_volumes import Read, ocr_parquet, volume_of

LINES = ("བཅོམ་ལྡན་འདས་རྒྱལ་པོའི་ཁབ་ན་", "འོད་མའི་ཚལ་ན་བཞུགས་སོ།")
PAGES = [Read("1.jpg", LINES, [0.9, 0.8]), Read("2.jpg"), Read("3.jpg", error="no image")]
CONFIG = OcrEvalConfig()


@frozen
class FakeInput:
    parquet: bytes

    def read(self, suffix: str) -> bytes:
        assert suffix == ".parquet"
        return self.parquet


@define
class FakeContext:
    """What the worker needs of a task's context; ``stop_at`` pages it is told to stop."""

    volume: Volume
    parquet: bytes
    stop_at: int | None = None
    done: list[Page] = Factory(list)
    artifacts: dict[str, bytes] = Factory(dict)
    said: dict[str, float] = Factory(dict)

    @property
    def stop(self) -> FakeContext:
        return self

    def check(self) -> None:
        if len(self.done) == self.stop_at:
            raise TaskStopped("enough")

    def input(self, name: str) -> FakeInput:
        assert name == "text"
        return FakeInput(self.parquet)

    def page_done(self, page: Page) -> None:
        self.done.append(page)

    def write_artifact(self, suffix: str, data: bytes) -> None:
        self.artifacts[suffix] = data

    def metrics(self, **values: float) -> None:
        self.said |= values

    def artifact(self, suffix: str) -> bytes:
        """As who looks at the result reads it."""
        return self.artifacts[suffix]


@frozen
class FakeResource:
    path: Path
    sha256: str = "ab" * 32
    url: str = ""


@frozen
class FakeSetup:
    config: OcrEvalConfig = CONFIG
    truth: FakeResource | None = None

    def resource(self, name: str) -> FakeResource | None:
        assert name == "truth"
        return self.truth


def context(pages=PAGES, **more: Any) -> FakeContext:
    return FakeContext(volume_of([page.image for page in pages]), ocr_parquet(pages), **more)


def truth_of(folder: Path, **texts: str) -> FakeResource:
    for name, text in texts.items():
        (folder / f"{name.strip('_')}.txt").write_text(text)
    return FakeResource(folder)


def test_without_truth(tmp_path):
    ctx = context()
    worker = build_worker(FakeSetup())
    worker.run(ctx)
    assert [page.filename for page in ctx.done] == ["1.jpg", "2.jpg", "3.jpg"]
    assert ctx.said == {
        "scored": 0,
        "chars": 0,
        "syllables": 0,
        "pages": 3,
        "suspicious": 1,
        "blank": 1,
        "lines": 2,
        "judged": 13,
        "confidence": pytest.approx(0.85),
        "well_formed": 1.0,
        "lines_a_page": pytest.approx(2 / 3),
        "verdict": VERDICTS.index("look"),
    }
    assert read_measures(ctx).metrics == pytest.approx(dict(ctx.said))
    assert [page.level.value for page in read_measures(ctx).pages] == ["fine", "blank", "suspicious"]
    assert ingredients_of(worker, {}).resources == {}
    worker.close()


def test_with_truth(tmp_path):
    resource = truth_of(tmp_path, _1="\n".join(LINES).replace("སོ", "སྟེ"), _3="ཀ་ཁ།")
    ctx = context()
    worker = build_worker(FakeSetup(truth=resource))
    worker.run(ctx)
    one, two, three = read_pages(ctx.artifacts[".jsonl"])
    assert one.truth.score.characters.edits == 2
    assert two.truth is None
    assert three.truth.score.characters.rate == 1
    volume = read_summary(ctx.artifacts[".json"])
    assert (volume.scored, volume.characters.edits) == (2, 2 + 4)
    assert ctx.said["cer"] == volume.characters.rate == json.loads(ctx.artifacts[".json"])["cer"]
    assert ctx.said["ser"] == volume.syllables.rate
    assert (ctx.said["chars"], ctx.said["syllables"]) == (volume.characters.length, volume.syllables.length)
    assert ingredients_of(worker, {"truth": resource}).resources == {"truth": "ab" * 32}


def test_a_second_run_gives_the_same(tmp_path):
    worker = build_worker(FakeSetup(truth=truth_of(tmp_path, _1="ཀ")))
    first, second = context(), context()
    worker.run(first)
    worker.run(second)
    assert first.artifacts == second.artifacts


def test_a_page_that_the_ocr_job_does_not_have_is_flagged():
    ctx = context(PAGES[:1])
    ctx.volume = volume_of(["1.jpg", "2.jpg"])
    OcrEvalWorker(CONFIG).run(ctx)
    assert [reason.sign for reason in read_pages(ctx.artifacts[".jsonl"])[1].reasons] == [Sign.MISSING]


def test_it_stops_when_told():
    ctx = context(stop_at=1)
    with pytest.raises(TaskStopped):
        OcrEvalWorker(CONFIG).run(ctx)
    assert (len(ctx.done), ctx.artifacts) == (1, {})


def test_a_parquet_file_without_texts_is_a_terminal_error():
    ctx = context()
    ctx.parquet = ocr_parquet(PAGES, without="line_texts")
    with pytest.raises(TerminalTaskError, match="no column line_texts"):
        OcrEvalWorker(CONFIG).run(ctx)


def test_ambiguous_truth_is_a_terminal_error(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        truth_of(tmp_path / name, _1="ཀ")
    worker = build_worker(FakeSetup(truth=FakeResource(tmp_path)))
    with pytest.raises(TerminalTaskError, match=r"a/1\.txt and b/1\.txt"):
        worker.run(context())


def test_unreadable_truth_is_said_before_any_volume(tmp_path):
    (tmp_path / "1.xml").write_text("<PcGts>")
    with pytest.raises(TruthError, match=r"1\.xml: it is not well-formed"):
        build_worker(FakeSetup(truth=FakeResource(tmp_path)))
