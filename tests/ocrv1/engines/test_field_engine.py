"""Models in the field's format, every form of them: what they read, and what is said of those that can't be used."""

import json

import numpy as np
import onnx
import pytest

from bec_core import SettingsError
from bec_ocrv1.config import Ocrv1Config
from bec_ocrv1.engines.field.engine import open_field_model
from bec_ocrv1.engines.field.ewts import to_unicode
from bec_ocrv1.engines.field.model_folder import Encoder, ModelFolderError, read_model_folder
from support.field_models import write_model, written

LATIN = "bkrashi dels/"
STACKS = ["བཀྲ", "་", "ཤི", "ས", "བདེ", "།", " "]
CPU = ["CPUExecutionProvider"]


def engine(folder, **config):
    return open_field_model(folder, "ff", Ocrv1Config(model="onnx", **config), CPU)


def texts(folder, lines, **config):
    return [reading.text for reading in engine(folder, **config).read(lines)]


@pytest.mark.parametrize("decoder", ["greedy", "beam"])
@pytest.mark.parametrize("batch", ["batch", 1, 3])
@pytest.mark.parametrize("classes_last", [False, True])
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("squeeze", [False, True])
def test_every_form_of_graph_is_read(tmp_path, squeeze, swap, classes_last, batch, decoder):
    write_model(tmp_path, LATIN, squeeze=squeeze, swap=swap, classes_last=classes_last, batch=batch)
    lines = [
        written(text, LATIN) for text in ("bkra shis", "bde", "", "legs".replace("g", "d"), "bkra shis/")
    ]
    lines[2] = np.full((40, 90), 255, np.uint8)
    assert texts(tmp_path, lines, decoder=decoder, lines_per_batch=2) == ["བཀྲ་ཤིས", "བདེ", "", "ལེདས", "བཀྲ་ཤིས།"]


@pytest.mark.parametrize("decoder", ["greedy", "beam"])
def test_stacks_are_classes_too(tmp_path, decoder):
    write_model(tmp_path, STACKS, keys={"encoder": "stack"})
    line = ["བཀྲ", "་", "ཤི", "ས", "།", " ", "བདེ"]
    assert texts(tmp_path, [written(line, STACKS)], decoder=decoder) == ["བཀྲ་ཤིས། བདེ"]


def test_a_letter_that_comes_twice_stays_twice(tmp_path):
    write_model(tmp_path, "ab")
    assert texts(tmp_path, [written("abba", "ab")]) == [to_unicode("abba")]


def test_an_older_files_missing_keys_are_told_by_its_graph(tmp_path):
    drop = [
        "add_blank",
        "encoder",
        "onnx-model",
        "input_layer",
        "output_layer",
        "squeeze_channel_dim",
        "swap_hw",
    ]
    write_model(tmp_path, LATIN, drop=[*drop, "input_width", "input_height", "architecture", "version"])
    (tmp_path / "model_config.json").rename(tmp_path / "config.json")
    assert read_model_folder(tmp_path).encoder is Encoder.WYLIE
    assert texts(tmp_path, [written("bkra shis", LATIN)]) == ["བཀྲ་ཤིས"]


def test_a_missing_encoder_is_told_by_the_charsets_script(tmp_path):
    write_model(tmp_path, STACKS, drop=["encoder"])
    assert texts(tmp_path, [written(["ཤི", "ས"], STACKS)]) == ["ཤིས"]


def test_without_a_class_of_its_own_the_blank_is_the_first_of_the_charset(tmp_path):
    charset = "\u2422" + LATIN.replace(" ", "§")
    write_model(tmp_path, charset, blank=False)
    assert texts(tmp_path, [written("bkra§shis", charset, blank=False)]) == ["བཀྲ་ཤིས"]


def test_add_blank_no_with_a_class_more_has_its_blank_first_too(tmp_path):
    write_model(tmp_path, LATIN, keys={"add_blank": "no"})
    assert texts(tmp_path, [written("bde", LATIN)]) == ["བདེ"]


def test_text_is_nfc_and_without_controls(tmp_path):
    charset = ["\u0f43", "\u0f73", "a\n", "\ud800"]  # Unicode decomposes the first two
    write_model(tmp_path, charset[:3], keys={"encoder": "stack"})
    assert texts(tmp_path, [written(charset[:3], charset[:3])]) == ["\u0f42\u0fb7\u0f71\u0f72a"]


def test_ewts_is_spelt_out_and_a_models_mistakes_are_no_markup():
    assert to_unicode("rdo rje'i/ /oM ma Ni pad+me") == "རྡོ་རྗེའི། །ཨོཾ་མ་ཎི་པདྨེ"
    assert to_unicode("bkra [shis]") == "བཀྲ་ཤིས"
    assert to_unicode("\\u0f40") == to_unicode("u0f40")
    assert to_unicode("") == to_unicode("  ") == ""


def test_a_line_that_begins_with_a_capital_m_is_whole():
    assert to_unicode("Mi bkra shis") == to_unicode(" Mi bkra shis") == "མི་བཀྲ་ཤིས"
    assert to_unicode("M") == "མ"


