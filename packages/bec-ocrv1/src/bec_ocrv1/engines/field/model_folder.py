"""A model in the field's format: a folder with an ONNX file and a JSON file that describes it.

Several generations of these folders exist, so what an older one doesn't say is taken from its graph or its charset,
and what can't be meant is refused by the key's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from attrs import frozen

from bec_core import SettingsError

CONFIG_NAMES = ("model_config.json", "config.json")
"""Where the description may be; the first that exists counts."""

_TIBETAN = re.compile("[\u0f00-\u0fff]")
_MAX_SIDE = 20_000


class ModelFolderError(SettingsError):
    """A model folder that can't be used; the message names the folder, and what is wrong in it."""


class Encoder(StrEnum):
    """What the classes spell."""

    WYLIE = "wylie"
    STACK = "stack"


@frozen
class FieldModel:
    """What a folder says of its model; None is what it doesn't say.

    Attributes:
        folder: where it lies.
        file: the ONNX file.
        charset: the classes in order, without a blank in front that `add_blank` adds.
        encoder: what they spell.
        add_blank: class 0 of the graph is the blank and the charset follows.
        input_width, input_height: the size of a line's image, pixels.
        input_layer, output_layer: the tensors' names.
        squeeze_channel_dim: the input has no axis for the channel.
        swap_hw: height and width are swapped.
        name: for people.
    """

    folder: Path
    file: Path
    charset: tuple[str, ...]
    encoder: Encoder
    add_blank: bool | None
    input_width: int | None
    input_height: int | None
    input_layer: str | None
    output_layer: str | None
    squeeze_channel_dim: bool | None
    swap_hw: bool
    name: str


def read_model_folder(folder: Path) -> FieldModel:
    """Read and check a model's description.

    Raises:
        ModelFolderError: the folder, its JSON or one of its keys can't be used.
    """
    if not folder.is_dir():
        raise ModelFolderError(f"the model {folder} is no folder: name the folder with {CONFIG_NAMES[0]}")
    path = next((folder / name for name in CONFIG_NAMES if (folder / name).is_file()), None)
    if path is None:
        raise ModelFolderError(f"the model's folder {folder} has no {' and no '.join(CONFIG_NAMES)}")
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ModelFolderError(f"{path} can't be read as JSON: {error}") from error
    if not isinstance(values, dict):
        raise ModelFolderError(f"{path} holds no JSON object")
    keys = _Keys(path, values)
    charset = keys.charset()
    return FieldModel(
        folder=folder,
        file=keys.file(folder),
        charset=charset,
        encoder=keys.encoder(charset),
        add_blank=keys.yes("add_blank"),
        input_width=keys.pixels("input_width"),
        input_height=keys.pixels("input_height"),
        input_layer=keys.text("input_layer"),
        output_layer=keys.text("output_layer"),
        squeeze_channel_dim=keys.yes("squeeze_channel_dim"),
        swap_hw=bool(keys.yes("swap_hw")),
        name=" ".join(filter(None, (folder.name, keys.text("architecture"), keys.text("version")))),
    )


@frozen
class _Keys:
    """The description's values, each checked when it is asked for."""

    path: Path
    values: Mapping[str, Any]

    def text(self, key: str) -> str | None:
        """A string, None where there is none."""
        value = self.values.get(key)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise self.problem(key, value, "a string")
        return value

    def yes(self, key: str) -> bool | None:
        """``yes`` or ``no``; JSON's own words for it are taken too."""
        value = self.values.get(key)
        if value is None or isinstance(value, bool):
            return value
        word = value.strip().lower() if isinstance(value, str) else ""
        if word not in ("yes", "no", "true", "false"):
            raise self.problem(key, value, '"yes" or "no"')
        return word in ("yes", "true")

    def pixels(self, key: str) -> int | None:
        """A size."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MAX_SIDE:
            raise self.problem(key, value, f"a number of pixels, 1 to {_MAX_SIDE:,}")
        return value

    def charset(self) -> tuple[str, ...]:
        """The classes: a string has one a character."""
        value = self.values.get("charset")
        if value is None:
            raise ModelFolderError(f"{self.path} has no charset: what do the model's classes mean?")
        if not isinstance(value, (str, list)) or not value or not all(isinstance(one, str) for one in value):
            raise self.problem("charset", value, "a string or a list of strings, with at least one class")
        return tuple(value)

    def encoder(self, charset: tuple[str, ...]) -> Encoder:
        """As it is said, else by the charset's script."""
        value = self.text("encoder")
        if value is None:
            return Encoder.STACK if any(map(_TIBETAN.search, charset)) else Encoder.WYLIE
        try:
            return Encoder(value.strip().lower())
        except ValueError:
            raise self.problem("encoder", value, " or ".join(f'"{one}"' for one in Encoder)) from None

    def file(self, folder: Path) -> Path:
        """The ONNX file: a name within the folder, without a key the only one there."""
        name = self.text("onnx-model")
        if name is None:
            found = sorted(folder.glob("*.onnx"))
            if len(found) != 1:
                raise ModelFolderError(
                    f"{self.path} has no onnx-model, and {folder} holds {len(found)} .onnx files, not one"
                )
            return found[0]
        if Path(name).name != name:
            raise self.problem("onnx-model", name, "the name of a file in the same folder")
        if not (folder / name).is_file():
            raise ModelFolderError(f"{self.path} names onnx-model {name!r}, and {folder} has no such file")
        return folder / name

    def problem(self, key: str, value: object, wanted: str) -> ModelFolderError:
        """What to say of a value that can't be meant."""
        said = repr(value)
        return ModelFolderError(f"{self.path}: {key} is {said[:80]}, not {wanted}")
