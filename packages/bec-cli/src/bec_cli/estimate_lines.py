"""When a job will be done, as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_cli.common import ago
from bec_cli.printing import say

if TYPE_CHECKING:
    from bec_core.admin.estimate import Estimate

HOUR_S = 3600.0


def print_estimate(found: Estimate | None, hourly_price: float | None) -> None:
    """Print it, with what is left to pay at a price for a worker's hour; nothing where there is none."""
    if found is None:
        return
    high = "unknown, the rate changes too much" if found.high_s is None else ago(found.high_s)
    say(f"  Time Left, 95 %: {ago(found.low_s)} to {high}")
    if hourly_price is not None:
        most = (
            "unknown" if found.worker_high_s is None else f"{found.worker_high_s / HOUR_S * hourly_price:.2f}"
        )
        say(f"  Cost Left, 95 %: {found.worker_low_s / HOUR_S * hourly_price:.2f} to {most}")
    workers = "worker" if found.workers == 1 else "workers"
    say(
        f"  (from {found.pages_per_worker_s:.2f} pages/s of a worker in {found.windows} stretches of"
        f" {found.window_s / 60:.0f} min, {found.workers} {workers} now, {found.workers_before:.1f} then)"
    )
