"""The report for people: finished volumes as static HTML, and two runs compared."""

from bec_ldv1.output.report.compare import write_comparison
from bec_ldv1.output.report.write import write_report

__all__ = ["write_comparison", "write_report"]