def test_a_doubtful_line_is_less_sure(tmp_path):
    sharp, dull = write_model(tmp_path / "s", LATIN), write_model(tmp_path / "d", LATIN, sharpness=6.0)
    line = written("bkra shis", LATIN)
    for decoder in ("greedy", "beam"):
        (sure,), (unsure,) = (engine(folder, decoder=decoder).read([line]) for folder in (sharp, dull))
        assert sure.text == unsure.text
        assert 0 < unsure.confidence < sure.confidence <= 1
        assert sure.confidence > 0.9


def test_the_beam_adds_up_what_greedy_does_not(tmp_path):
    """In each of two frames the blank is the likeliest class, yet in one of them at least there is a letter."""
    from bec_ocrv1.ctc import Decoder

    chances = np.log(np.array([[0.6, 0.4], [0.6, 0.4]], np.float32))
    assert Decoder(["", "a"], beam=1).decode(chances).text == ""
    assert Decoder(["", "a"], beam=8).decode(chances).text == "a"


def test_the_same_lines_give_the_same_however_they_are_batched(tmp_path):
    write_model(tmp_path, LATIN)
    lines = [written(text, LATIN) for text in ("bkra", "shis", "bde", "les")]
    one, all_at_once = (engine(tmp_path, lines_per_batch=size).read(lines) for size in (1, 8))
    assert one == all_at_once


def test_no_lines_are_no_readings(tmp_path):
    assert engine(write_model(tmp_path, LATIN)).read([]) == []


def test_the_engine_says_what_it_is(tmp_path):
    found = engine(write_model(tmp_path / "Woodblock", LATIN))
    assert (found.name, found.sha256, found.arithmetic) == (
        "Woodblock Easter2 2026_1_12_6_10",
        "ff",
        "float32",
    )
    found.close()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"charset": 3}, r"charset is 3, not a string or a list"),
        ({"charset": ""}, r"charset is '', not"),
        ({"charset": ["a", 1]}, r"charset is \['a', 1\], not"),
        (
            {"charset": LATIN[:-3]},
            r"output is 14 × 100 a line; the charset of 10 with add_blank yes asks for 11 class",
        ),
        ({"charset": LATIN + "xy", "add_blank": None}, r"with add_blank not said asks for 16 or 15 classes"),
        ({"encoder": "acip"}, r'encoder is \'acip\', not "wylie" or "stack"'),
        ({"add_blank": "maybe"}, r'add_blank is \'maybe\', not "yes" or "no"'),
        (
            {"squeeze_channel_dim": "no"},
            r"input is any × 112 × 800; with squeeze_channel_dim no it must have 4 axes",
        ),
        ({"swap_hw": "yes"}, r"any × 112 × 800; input_width 800 with swap_hw yes does not fit"),
        ({"input_width": 3200}, r"any × 112 × 800; input_width 3200 with swap_hw no does not fit"),
        ({"input_height": "80"}, r"input_height is '80', not a number of pixels"),
        ({"input_height": 0}, r"input_height is 0, not a number of pixels"),
        ({"input_layer": "x"}, r"input_layer is 'x'; the graph has input"),
        ({"output_layer": "x"}, r"output_layer is 'x'; the graph has output"),
        ({"onnx-model": "other.onnx"}, r"onnx-model 'other.onnx', and .* has no such file"),
        ({"onnx-model": "../OCRModel.onnx"}, r"onnx-model is '../OCRModel.onnx', not the name of a file"),
    ],
)
def test_a_wrong_key_is_named(tmp_path, keys, said):
    write_model(tmp_path, LATIN, keys=keys)
    with pytest.raises(ModelFolderError, match=said):
        engine(tmp_path)


def test_a_wrong_folder_is_named(tmp_path):
    cases = {"nothing": "has no model_config.json and no config.json", "../nowhere": "is no folder"}
    (tmp_path / "nothing").mkdir()
    for name, said in cases.items():
        with pytest.raises(SettingsError, match=said):
            engine(tmp_path / name)
    for number, (content, said) in enumerate(
        (("{", "as JSON"), ("[]", "no JSON object"), ("{}", "no charset"))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "model_config.json").write_text(content)
        with pytest.raises(SettingsError, match=said):
            engine(folder)


def test_what_is_no_model_is_said(tmp_path):
    write_model(tmp_path, LATIN)
    (tmp_path / "OCRModel.onnx").write_bytes(b"not a graph")
    with pytest.raises(ModelFolderError, match="can't be loaded as an ONNX model"):
        engine(tmp_path)
    (tmp_path / "second.onnx").write_bytes(b"")
    config = json.loads((tmp_path / "model_config.json").read_text())
    del config["onnx-model"]
    (tmp_path / "model_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelFolderError, match=r"no onnx-model, and .* holds 2 \.onnx files"):
        engine(tmp_path)


def test_a_graph_that_fails_when_it_runs_is_said(tmp_path):
    write_model(tmp_path, LATIN)
    model = onnx.load(tmp_path / "OCRModel.onnx")
    rows = next(one for one in model.graph.initializer if one.name == "rows")
    rows.CopyFrom(onnx.numpy_helper.from_array(np.array([0, 3, 5, 7, 11], np.int64), "rows"))
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    (tmp_path / "OCRModel.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelFolderError, match=r"can't be (run on 1 × 112 × 800 values|loaded)"):
        engine(tmp_path)
