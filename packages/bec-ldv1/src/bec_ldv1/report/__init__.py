"""The report for people: finished volumes as static HTML."""

from bec_ldv1.report.write import write_report

__all__ = ["write_report"]
