"""Comparing the database, the artifacts and the queue of a job, and mending what differs."""

from bec_core.admin.audit.compare import Audit, audit
from bec_core.admin.audit.findings import Finding, Kind
from bec_core.admin.audit.repair import Repaired, repair

__all__ = ["Audit", "Finding", "Kind", "Repaired", "audit", "repair"]
