"""The report for people: readings beside their truth as static HTML, and two evaluations compared."""

from bec_ocreval.report.compare import write_comparison
from bec_ocreval.report.write import write_report

__all__ = ["write_comparison", "write_report"]
