"""Which arithmetic a network runs in: what the config says, the job's workers calculate in, or suits the machine.

The arithmetic belongs to the recipe: one job's results come from one. So the first worker's choice counts for those
that come after it, and one that can't follow says so and ends.
"""

from __future__ import annotations

from typing import Literal

import torch

from bec_core import SettingsError
from bec_ldv1.network.line_model import Precision

Wanted = Literal["auto", "fp32", "fp16", "bf16"]

_BY_NAME: dict[Wanted, Precision] = {
    "fp32": Precision.FLOAT32,
    "fp16": Precision.FLOAT16,
    "bf16": Precision.BFLOAT16,
}
_NAMES = {precision.value: name for name, precision in _BY_NAME.items()}


def wanted_as(precision: Precision) -> Wanted:
    """What a config says that wants this arithmetic and no other."""
    return _NAMES[precision.value]


def choose_precision(
    device: torch.device, *, is_box: bool, wanted: Wanted = "auto", pinned: str = ""
) -> Precision:
    """The arithmetic to run in.

    Args:
        device: where the network is to run.
        is_box: it is of this package's training. Of another, only the contract's arithmetic is chosen unasked.
        wanted: the config's word. Half precision on a CPU is as good as none: jobs that say it run on both.
        pinned: what the job's workers calculate in already; empty: nobody has begun.

    Raises:
        SettingsError: this machine can't follow what is pinned.
    """
    on_cpu = device.type == "cpu"
    if wanted != "auto" and not (on_cpu and wanted == "fp16"):
        return _BY_NAME[wanted]
    if pinned:
        return _followed(pinned, on_cpu=on_cpu)
    if not on_cpu:
        return Precision.FLOAT16
    return Precision.BFLOAT16 if is_box and has_fast_bfloat16() else Precision.FLOAT32


def _followed(pinned: str, *, on_cpu: bool) -> Precision:
    """The pinned arithmetic, if this machine has it."""
    says = f"the job's workers calculate in {pinned}, and one job's results come from one arithmetic"
    if pinned not in _NAMES:
        raise SettingsError(f"{says}; this bec-ldv1 knows {', '.join(_NAMES)}: use its newest release")
    precision = Precision(pinned)
    lacking = {Precision.FLOAT16: on_cpu, Precision.BFLOAT16: on_cpu and not has_fast_bfloat16()}
    if lacking.get(precision):
        raise SettingsError(
            f"{says}; this machine's CPU has no {pinned} in hardware: use other machines, or let all calculate in "
            'what they have in common ("precision": "fp32" in the job\'s config: bec jobs update)'
        )
    return precision


def has_fast_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware (AVX-512 BF16 or AMX)."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
