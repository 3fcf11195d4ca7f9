"""The bounds on a GPU, in half precision and batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from measuring.bounds import measure_bounds
from measuring.command import run
from measuring.machine import cores

BATCHES = (8, 16, 32, 64, 80, 128, 256)
DECODERS = 16
"""The cores of the machine that the goal names: decoding counts on so many at most."""


def card() -> str | None:
    """The GPU's name as torch knows it; None: there is none."""
    try:
        import torch
    except ModuleNotFoundError:
        return None
    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else None


def report(
    distinct: Sequence[Path], pages: int, model: Path | None, volume: Path, environment: Mapping[str, str]
) -> None:
    """Print forward pass, decoding and all of the rest for each size of a batch; then the model in the box's worker."""
    from bec_ldv1.config import Ldv1Config
    from bec_ldv1.network.setup import start_engine

    threads = min(DECODERS, cores())
    print(f"{'tiles a batch':>14}{'forward':>11}{'decode':>11}{'all but it':>12}{'the bound':>11}   pages/s")
    bound = 0.0
    for batch in BATCHES:
        config = Ldv1Config(require_gpu=True, precision="fp16", max_tiles_per_batch=batch)
        with start_engine(model, config) as engine:
            found = measure_bounds(engine, distinct, pages, threads)
        forward, decoding, rest = (one.pages_per_s for one in (found.network, found.decode, found.rest))
        bound = max(bound, min(forward, decoding))
        print(f"{batch:>14}{forward:>11.1f}{decoding:>11.1f}{rest:>12.1f}{min(forward, decoding):>11.1f}")
    print(f"the bound is the lower of forward and decode, decode on {threads} cores ({DECODERS} at most)")
    if model is None:
        worker = run(volume, environment)
        print(
            f"bec run {worker.pages_per_s:.1f} pages/s, {worker.pages_per_s / bound:.0%} of the highest bound"
        )
