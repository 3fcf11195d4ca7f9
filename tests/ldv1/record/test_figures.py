"""A volume's figures: the worker's and the reader's are one, and they say what the report says."""

from __future__ import annotations

import io

import attrs
import pytest

from bec_core import PageLevel
from bec_ldv1.artifacts.figures import read_figures
from bec_ldv1.page.flags import Flag
from bec_ldv1.plugin import bec_job_types
from bec_ldv1.record.figures import VERDICTS
from bec_ldv1.record.records import PageRecord, from_parquet, to_parquet
from bec_ldv1.record.suspicion import TITLE_PAGE
from bec_ldv1.record.volume_file import VolumeFile

from .test_volume_file import page


@attrs.frozen
class Stored:
    """A result that lies in memory."""

    parquet: bytes
    basename: str = "W1-I1-abc123"
    marker: dict[str, object] = attrs.field(factory=dict)

    def artifact(self, suffix: str) -> bytes:
        assert suffix == ".parquet"
        return self.parquet


RECORDS = [page(number, 6) for number in range(20)]
RECORDS[7] = page(7, 0)
RECORDS[12] = PageRecord.failed("12.jpg", None, stage="decode", error_type="X", message="y")


def test_the_worker_says_what_is_read_of_its_file_later():
    waiting, sink = io.BytesIO(), io.BytesIO()
    volume = VolumeFile(waiting, len(RECORDS))
    for record in RECORDS:
        volume.add(record)
    volume.write(sink)
    read = read_figures(Stored(sink.getvalue()))
    assert read.metrics == pytest.approx(volume.figures.metrics)
    assert read.metrics == pytest.approx(
        {
            "pages": 19, "lines": 108, "without_lines": 1 / 19, "suspicious": 1, "blank": 0, "lines_a_page": 108 / 19,
            "confidence": 0.95, "verdict": 1,
        }
    )  # fmt: skip
    assert read.pages[7].level is PageLevel.SUSPICIOUS
    assert read.pages[7].image == "7.jpg"
    assert read.pages[7].reasons
    assert read.pages[12].level is PageLevel.FAILED
    assert read.pages[0].level is PageLevel.FINE


def test_a_title_page_makes_no_volume_suspicious_nor_its_record():
    """By the figures, which SQL knows, and by the file's flags: the report asks the same function."""
    title = page(0, 1)
    assert title.details is not None
    title = attrs.evolve(title, details=attrs.evolve(title.details, unread_rows=0, unread_share=0.0))
    waiting, sink = io.BytesIO(), io.BytesIO()
    volume = VolumeFile(waiting, 5)
    for record in [title, *(page(number, 6) for number in range(1, 5))]:
        volume.add(record)
    volume.write(sink)
    assert volume.figures.metrics["suspicious"] == 0
    assert VERDICTS[int(volume.figures.metrics["verdict"])] == "good"
    read = read_figures(Stored(sink.getvalue()))
    assert read.metrics == pytest.approx(volume.figures.metrics)
    assert read.pages[0].level is PageLevel.FINE
    assert read.pages[0].reasons == (TITLE_PAGE,)
    assert not any(r.details and Flag.SUSPICIOUS in r.details.flags for r in from_parquet(sink.getvalue()))


def test_what_is_given_is_declared():
    (job_type,) = bec_job_types()
    declared = {metric.name: metric for metric in job_type.metrics}
    assert read_figures(Stored(to_parquet(RECORDS))).metrics.keys() == declared.keys()
    assert declared["verdict"].labels == VERDICTS


def test_of_the_contracts_columns_alone_only_what_they_tell_is_said():
    old = [attrs.evolve(record, details=None) for record in RECORDS]
    read = read_figures(Stored(to_parquet(old)))
    assert read.metrics == {"pages": 19, "without_lines": 1}
    assert read.pages == ()


def test_a_volume_without_pages_has_a_verdict_and_no_means():
    assert read_figures(Stored(to_parquet([]))).metrics == {
        "pages": 0, "lines": 0, "suspicious": 0, "blank": 0, "verdict": 2,
    }  # fmt: skip


def test_what_is_no_such_file_is_told():
    with pytest.raises(ValueError, match="Parquet"):
        read_figures(Stored(b"no parquet"))
