from typing import Literal

import pytest
from attrs import frozen

from bec_core.errors import JobConfigError
from bec_core.job_config import between, config_fields, option, structure_config
from bec_ldv1.config import Ldv1Config


@frozen
class _Config:
    size: int = option(4, "How large.", **between(1, 10))
    mode: Literal["a", "b"] = option("a", "Which.", allowed="a or b")
    fast: bool = option(False, "Hurry.")
    rate: float = option(0.5, "How often.")
    names: tuple[str, ...] = option((), "Who.")


def test_defaults_and_values():
    config, runtime = structure_config({"size": 7, "names": ["x"], "max_attempts": 5}, _Config)
    assert config == _Config(size=7, names=("x",))
    assert runtime.max_attempts == 5


def test_every_mistake_is_named_with_what_is_allowed():
    bad = {
        "size": 11, "mode": "c", "fast": "yes", "rate": "often", "names": ["ok", 5],
        "sizee": 1, "max_page_error_rate": 2, "artifact_prefix": "../x",
    }  # fmt: skip
    with pytest.raises(JobConfigError) as caught:
        structure_config(bad, _Config)
    text = str(caught.value)
    for part in ("size:", "1 to 10", "mode:", "a or b", "fast:", "rate:", "names[1]", "sizee is unknown",
                 "max_page_error_rate", "artifact_prefix"):  # fmt: skip
        assert part in text, part


@pytest.mark.parametrize("value", ["7", 7.0, True, None])
def test_an_integer_is_an_integer(value):
    with pytest.raises(JobConfigError, match="size"):
        structure_config({"size": value}, _Config)


def test_the_guides_config_is_valid():
    guide = {
        "use_gpu": True, "precision": "fp16", "batch_size": 16, "compile_model": False, "max_tiles_per_batch": 80,
    }  # fmt: skip
    config, _ = structure_config(guide, Ldv1Config)
    assert config.batch_size == 16


def test_fields_for_people():
    rows = {field.name: field for field in config_fields(_Config)}
    assert rows["size"].doc == "How large."
    assert rows["size"].allowed == "1 to 10"
    assert "max_attempts" in rows
