import attrs
import numpy as np
import pytest

from bec_core import SettingsError
from bec_ldv1.config import Ldv1Config
from bec_ldv1.network import proof as proofs
from bec_ldv1.network import setup
from bec_ldv1.network.checkpoint import load_model
from bec_ldv1.network.line_model import LineModel, Precision
from bec_ldv1.network.proof import Proof

REFUSED = r"model box in float32 on this machine's cpu .* are off by .* Nothing was"


@pytest.fixture(scope="module")
def box() -> LineModel:
    return load_model(None, Precision.FLOAT32)


def test_a_machine_on_which_the_model_sees_something_else_is_refused(box: LineModel) -> None:
    proof = Proof.shipped()
    assert box.sha256 == proof.model
    proof.holds(box)
    for cells in (np.flipud(proof.cells), np.full_like(proof.cells, np.nan)):
        other = attrs.evolve(proof, cells=cells)
        with pytest.raises(SettingsError, match=REFUSED):
            other.holds(box)
        attrs.evolve(other, model="ab" * 32).holds(box)  # it proves nothing of this model


def test_a_start_is_proved_and_says_how_the_model_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Ldv1Config(precision="fp32", use_gpu=False, runtime="torch")
    with setup.start_engine(None, config) as engine:
        passes = "1 pass" if setup.cores() == 1 else f"{setup.cores()} passes"
        assert engine.in_words == f"float32 on cpu by torch, {passes} of 1 tile"
    monkeypatch.setitem(proofs.FARTHEST, Precision.FLOAT32, -1.0)
    with pytest.raises(SettingsError, match=REFUSED):
        setup.start_engine(None, config)
