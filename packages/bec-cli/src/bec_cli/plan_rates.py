"""What the command line tells of rates: ``--rate``, ``--rates-of``, ``--measured-on``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
import click

from bec_core.errors import ConflictError, SettingsError

if TYPE_CHECKING:
    from bec_core.admin.planning.measured import Measured
    from bec_core.admin.planning.prices import Prices
    from bec_core.admin.planning.work import Stage
    from bec_core.admin.session import Session


def told_rates(
    session: Session,
    stages: Sequence[Stage],
    rates: Sequence[str],
    rates_of: Sequence[str],
    measured_on: str | None,
    prices: Prices | None,
) -> dict[str, Measured]:
    """What the command line tells of rates, by the stages' names."""
    from bec_core.admin.jobs import find_job
    from bec_core.admin.planning import measured
    from bec_core.admin.planning import rates as by

    if measured_on is not None and prices is None:
        raise click.UsageError("--measured-on names an instance type of a price file: say --prices FILE")
    machine = by.machine_of(measured_on, prices.instances if prices else ())
    found: dict[str, Measured] = {}
    for name in rates_of:
        job = find_job(session, name)
        fitting = [stage for stage in stages if stage.job.type == job.type]
        if not fitting:
            raise ConflictError(f"--rates-of {name}: no job of the plan is of its type, {job.type}")
        known = measured.of_job(session, name, machine)
        found.update({stage.job.name: known for stage in fitting})
    for name, value in _parse_rates(rates, stages).items():
        before = found.get(name, measured.Measured())
        found[name] = attrs.evolve(before, rate=by.given(value, machine))
    return found


def _parse_rates(rates: Sequence[str], stages: Sequence[Stage]) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for text in rates:
        name, equals, number = text.rpartition("=")
        fitting = [stage.job.name for stage in stages if not equals or name in stage.names]
        try:
            value = float(number)
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            raise SettingsError(f"--rate {text}: write [JOB=]PAGES_PER_S, a number above 0")
        if not fitting or (not equals and len(fitting) > 1):
            known = ", ".join(stage.job.name for stage in stages)
            raise SettingsError(f"--rate {text}: say of which job, as JOB={number} (the plan has: {known})")
        found.update(dict.fromkeys(fitting, value))
    return found


def joined(tried: Measured, told: Measured | None) -> Measured:
    """What was told counts before what was tried."""
    if told is None:
        return tried
    return attrs.evolve(
        tried,
        rate=told.rate or tried.rate,
        written=told.written or tried.written,
        artifacts=told.artifacts or tried.artifacts,
    )
