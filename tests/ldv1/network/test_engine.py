import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import attrs
import numpy as np
import pytest
import torch
from torch import nn

from bec_ldv1.errors import PageProblem
from bec_ldv1.network.engine import Engine
from bec_ldv1.network.line_model import LineModel, Precision
from bec_ldv1.page.contours import Postprocess

SIZE = 8


class Scripted(nn.Module):
    """Gives back what it sees as logits and remembers the batches."""

    def __init__(self, before: Callable[[torch.Tensor], None] = lambda batch: None) -> None:
        super().__init__()
        self.before = before
        self.batches: list[int] = []

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        self.before(batch)
        self.batches.append(len(batch))
        return batch[:, :1] * 255


def model(network: nn.Module) -> LineModel:
    return LineModel(network, 1, "test", "00", Postprocess(), torch.device("cpu"), Precision.FLOAT32)


def tiles(*values: int) -> np.ndarray:
    return np.stack([np.full((SIZE, SIZE), value, np.uint8) for value in values])


def expected(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values.astype(np.float64)))


@attrs.define
class Gate:
    """Holds the engine at its first batch until told."""

    entered: threading.Event = attrs.Factory(threading.Event)
    open: threading.Event = attrs.Factory(threading.Event)

    def __call__(self, batch: torch.Tensor) -> None:
        self.entered.set()
        self.open.wait(30)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


def test_every_page_gets_its_own_tiles() -> None:
    rng = np.random.default_rng(1)
    pages = [tiles(*rng.integers(0, 9, rng.integers(1, 12)).tolist()) for _ in range(60)]
    network = Scripted()
    with Engine(model(network), batch_tiles=5, max_tiles=20) as engine, ThreadPoolExecutor(8) as pool:
        for page, result in zip(pages, pool.map(engine.answers, pages), strict=True):
            assert {answer.dtype for answer in result} == {np.dtype(np.float32)}
            np.testing.assert_allclose(result, expected(page), rtol=1e-6)
    assert max(network.batches) == 5
    assert sum(network.batches) == sum(len(page) for page in pages)


def test_several_threads_share_the_work_and_a_page_may_be_in_several_passes() -> None:
    together = threading.Barrier(3, timeout=10)
    network = Scripted(lambda batch: together.wait() and None)
    with Engine(model(network), batch_tiles=2, threads=3) as engine:
        np.testing.assert_allclose(engine.answers(tiles(*range(6))), expected(tiles(*range(6))), rtol=1e-6)
    assert network.batches == [2, 2, 2]


def test_tiles_of_different_pages_share_a_batch(gate: Gate) -> None:
    network = Scripted(gate)
    with Engine(model(network), batch_tiles=8) as engine:
        first = engine.submit(tiles(1))
        gate.entered.wait(10)
        rest = [engine.submit(tiles(value, value)) for value in (2, 3, 4, 5, 6)]
        gate.open.set()
        for value, future in zip((2, 3, 4, 5, 6), rest, strict=True):
            np.testing.assert_allclose(future.result(10), expected(tiles(value, value)), rtol=1e-6)
        assert first.done()
    assert network.batches == [1, 8, 2]


def test_tiles_of_several_sizes_go_by_size_and_come_back_in_their_order(gate: Gate) -> None:
    network = Scripted(gate)
    sizes = [(8, 8), (8, 4), (4, 8), (8, 4), (8, 8), (4, 8)]
    page = [np.full(size, value, np.uint8) for value, size in enumerate(sizes, 1)]
    with Engine(model(network), batch_tiles=4) as engine:
        engine.submit(tiles(0))
        gate.entered.wait(10)
        result = engine.submit(page)
        gate.open.set()
        for tile, answer in zip(page, result.result(10), strict=True):
            np.testing.assert_allclose(answer, expected(tile), rtol=1e-6)
    assert network.batches == [1, 2, 2, 2]


def test_white_tiles_are_answered_by_what_the_model_said_of_the_first() -> None:
    class Whitening(nn.Module):
        """Says of paper what no constant does, and counts the tiles."""

        seen = 0

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            self.seen += len(batch)
            return batch[:, :1] - torch.linspace(0, 3, batch.shape[-1])

    network = Whitening()
    line_model = model(network)
    white, wide, ink = tiles(255)[0], np.full((SIZE, 2 * SIZE), 255, np.uint8), tiles(254)[0]
    alone = {tile.shape: line_model.probabilities(tile[None])[0] for tile in (white, wide)}
    network.seen = 0
    with Engine(line_model) as engine:
        for page in ([white, ink, white], [white, wide], [wide, white]):
            for tile, answer in zip(page, engine.answers(page), strict=True):
                if tile is not ink:
                    np.testing.assert_array_equal(answer, alone[tile.shape])
    assert network.seen == 3  # the ink, and white paper of two sizes


