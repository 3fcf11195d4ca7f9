"""A fleet of spot workers over a whole library, in simulation: hours, costs, what is lost, the services' load.

Run: python simulation/simulate.py --pages-per-s 11.7 [--life-hours 12] [--workers 200] [--feed 4]
         [--prices prices.toml --instance NAME] [--volumes 60000 --pages 22000000]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from attrs import evolve

from bec_core.admin.planning.prices import Instance, read_prices
from fleet.ledger import Status
from fleet.run import Result, simulate, volumes_by_status
from fleet.scenario import DAY_S, HOUR_S, Scenario, by_backlog

KINDS = ("claims", "renewals", "settles", "heartbeats", "received", "hidings")


def main() -> None:
    """Read the options, simulate with and without kept pages, print the figures side by side."""
    options = _options()
    instance, currency = _instance(options)
    scenario = Scenario(
        volumes=options.volumes,
        pages=options.pages,
        pages_per_s=options.pages_per_s,
        workers=options.workers,
        life_s=options.life_hours * HOUR_S,
        unannounced=options.unannounced,
        feed=options.feed,
        retention_s=options.retention_days * DAY_S,
        sizing=by_backlog(options.per_instance, options.workers) if options.per_instance else None,
        seed=options.seed,
    )
    began = time.perf_counter()
    both = [simulate(scenario), simulate(evolve(scenario, resume=False))]
    rows = [
        ("", ["pages kept", "volumes begin anew"]),
        *((name, [figure(one) for one in both]) for name, figure in _figures(instance, currency)),
    ]
    for name, values in rows:
        print(f"{name:44}{values[0]:>22}{values[1]:>22}")
    print(f"simulated in {time.perf_counter() - began:.0f} s")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--volumes", type=int, default=60_000)
    parser.add_argument("--pages", type=int, default=22_000_000)
    parser.add_argument(
        "--pages-per-s", type=float, required=True, help="of one worker: measured, not guessed"
    )
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--life-hours", type=float, default=12.0, help="of an instance, on average (assumed)")
    parser.add_argument(
        "--unannounced", type=float, default=0.05, help="share of ends without a notice (assumed)"
    )
    parser.add_argument("--feed", type=int, help="messages for each live worker; default: all at once")
    parser.add_argument("--retention-days", type=float, default=4.0)
    parser.add_argument("--per-instance", type=int, help="scale as bec scale does: volumes for each instance")
    parser.add_argument("--prices", type=Path, help="your price file")
    parser.add_argument("--instance", help="an instance type of it")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _instance(options: argparse.Namespace) -> tuple[Instance | None, str]:
    if options.prices is None:
        return None, ""
    prices = read_prices(options.prices)
    for one in prices.instances:
        if options.instance in (None, one.name):
            return one, prices.currency
    sys.exit(f"{options.prices} has no instance {options.instance}")


def _figures(instance: Instance | None, currency: str):
    """The lines: name, and what of a result."""
    yield "hours until the last volume", lambda r: f"{r.hours:.1f}"
    yield "hours until 99 % of them", lambda r: f"{r.done_at_h[99]:.1f}"
    yield "instance hours", lambda r: f"{r.instance_hours:,.0f}"
    yield "of these idle", lambda r: f"{r.tally.sums['idle seconds'] / HOUR_S:,.0f}"
    if instance is not None:
        yield f"{currency} on demand, {instance.name}", lambda r: f"{r.instance_hours * instance.hourly:,.0f}"
        if instance.spot_hourly is not None:
            spot = instance.spot_hourly
            yield f"{currency} spot, {instance.name}", lambda r: f"{r.instance_hours * spot:,.0f}"
    yield "interruptions with a notice, without", lambda r: _both(r, "interruptions", "deaths")
    yield "pages worked on", lambda r: f"{r.tally.sums['pages worked']:,.0f}"
    yield "pages lost to interruptions", lambda r: f"{r.tally.sums['pages lost']:,.0f} ({r.lost_share:.2%})"
    yield "volumes done, given up", _ended
    yield "attempts repeated for failures", lambda r: f"{r.tally.totals['retries']:,}"
    yield "messages forgotten, sent again", lambda r: _both(r, "forgotten", "sent again")
    yield "most messages in flight", lambda r: f"{r.tally.peaks['in flight']:,}"
    yield "most connections to PostgreSQL", lambda r: f"{r.tally.peaks['connections']:,}"
    for kind in KINDS:
        yield (
            f"{kind} a second: mean, busiest minute",
            lambda r, kind=kind: "{:.1f}, {:.1f}".format(*r.tally.per_s(kind)),
        )


def _both(result: Result, one: str, other: str) -> str:
    return f"{result.tally.totals[one]:,}, {result.tally.totals[other]:,}"


def _ended(result: Result) -> str:
    found = volumes_by_status(result)
    return f"{found[Status.DONE]:,}, {found[Status.FAILED]:,}"


if __name__ == "__main__":
    main()
