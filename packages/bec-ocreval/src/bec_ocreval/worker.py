"""The job's worker: compares what an OCR job read with the truth, page by page. It opens no image."""

from __future__ import annotations

import time

from bec_core import TaskContext, TaskResult, TerminalTaskError, WorkerSetup
from bec_ocreval.config import OcrEvalConfig
from bec_ocreval.errors import TextsError, TruthError
from bec_ocreval.evaluate import evaluate_page, evaluate_volume
from bec_ocreval.measures import metrics
from bec_ocreval.results import PAGES, SUMMARY, PageResult, page_rows, summary
from bec_ocreval.texts import of_pages, read_texts
from bec_ocreval.truth.find import Truth
from bec_ocreval.truth.load import load_truth

INPUT, RESOURCE = "text", "truth"
"""The names of the OCR job's artifacts and of the ground truth."""


class OcrEvalWorker:
    """A :class:`bec_core.JobWorker`; its ``run`` may be called by several threads.

    Args:
        config: the job's config.
        truth: the ground truth; None if there is none.
    """

    def __init__(self, config: OcrEvalConfig, truth: Truth | None = None) -> None:
        self._config = config
        self._truth = truth

    def run(self, ctx: TaskContext) -> TaskResult:
        """Evaluate every page; write ``{basename}.jsonl`` and ``{basename}.json``, and say the volume's metrics."""
        began = time.perf_counter()
        pages = ctx.volume.pages
        try:
            read = of_pages(read_texts(ctx.input(INPUT).read(".parquet")), pages)
            truths = {} if self._truth is None else self._truth.of(ctx.volume.ref, pages)
        except (TextsError, TruthError) as error:
            raise TerminalTaskError(str(error)) from error
        results: list[PageResult] = []
        for page, one in zip(pages, read, strict=True):
            ctx.stop.check()
            results.append(evaluate_page(page.filename, one, truths.get(page.index), self._config))
            ctx.page_done(page)
        volume = evaluate_volume(results, self._config.confusions)
        ctx.write_artifact(PAGES, page_rows(results))
        ctx.write_artifact(SUMMARY, summary(volume))
        ctx.metrics(**metrics(volume))
        return TaskResult(page_ms=(time.perf_counter() - began) * 1000)

    def close(self) -> None:
        """Nothing is held."""


def build_worker(setup: WorkerSetup) -> OcrEvalWorker:
    """The job's worker factory.

    Raises:
        TruthError: the ground truth can't be read.
    """
    given = setup.resource(RESOURCE)
    return OcrEvalWorker(setup.config, None if given is None else Truth(load_truth(given.path)))
