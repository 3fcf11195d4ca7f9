"""docs/ocr.md names every config field, column, format and key that there is."""

import re

import attrs

from bec_ocrv1.artifacts import PageText, ReadLine
from bec_ocrv1.config import Ocrv1Config
from bec_ocrv1.export.cli import FORMATS
from bec_ocrv1.records import SCHEMA
from support.places import ROOT

PAGE = (ROOT / "docs" / "ocr.md").read_text()


def section(name: str) -> str:
    return re.split(r"^##+ ", PAGE[PAGE.index(f"# {name}\n") + 2 :], maxsplit=1, flags=re.MULTILINE)[0]


def test_every_config_field_is_documented():
    table = section("Config")
    for field in attrs.fields(Ocrv1Config):
        (row,) = [line for line in table.splitlines() if line.startswith(f"| `{field.name}` |")]
        default = {True: "true", False: "false", None: "null"}.get(field.default, field.default)
        assert f"`{default}`" in row.replace('"', "")
        assert field.metadata["allowed"] in row


def test_every_column_is_documented():
    table = section("The Parquet file")
    assert [name for name in SCHEMA.names if f"`{name}`" not in table] == []
    assert [field.name for field in attrs.fields(ReadLine) if f"`{field.name}`" not in table] == []
    assert PageText.__name__ in table


def test_every_format_is_documented():
    assert re.findall(r"^\| `(\w+)` \|", section("Export"), re.MULTILINE) == list(FORMATS)


def test_every_engine_and_every_key_of_a_models_folder_is_documented():
    assert re.findall(r"^\| `(\w+)` \|", section("Engines"), re.MULTILINE)[1:] == ["box", "tesseract", "onnx"]
    keys = section("Models in the field's format")
    source = ROOT / "packages/bec-ocrv1/src/bec_ocrv1/engines/field/model_folder.py"
    asked = re.findall(
        r'keys\.\w+\("([\w-]+)"\)|self\.text\("([\w-]+)"\)|values\.get\("([\w-]+)"\)', source.read_text()
    )
    names = {name for found in asked for name in found if name}
    assert {"onnx-model", "charset", "add_blank", "swap_hw"} <= names
    assert sorted(name for name in names if f"`{name}`" not in keys) == []
