"""Measure how well detected lines fit hand-made ones. ``docs/evaluation.md`` has the definitions."""

from bec_ldv1.evaluation.metrics import PageScore, score_page
from bec_ldv1.evaluation.pages import PageLines, TruthError, document_of
from bec_ldv1.evaluation.readers import read_pages
from bec_ldv1.evaluation.report import EvaluationReport, SetScore, evaluate, split_by_document, summarise

__all__ = [
    "EvaluationReport",
    "PageLines",
    "PageScore",
    "SetScore",
    "TruthError",
    "document_of",
    "evaluate",
    "read_pages",
    "score_page",
    "split_by_document",
    "summarise",
]
