"""A narrower network out of a wider one: each level keeps the channels that count most, and its first blocks.

Structured pruning by the norms of the weights that write and read a channel (after Li et al. 2017,
https://arxiv.org/abs/1608.08710), batch norm folded in. What a level's blocks add to is one group of channels, chosen
once for all that write or read it; a residual block's inner channels are a group of its own.
"""

from __future__ import annotations

import copy
import re
from collections import defaultdict

import torch
from torch import nn

from bec_ldv1.network.box import BoxNet

Groups = tuple[str | None, str | None]
"""The group that a convolution writes and the one that it reads; None is the page or the answer."""


def groups_of(name: str, deepest: int) -> Groups:
    """The groups of the convolution of that name; ``deepest`` is the number of the lowest level."""
    if name.startswith("stem."):
        return "0", None
    if name == "head":
        return None, "0"
    if found := re.match(r"(downs|laterals)\.(\d+)", name):
        upper, lower = found[2], str(int(found[2]) + 1)
        return (lower, upper) if found[1] == "downs" else (upper, lower)
    level = str(deepest) if name.startswith("bottom.") else name.split(".")[1]
    block = name.rpartition(".first" if ".first." in name else ".second")[0]
    if ".first." in name:
        return block, level
    return level, block if ".second." in name else level


def pruned(wide: BoxNet, narrow: BoxNet) -> BoxNet:
    """Give ``narrow`` the weights of the channels of ``wide`` that count most; returns it.

    Raises:
        ValueError: ``narrow`` has other blocks or more of them, or is wider somewhere.
    """
    wide = _with_its_blocks(wide, narrow)
    modules = dict(wide.named_modules())
    convolutions = {name: module for name, module in modules.items() if isinstance(module, nn.Conv2d)}
    if convolutions.keys() != {n for n, module in narrow.named_modules() if isinstance(module, nn.Conv2d)}:
        raise ValueError("the networks have different blocks")
    deepest = len(wide.downs)
    kept = _kept(convolutions, modules, narrow, deepest)
    state = wide.state_dict()
    for name, module in convolutions.items():
        writes, reads = groups_of(name, deepest)
        weight = state[f"{name}.weight"]
        if writes is not None:
            weight = weight[kept[writes]]
        if reads is not None and module.groups == 1:
            weight = weight[:, kept[reads]]
        state[f"{name}.weight"] = weight
        per_channel = [f"{name}.bias"]
        if isinstance(modules.get(norm := _norm_after(name)), nn.BatchNorm2d):
            per_channel += [f"{norm}.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
        for key in per_channel:
            if key in state and writes is not None:
                state[key] = state[key][kept[writes]]
    narrow.load_state_dict(state)
    return narrow


def _with_its_blocks(wide: BoxNet, narrow: BoxNet) -> BoxNet:
    """``wide`` with as many blocks at each level as ``narrow``: the last residual ones go, the row stays."""
    result = copy.deepcopy(wide)
    for level, (theirs, wanted) in enumerate(zip(wide.encoders, narrow.encoders, strict=True)):
        assert isinstance(theirs, nn.Sequential)
        assert isinstance(wanted, nn.Sequential)
        rows = 1 if level else 0
        kept = [*list(theirs)[: len(wanted) - rows], *list(theirs)[len(theirs) - rows :]]
        result.encoders[level] = nn.Sequential(*copy.deepcopy(kept))
    return result


def _norm_after(name: str) -> str:
    """The batch norm's name behind a convolution, where it has one."""
    before, _, number = name.rpartition(".")
    return f"{before}.{int(number) + 1}" if number.isdigit() else ""


def _kept(
    convolutions: dict[str, nn.Conv2d], modules: dict[str, nn.Module], narrow: BoxNet, deepest: int
) -> dict[str, torch.Tensor]:
    """The channels that each group keeps, in their order."""
    written: dict[str, torch.Tensor] = defaultdict(lambda: torch.zeros(()))
    read: dict[str, torch.Tensor] = defaultdict(lambda: torch.zeros(()))
    left: dict[str, int] = {}
    state = narrow.state_dict()
    for name, module in convolutions.items():
        if module.groups > 1:
            continue  # a depthwise row or column belongs to its channel
        writes, reads = groups_of(name, deepest)
        squares = module.weight.detach().square()
        norm = modules.get(_norm_after(name))
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_var is not None
            squares = squares * (norm.weight.detach() ** 2 / (norm.running_var + norm.eps)).view(-1, 1, 1, 1)
        if writes is not None:
            written[writes] = written[writes] + _by_channel(squares, 0)
            left[writes] = state[f"{name}.weight"].shape[0]
        if reads is not None:
            read[reads] = read[reads] + _by_channel(squares, 1)
    result = {}
    for group, count in left.items():
        importance = written[group] * read[group]
        if count > len(importance):
            raise ValueError(f"the group {group} has {len(importance)} channels, {count} are wanted")
        result[group] = importance.topk(count).indices.sort().values
    return result


def _by_channel(squares: torch.Tensor, axis: int) -> torch.Tensor:
    """What each channel along an axis has of the weights' squares, beside the mean channel."""
    sums = squares.sum([other for other in range(4) if other != axis])
    return sums / sums.mean()
