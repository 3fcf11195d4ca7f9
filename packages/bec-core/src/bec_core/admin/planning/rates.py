"""How fast a job goes: a rate with its ground, and what it comes to on an instance type."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import evolve, frozen

from bec_core.admin.planning.figures import Basis, Figure
from bec_core.admin.planning.prices import Instance
from bec_core.admin.ratios import ratio
from bec_core.errors import SettingsError
from bec_core.machine import cores


@frozen
class Machine:
    """What a rate was measured on, as far as it is known: the cores that one worker had, GPUs, the instance's type."""

    cores: float | None = None
    gpus: int = 0
    instance: str | None = None


@frozen
class Rate:
    """Pages per second of one worker, and on what machine."""

    figure: Figure
    machine: Machine


def this_machine(instance: str | None = None) -> Machine:
    """The machine that this process runs on; ``instance``: what the operator says that it is."""
    gpus = sum(1 for one in Path("/dev").glob("nvidia[0-9]*"))
    return Machine(cores(), gpus, instance)


def machine_of(instance: str | None, known: Sequence[Instance]) -> Machine:
    """A machine of this type, as the price file describes it; None: nobody knows what it was.

    Raises:
        SettingsError: the file does not describe it.
    """
    if instance is None:
        return Machine()
    for one in known:
        if one.name == instance:
            return Machine(one.cores / one.workers, one.gpus, one.name)
    names = ", ".join(one.name for one in known) or "none: say --prices FILE"
    raise SettingsError(f"--measured-on {instance}: the price file has no such instance (it has: {names})")


def of_rows(name: str, volumes: Sequence[tuple[int, float]], machine: Machine) -> Rate | None:
    """The rate of a job that has done these volumes (pages, seconds by the clock); None: it has done none."""
    found = ratio(volumes)
    if found is None:
        return None
    why = f"{len(volumes):,} volumes that {name} did last, by the clock, each in one slot of a worker"
    return Rate(Figure(found.value, Basis.MEASURED, why, found.margin), machine)


def given(pages_per_s: float, machine: Machine) -> Rate:
    """What the operator says."""
    return Rate(Figure(pages_per_s, Basis.ASSUMED, "as --rate says"), machine)


def on_instance(rate: Rate | None, instance: Instance, names: Sequence[str]) -> Figure | None:
    """Pages per second of a whole instance; None: nothing is known that it could be told from.

    What the price file says of this type counts first; then a rate measured on it; then one measured on a machine
    without a GPU, by the number of cores. A GPU's speed can't be told from a processor's, nor the other way round.
    """
    for name in names:
        if name in instance.pages_per_s:
            return Figure(
                instance.pages_per_s[name], Basis.ASSUMED, f"as the price file says of {instance.name}"
            )
    if rate is None:
        return None
    figure, machine = rate.figure, rate.machine
    if machine.instance is not None and machine.instance == instance.name:
        return _times(figure, instance.workers, figure.basis, f"{figure.why}; on {instance.name}")
    if machine.gpus or instance.gpus:
        return None
    if machine.cores is not None:
        factor = instance.cores / machine.cores
        why = f"{figure.why}; by cores, {machine.cores:g} there and {instance.cores} here"
        return _times(figure, factor, max(figure.basis, Basis.EXTRAPOLATED, key=list(Basis).index), why)
    why = f"{figure.why}; its machine is unknown, taken for one like this"
    return _times(figure, instance.workers, Basis.ASSUMED, why)


def _times(figure: Figure, factor: float, basis: Basis, why: str) -> Figure:
    margin = None if figure.margin is None else figure.margin * factor
    return evolve(figure, value=figure.value * factor, margin=margin, basis=basis, why=why)
