"""The figures of a result that was finished before: the job type's `bec_core.FiguresReader`. No torch."""

from __future__ import annotations

from bec_core import ResultFigures, StoredResult
from bec_ldv1.record.figures import VolumeFigures
from bec_ldv1.record.records import from_parquet


def read_figures(result: StoredResult) -> ResultFigures:
    """The figures of a volume's Parquet file.

    Raises:
        ValueError: it holds no line-detection records.
    """
    records = from_parquet(result.artifact(".parquet"))
    figures = VolumeFigures(len(records))
    for record in records:
        figures.add(record)
    return figures.result