def test_white_paper_that_the_model_can_not_do_fails_its_page_each_time() -> None:
    def no_paper(batch: torch.Tensor) -> None:
        if batch.min() == 1:
            raise RuntimeError("can't do paper")

    with Engine(model(Scripted(no_paper))) as engine:
        for _ in range(2):
            with pytest.raises(PageProblem, match="can't do paper"):
                engine.answers(tiles(255, 1))
        np.testing.assert_allclose(engine.answers(tiles(1)), expected(tiles(1)), rtol=1e-6)


def test_a_plane_is_cut_as_the_model_takes_it() -> None:
    plane = np.random.default_rng(2).integers(0, 9, (300, 700), dtype=np.uint8)
    shapes: list[tuple[int, ...]] = []
    network = Scripted(lambda batch: shapes.append(tuple(batch.shape[-2:])))
    for step, wanted in ((512, [(512, 512)]), (32, [(320, 512), (320, 192)])):
        shapes.clear()
        with Engine(attrs.evolve(model(network), step=step)) as engine:
            np.testing.assert_allclose(engine.infer(plane), expected(plane), rtol=1e-6)
        assert shapes == wanted


def test_no_tiles_need_no_model() -> None:
    with Engine(model(Scripted())) as engine:
        assert engine.answers([]) == []


def test_a_failing_batch_is_tried_tile_by_tile() -> None:
    def no_big_batches(batch: torch.Tensor) -> None:
        if len(batch) > 1:
            raise torch.OutOfMemoryError("no memory for so many")

    with Engine(model(Scripted(no_big_batches))) as engine:
        np.testing.assert_allclose(engine.answers(tiles(1, 2, 3)), expected(tiles(1, 2, 3)), rtol=1e-6)


def test_a_page_that_always_fails_takes_no_other_with_it(gate: Gate) -> None:
    def poisoned(batch: torch.Tensor) -> None:
        gate(batch)
        if (batch * 255).round().eq(66).any():
            raise RuntimeError("can't do 66")

    with Engine(model(Scripted(poisoned))) as engine:
        engine.submit(tiles(0))
        gate.entered.wait(10)
        good, bad, also_good = (engine.submit(tiles(*values)) for values in ((1, 2), (3, 66), (4,)))
        gate.open.set()
        np.testing.assert_allclose(good.result(10), expected(tiles(1, 2)), rtol=1e-6)
        np.testing.assert_allclose(also_good.result(10), expected(tiles(4)), rtol=1e-6)
        with pytest.raises(PageProblem, match="can't do 66") as caught:
            bad.result(10)
        assert caught.value.stage == "detect"
        assert caught.value.retryable
        np.testing.assert_allclose(engine.answers(tiles(5)), expected(tiles(5)), rtol=1e-6)


def test_a_full_engine_makes_pages_wait(gate: Gate) -> None:
    with Engine(model(Scripted(gate)), batch_tiles=2, max_tiles=4) as engine, ThreadPoolExecutor(1) as pool:
        engine.submit(tiles(1, 1))
        gate.entered.wait(10)
        engine.submit(tiles(2, 2, 2, 2))
        late = pool.submit(engine.submit, tiles(3))
        time.sleep(0.1)
        assert not late.done()
        gate.open.set()
        np.testing.assert_allclose(late.result(10).result(10), expected(tiles(3)), rtol=1e-6)


def test_a_page_larger_than_the_bound_is_still_done() -> None:
    with Engine(model(Scripted()), batch_tiles=2, max_tiles=4) as engine:
        assert len(engine.answers(tiles(*range(9)))) == 9


def test_a_dead_thread_fails_its_pages(gate: Gate) -> None:
    class Death(BaseException):
        pass

    def die(batch: torch.Tensor) -> None:
        gate(batch)
        raise Death("gone")

    engine = Engine(model(Scripted(die)))
    running = engine.submit(tiles(1))
    gate.entered.wait(10)
    waiting = engine.submit(tiles(2))
    gate.open.set()
    for future in (running, waiting):
        with pytest.raises(PageProblem, match="gone"):
            future.result(10)
    with pytest.raises(PageProblem):
        engine.submit(tiles(3))
    engine.close()


def test_a_stuck_model_hangs_nobody(gate: Gate) -> None:
    engine = Engine(model(Scripted(gate)), max_tiles=1, stall_s=0.3)
    with ThreadPoolExecutor(3) as pool:
        pages = [pool.submit(engine.answers, tiles(1)) for _ in range(3)]
        for page in pages:
            with pytest.raises(PageProblem, match="stuck") as caught:
                page.result(10)
            assert caught.value.retryable
    engine.close()


def test_closing_finishes_what_was_handed_in(gate: Gate) -> None:
    engine = Engine(model(Scripted(gate)))
    futures = [engine.submit(tiles(value)) for value in range(5)]
    gate.open.set()
    engine.close()
    assert all(future.done() for future in futures)
    with pytest.raises(PageProblem, match="shutting down"):
        engine.submit(tiles(1))
    engine.close()
