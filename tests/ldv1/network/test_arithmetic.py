import pytest
import torch

from bec_core import SettingsError
from bec_ldv1.network import arithmetic
from bec_ldv1.network.arithmetic import choose_precision
from bec_ldv1.network.line_model import Precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(params=[True, False], ids=["fast-bfloat16", "no-bfloat16"])
def fast(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    has: bool = request.param
    monkeypatch.setattr(arithmetic, "has_fast_bfloat16", lambda: has)
    return has


def test_unasked_a_contract_checkpoint_gets_only_the_contracts_arithmetic(fast: bool) -> None:
    assert choose_precision(CPU, is_box=False) is Precision.FLOAT32
    assert choose_precision(GPU, is_box=False) is Precision.FLOAT16


def test_unasked_the_box_gets_what_the_hardware_has(fast: bool) -> None:
    assert choose_precision(CPU, is_box=True) is (Precision.BFLOAT16 if fast else Precision.FLOAT32)
    assert choose_precision(GPU, is_box=True) is Precision.FLOAT16


def test_what_the_config_says_counts_more_than_what_others_chose(fast: bool) -> None:
    for device in (CPU, GPU):
        assert choose_precision(device, is_box=True, wanted="fp32", pinned="bfloat16") is Precision.FLOAT32
        assert choose_precision(device, is_box=True, wanted="bf16", pinned="float32") is Precision.BFLOAT16
    assert choose_precision(GPU, is_box=True, wanted="fp16", pinned="float32") is Precision.FLOAT16
    assert choose_precision(CPU, is_box=False, wanted="fp16") is Precision.FLOAT32


def test_a_worker_follows_those_before_it(fast: bool) -> None:
    for device in (CPU, GPU):
        assert choose_precision(device, is_box=True, pinned="float32") is Precision.FLOAT32
    assert choose_precision(GPU, is_box=True, pinned="bfloat16") is Precision.BFLOAT16
    assert choose_precision(GPU, is_box=True, pinned="float16") is Precision.FLOAT16
    if fast:
        assert choose_precision(CPU, is_box=True, pinned="bfloat16") is Precision.BFLOAT16


def test_one_that_can_not_follow_is_refused_in_words(fast: bool) -> None:
    with pytest.raises(SettingsError, match=r"calculate in float16, .* CPU has no float16 .* jobs update"):
        choose_precision(CPU, is_box=True, pinned="float16")
    with pytest.raises(
        SettingsError, match=r"calculate in int9, .* knows float32, float16, bfloat16: use its newest"
    ):
        choose_precision(GPU, is_box=True, pinned="int9")
    if not fast:
        with pytest.raises(SettingsError, match="CPU has no bfloat16"):
            choose_precision(CPU, is_box=True, pinned="bfloat16")
