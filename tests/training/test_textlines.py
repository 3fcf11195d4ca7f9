"""Rendered lines, their texts and their cache; the training loop; what it exports."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from support.places import ROOT

sys.path.insert(0, str(ROOT / "training"))

from bec_ocrv1.box.prepare import HEIGHT
from linepages import fonts
from textlines import faults, learn, score, shards
from textlines.curve import draw_curve
from textlines.network import STEP, LineNet, Shape
from textlines.texts import ALPHABET, Corpus, Writer, folded, split

needs_fonts = pytest.mark.skipif(
    bool(fonts.missing_packages()), reason="fonts of training/README.md are not installed"
)

TEXT = "༄༅། །བཅོམ་ལྡན་འདས་ཀྱིས་བཀའ་སྩལ་པ། །དེ་ལྟར་བཤད་དོ། །\nསངས་རྒྱས་ལ་ཕྱག་འཚལ་ལོ། །"
SMALL = Shape(classes=len(ALPHABET) + 1, front=(8, 8, 16), width=32, blocks=2)


def corpus(tmp_path: Path) -> Corpus:
    path = tmp_path / "text.txt"
    path.write_text((TEXT + "\n") * 60, encoding="utf-8")
    return Corpus.load(path, held_out=0.2)


def test_a_text_falls_into_syllables_and_back() -> None:
    words = split(TEXT)
    assert words[:3] == ["༄༅། ", "།", "བཅོམ་"]
    assert TEXT.replace("\n", " ").startswith("".join(words))


def test_labels_are_spelt_as_texts_are_scored() -> None:
    assert folded("བཤད༎ ང་༌་ ཀ༑\n") == "བཤད།།ང་ཀ།"
    assert set(folded(TEXT)) <= set(ALPHABET)
    assert len(set(ALPHABET)) == len(ALPHABET)


def test_writing_is_seeded_and_keeps_to_the_alphabet(tmp_path: Path) -> None:
    writer = Writer(corpus(tmp_path))

    def lines(seed: int) -> list[list[str]]:
        rng = np.random.default_rng(seed)
        return [writer.words(rng, 30) for _ in range(40)]

    assert lines(1) == lines(1)
    assert lines(1) != lines(2)
    assert {char for line in lines(3) for word in line for char in word} <= {*ALPHABET, " ", "༎"}


def test_the_held_out_part_is_none_that_is_trained_on(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text(
        "".join(f"{chr(0xF40 + k % 8)}{chr(0xF90 + k // 8 % 8)}{chr(0xF20 + k // 64)}་\n" for k in range(512))
    )
    parts = Corpus.load(path, held_out=0.25)
    assert len(parts.held_out) == pytest.approx(128, abs=3)
    assert not set(parts.held_out) & set(parts.words)


def test_worn_ink_is_seeded_and_stays_in_place() -> None:
    line = np.zeros((200, 900), np.uint8)
    for x in range(20, 860, 30):
        line[80:100, x : x + 14] = 255
    around = np.zeros_like(line)

    def worn(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return faults.worn(line, around, (900, 80.0, 100.0), rng, level_only=True)

    assert np.array_equal(worn(3), worn(3))
    assert not np.array_equal(worn(3), worn(4))
    inside = line[90] > 0
    kept = 0
    for seed in range(20):
        dark = 255 - worn(seed)[84:96].astype(float)
        kept += dark[:, inside].mean() > 1.5 * dark[:, ~inside].mean()
    assert kept >= 17


@needs_fonts
def test_a_shard_is_a_matter_of_its_number_and_seed(tmp_path: Path) -> None:
    texts = corpus(tmp_path)
    one, same, other = (
        shards.make(3, 1, texts, 12),
        shards.make(3, 1, texts, 12),
        shards.make(4, 1, texts, 12),
    )
    assert np.array_equal(one.lines, same.lines)
    assert one.labels == same.labels
    assert one.labels != other.labels
    assert one.lines.shape == (12, HEIGHT, 640)
    path = shards.place(tmp_path, 3, 1)
    shards.store(one, path)
    assert np.array_equal(shards.load(path).lines, one.lines)
    assert shards.load(path).labels == one.labels
    # Every line shows about as much ink as its text is long.
    inked = (one.lines < 128).mean(axis=(1, 2))
    assert (inked > 0.002).all()


def test_error_rates_follow_the_definition() -> None:
    assert score.normalised("ཀ ༎ཁ༌་ག༔") == "ཀ།།ཁ་ག།"
    assert score.normalised("ཀ་།", fold_tsheg=True) == "ཀ།"
    rng = np.random.default_rng(1)
    for _ in range(60):
        one, other = ("".join(rng.choice(list("abc"), int(rng.integers(0, 9)))) for _ in range(2))
        assert score.distance(one, other) == _plain_distance(one, other)
    assert score.error_rate([("ཀཁགང", "ཀཁང"), ("ཅ", "ཆཅ")]) == pytest.approx(2 / 5)


def _plain_distance(one: str, other: str) -> int:
    table = [[i + j if i * j == 0 else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            change = table[i - 1][j - 1] + (one[i - 1] != other[j - 1])
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, change)
    return table[-1][-1]


def test_steps_draw_from_files_that_grow_with_them() -> None:
    assert learn.numbers_at(0) == range(1)
    assert learn.numbers_at(learn.EASY_STEPS - 1) == range(shards.EASY)
    assert learn.numbers_at(learn.EASY_STEPS) == range(shards.EASY, shards.EASY + 1)
    late = learn.numbers_at(learn.EASY_STEPS + 100 * learn.ROUND)
    assert len(late) == learn.POOL
    assert late[-1] == shards.EASY + 100


def pool(_: int) -> list[shards.Shard]:
    rng = np.random.default_rng(5)
    lines = rng.integers(0, 2, (6, HEIGHT, 64)).astype(np.uint8) * 255
    return [shards.Shard(lines, ["ཀ", "ཁ་", "ག", "ང་", "ཅ", "ཆ"])]


def test_a_run_that_was_stopped_goes_on_as_if_unbroken(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    plan = learn.Plan(steps=8, seed=3, batch=2)
    whole = learn.State.fresh(plan, SMALL)
    learn.run(whole, plan, pool, None, {}, tmp_path, check=4)
    first = learn.State.fresh(plan, SMALL)
    learn.run(first, plan, pool, None, {}, tmp_path, check=4, until=4)
    again = learn.State.load(tmp_path / "state.pt", plan)
    assert again.step == 4
    learn.run(again, plan, pool, None, {}, tmp_path, check=4)
    for one, other in ((whole.net, again.net), (whole.mean, again.mean)):
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name]), name
    rows = (tmp_path / "curve.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "4", "8"]


def test_a_kept_network_begins_another_run(tmp_path: Path) -> None:
    plan = learn.Plan(steps=8, seed=3, batch=2)
    state = learn.State.fresh(plan, SMALL)
    learn.run(state, plan, pool, None, {}, tmp_path, check=4, until=2)
    state.keep(tmp_path / "network.pt")
    begun = learn.State.begun(plan, tmp_path / "network.pt")
    assert begun.step == 0
    for name, value in state.mean.state_dict().items():
        assert torch.allclose(begun.net.state_dict()[name].float(), value.float(), rtol=1e-2, atol=1e-3), name
    lines, labels = learn.batch_at(plan, 0, pool, None)
    assert np.isfinite(learn.train_step(begun, plan, lines, labels))


def test_a_curve_is_drawn_of_what_was_watched(tmp_path: Path) -> None:
    rows = [
        {"step": k, "minutes": k / 10, "loss": 1.0, "rendered": 1 / k, "TCCG": 0.9 / k}
        for k in (1.0, 5.0, 9.0)
    ]
    draw_curve(rows, tmp_path / "curve.png")
    picture = np.asarray(Image.open(tmp_path / "curve.png"))
    assert {tuple(colour) for colour in picture.reshape(-1, 3)} >= {(0x22, 0x22, 0x22), (0xC0, 0x39, 0x2B)}


def test_the_network_answers_every_four_columns() -> None:
    net = LineNet(SMALL).eval()
    with torch.no_grad():
        out = net(torch.zeros(2, 1, HEIGHT, 96))
    assert out.shape == (2, 96 // STEP, len(ALPHABET) + 1)


def test_learning_lowers_the_loss() -> None:
    torch.set_num_threads(1)
    plan = learn.Plan(steps=60, seed=1, batch=4, rate=1e-2)
    state = learn.State.fresh(plan, SMALL)
    losses = [learn.train_step(state, plan, *learn.batch_at(plan, step, pool, None)) for step in range(60)]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])
    assert all(np.isfinite(losses))


def test_a_greedy_reading_drops_repeats_and_blanks() -> None:
    assert score.collapsed(np.array([0, 1, 1, 0, 1, 2, 2, 0]), "ཀཁ") == "ཀཀཁ"


def test_the_exported_network_scores_as_the_trained_one() -> None:
    pytest.importorskip("onnx")
    import onnxruntime

    from textlines.export import fused, onnx_of

    torch.manual_seed(1)
    net = LineNet(SMALL)
    for _ in range(3):  # the norms see something first
        net(torch.rand(4, 1, HEIGHT, 64))
    net.eval()
    data = onnx_of(fused(net), torch.zeros(1, 1, HEIGHT, 64), "lines", {0: "n", 3: "width"})
    lines = torch.rand(1, 1, HEIGHT, 200)
    with torch.no_grad():
        wanted = net(lines).numpy()
    session = onnxruntime.InferenceSession(io.BytesIO(data).getvalue(), providers=["CPUExecutionProvider"])
    assert np.abs(session.run(None, {"lines": lines.numpy()})[0] - wanted).max() < 0.02
