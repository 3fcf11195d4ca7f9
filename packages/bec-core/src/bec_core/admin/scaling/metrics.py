"""What scaling reads: the ledger's backlog, as CloudWatch metrics of the namespace ``BEC``, by job."""

from __future__ import annotations

from bec_core.admin.scaling.calls import Call
from bec_core.admin.scaling.rules import needs_nobody
from bec_core.db.backlog import Backlog
from bec_core.models import Job, JobStatus

NAMESPACE = "BEC"
DIMENSION = "Job"
BACKLOG = "Backlog"
PER_WORKER = "BacklogPerWorker"
OVER = "NothingLeft"


def dimensions(job_name: str) -> list[dict[str, str]]:
    """What tells one job's metrics from another's."""
    return [{"Name": DIMENSION, "Value": job_name}]


def publish(job: Job, backlog: Backlog, *, over: bool) -> Call:
    """The call that publishes them: the backlog, that of each live worker, and (1 or 0) whether the job needs nobody.

    ``over`` is what a worker's own end goes by: also of what is blocked, nothing is on its way. Nothing of a job that
    is not active is to be worked on: its backlog is 0.
    """
    active = job.status is JobStatus.ACTIVE
    figures = (
        (BACKLOG, float(backlog.total) if active else 0.0),
        (PER_WORKER, backlog.per_worker if active else 0.0),
        (OVER, float(needs_nobody(job.status, over=over))),
    )
    data = [
        {"MetricName": name, "Dimensions": dimensions(job.name), "Value": value, "Unit": "Count"}
        for name, value in figures
    ]
    return Call("cloudwatch", "put_metric_data", {"Namespace": NAMESPACE, "MetricData": data})
