"""Every metric that there is: what it is called where, what it counts. The reference's table is checked against it."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen


class Kind(StrEnum):
    """Whether a value only grows, stands for now, or is a distribution."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@frozen
class MetricName:
    """A metric: its name for Prometheus with labels beside ``job``, its names for CloudWatch, and its meaning."""

    prometheus: str
    kind: Kind
    labels: tuple[str, ...]
    emf: tuple[tuple[str, str], ...]
    doc: str


PAGES = MetricName(
    "bec_pages_total", Kind.COUNTER, (), (("Pages", "Count"),), "Pages finished, well or badly."
)
PAGE_ERRORS = MetricName(
    "bec_page_errors_total",
    Kind.COUNTER,
    ("stage",),
    (("PageErrors", "Count"),),
    "Failed pages of attempts that ended, by the stage that failed them.",
)
VOLUMES = MetricName(
    "bec_volumes_total",
    Kind.COUNTER,
    ("outcome",),
    (("VolumesDone", "Count"), ("VolumesRetried", "Count"), ("VolumesFailed", "Count"), ("VolumesHandedBack", "Count"),
     ("Faults", "Count")),
    "Attempts that ended, by outcome; CloudWatch has done, retryable_failed, terminal_failed, handed-back, fault.",
)  # fmt: skip
DEAD_LETTERS = MetricName(
    "bec_dead_letters_total", Kind.COUNTER, (), (("DeadLetters", "Count"),), "Messages set aside for good."
)
VOLUME_SECONDS = MetricName(
    "bec_volume_seconds",
    Kind.HISTOGRAM,
    (),
    (("VolumeSeconds", "Seconds"),),
    "Wall clock of attempts that ran and ended by themselves.",
)
PAGE_SECONDS = MetricName(
    "bec_page_seconds_total",
    Kind.COUNTER,
    ("stage",),
    (("PageSeconds", "Seconds"),),
    "Page time of these attempts by stage, all threads added up.",
)
AT_HAND = MetricName(
    "bec_volumes_at_hand", Kind.GAUGE, (), (("VolumesAtHand", "Count"),), "Volumes that are worked on now."
)
QUIET = MetricName(
    "bec_quiet_seconds",
    Kind.GAUGE,
    (),
    (("QuietSeconds", "Seconds"),),
    "Since a page was finished or a volume was begun, while one is at hand; else 0.",
)
WORKERS = MetricName(
    "bec_worker_up",
    Kind.GAUGE,
    (),
    (("Workers", "Count"),),
    "1: there is a worker; CloudWatch's sum counts them.",
)

CATALOG = (PAGES, PAGE_ERRORS, VOLUMES, DEAD_LETTERS, VOLUME_SECONDS, PAGE_SECONDS, AT_HAND, QUIET, WORKERS)

EMF_OUTCOMES = {
    "done": "VolumesDone",
    "retryable_failed": "VolumesRetried",
    "terminal_failed": "VolumesFailed",
    "handed-back": "VolumesHandedBack",
    "fault": "Faults",
}
"""Which outcome is which of CloudWatch's metrics."""

BUCKETS_S = (1.0, 5.0, 15.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0)
"""Upper bounds of the distribution of a volume's wall clock."""
