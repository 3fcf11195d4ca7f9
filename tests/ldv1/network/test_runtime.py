import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec

import attrs
import numpy as np
import pytest
import torch
from loguru import logger
from torch import nn

from bec_core import SettingsError
from bec_ldv1.config import Ldv1Config
from bec_ldv1.network import runtime, setup
from bec_ldv1.network.box import STRIDE
from bec_ldv1.network.by_openvino import by_openvino
from bec_ldv1.network.checkpoint import Checkpoint, load_model, read_model
from bec_ldv1.network.deeplab import DeepLabV3Plus
from bec_ldv1.network.engine import Engine
from bec_ldv1.network.line_model import LineModel, Precision, Runtime, place, traced
from bec_ldv1.network.runtime import on_cpu
from bec_ldv1.page.contours import Postprocess
from support.sample_pages import TRUTH, image_file, look, sample

needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed here")
CPU = torch.device("cpu")


class Flipped(nn.Module):
    """A network's logits with the wrong sign: a runtime that errs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        return -self.network(tiles)


@pytest.fixture
def said() -> Iterator[list[str]]:
    lines: list[str] = []
    handler = logger.add(lines.append, level="INFO", format="{level} {message}")
    yield lines
    logger.remove(handler)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenVINO is there, and is torch under another name."""
    monkeypatch.setattr(runtime, "is_installed", lambda: True)
    monkeypatch.setattr(
        runtime, "by_openvino", lambda model, precision, passes: attrs.evolve(model, runtime=Runtime.OPENVINO)
    )


def box() -> LineModel:
    return traced(attrs.evolve(load_model(None, Precision.FLOAT32), step=STRIDE))


def deeplab() -> LineModel:
    torch.manual_seed(3)
    network = place(DeepLabV3Plus(), CPU, Precision.FLOAT32)
    return traced(LineModel(network, 3, "deeplab", "00", Postprocess(), CPU, Precision.FLOAT32))


def contract_checkpoint() -> Checkpoint:
    return Checkpoint(attrs.evolve(read_model().model, sha256="ab" * 32), is_box=False)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("theirs", "chosen"), [(0.9, "openvino"), (0.96, "torch"), (1.0, "torch"), (1.2, "torch")]
)
def test_unasked_torch_is_left_only_for_what_is_clearly_faster(
    theirs: float, chosen: str, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "costs", lambda models, tile: [1.0, theirs])
    assert on_cpu(read_model(), Precision.FLOAT32).runtime == chosen
    assert said == [
        f"INFO a tile costs 1000.0 ms of processor time by torch, {1000 * theirs:.1f} ms by openvino\n"
    ]


@pytest.mark.usefixtures("stand_in")
def test_what_the_config_says_is_not_measured(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    monkeypatch.setattr(runtime, "costs", lambda models, tile: pytest.fail("measured"))
    for wanted in ("torch", "openvino"):
        assert on_cpu(read_model(), Precision.FLOAT32, wanted=wanted).runtime == wanted
        config = Ldv1Config(precision="fp32", use_gpu=False, runtime=wanted)
        with setup.start_engine(None, config) as engine:
            assert engine.in_words.startswith(f"float32 on cpu by {wanted}, ")
            assert engine.in_words in said[-1]


def test_where_it_is_not_installed_torch_runs_and_who_asks_for_it_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setattr(runtime, "is_installed", lambda: False)
    assert on_cpu(read_model(), Precision.FLOAT32).runtime is Runtime.TORCH
    assert said == []
    with pytest.raises(
        SettingsError, match=r'"runtime": "openvino", .* not installed .*"bec-ldv1\[openvino\]"'
    ):
        on_cpu(read_model(), Precision.FLOAT32, wanted="openvino")
    with pytest.raises(SettingsError, match=r'"compile_model", which is torch\'s'):
        setup.start_engine(None, Ldv1Config(runtime="openvino", compile_model=True))


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("checkpoint", [read_model, contract_checkpoint])
def test_one_that_sees_something_else_than_torch_takes_no_part(
    checkpoint, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setattr(
        runtime,
        "by_openvino",
        lambda model, precision, passes: attrs.evolve(
            model, network=Flipped(model.network), runtime=Runtime.OPENVINO
        ),
    )
    assert on_cpu(checkpoint(), Precision.FLOAT32).runtime is Runtime.TORCH
    assert "WARNING the model box in float32 on this machine's cpu by openvino doesn't see" in said[-1]
    assert said[-1].endswith("; torch runs it\n")
    with pytest.raises(SettingsError, match="by openvino doesn't see"):
        on_cpu(checkpoint(), Precision.FLOAT32, wanted="openvino")


@pytest.mark.slow
@needs_openvino
@pytest.mark.parametrize("make", [box, deeplab])
def test_it_says_what_torch_says_of_any_number_of_tiles_of_any_size(make) -> None:
    model = make()
    other = by_openvino(model, Precision.FLOAT32, passes=2)
    rng = np.random.default_rng(5)
    sizes = {(512, 512), (model.step, 512), (512, min(512, 2 * model.step)), (model.step, model.step)}
    for count, size in ((3, (512, 512)), *((1, size) for size in sizes)):
        tiles = np.where(rng.random((count, *size)) < 0.1, 0, 255).astype(np.uint8)
        np.testing.assert_allclose(other.probabilities(tiles), model.probabilities(tiles), atol=1e-4)


@pytest.mark.usefixtures("stand_in")
def test_it_is_offered_in_float32_only() -> None:
    assert on_cpu(read_model(), Precision.BFLOAT16).runtime is Runtime.TORCH
    with pytest.raises(SettingsError, match=r'in float32 only .* in bfloat16: add "precision": "fp32"'):
        on_cpu(read_model(), Precision.BFLOAT16, wanted="openvino")


@needs_openvino
def test_passes_side_by_side_do_not_mix_their_tiles() -> None:
    model = by_openvino(box(), Precision.FLOAT32, passes=2)
    rng = np.random.default_rng(7)
    tiles = [np.where(rng.random((1, 512, 512)) < ink, 0, 255).astype(np.uint8) for ink in (0.05, 0.1, 0.3)]
    alone = [model.probabilities(tile) for tile in tiles]
    together: dict[int, list[np.ndarray]] = {number: [] for number in range(len(tiles))}

    def ask(number: int) -> None:
        for _ in range(5):
            together[number].append(model.probabilities(tiles[number]))

    threads = [threading.Thread(target=ask, args=(number,)) for number in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, answers in together.items():
        assert len(answers) == 5
        for answer in answers:
            np.testing.assert_array_equal(answer, alone[number])


@pytest.mark.slow
@needs_openvino
def test_the_sample_pages_have_the_same_lines_by_both() -> None:
    counts: dict[str, list[int]] = {name: [] for name in TRUTH}
    for wanted in ("torch", "openvino"):
        with Engine(on_cpu(read_model(), Precision.FLOAT32, wanted=wanted)) as engine:
            for name, found in counts.items():
                found.append(len(look(engine, image_file(sample(name)[0])).details.lines))
    assert counts == {name: [len(row["lines"])] * 2 for name, row in TRUTH.items()}


@pytest.mark.slow
@needs_openvino
def test_importing_it_tells_nobody(tmp_path) -> None:
    script = (
        "import sys\n"
        "from bec_ldv1.network.by_openvino import openvino_module\n"
        "openvino_module().Core()\n"
        "print([name for name in sys.modules if 'telemetry' in name], 'openvino.tools.ovc' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[] False\n", "")
    assert list(tmp_path.iterdir()) == []
