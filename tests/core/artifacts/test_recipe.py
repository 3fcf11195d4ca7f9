"""Recipes: what makes results differ is in them, and nothing else."""

import subprocess
import sys

import attrs
import pytest
from attrs import frozen

from bec_core.artifacts import recipe_of
from bec_core.job import Ingredients
from bec_core.job_config import option
from bec_core.testing.checksum_job import CHECKSUM


@frozen(kw_only=True)
class Config:
    threshold: float = option(0.5, "Changes results.")
    batch_size: int = option(16, "Can't change results.", results=False)


BASE = recipe_of(CHECKSUM, Config(), Ingredients({"model": "aa"}, "float32"))


@pytest.mark.parametrize(
    ("job_type", "config", "ingredients"),
    [
        (attrs.evolve(CHECKSUM, results_version="2"), Config(), Ingredients({"model": "aa"}, "float32")),
        (attrs.evolve(CHECKSUM, name="other"), Config(), Ingredients({"model": "aa"}, "float32")),
        (CHECKSUM, Config(threshold=0.6), Ingredients({"model": "aa"}, "float32")),
        (CHECKSUM, Config(), Ingredients({"model": "bb"}, "float32")),
        (CHECKSUM, Config(), Ingredients({}, "float32")),
        (CHECKSUM, Config(), Ingredients({"model": "aa"}, "half")),
    ],
)
def test_whatever_can_change_results_changes_the_recipe(job_type, config, ingredients):
    assert recipe_of(job_type, config, ingredients).hash != BASE.hash


@pytest.mark.parametrize(
    ("job_type", "config"),
    [
        (attrs.evolve(CHECKSUM, version="9.9", summary="A release that changes no results."), Config()),
        (CHECKSUM, Config(batch_size=1)),
        (CHECKSUM, Config(threshold=0.5)),  # the default, said
    ],
)
def test_what_can_not_change_results_is_no_part_of_it(job_type, config):
    assert recipe_of(job_type, config, Ingredients({"model": "aa"}, "float32")).hash == BASE.hash


def test_a_recipe_is_the_same_in_every_process():
    code = (
        "from bec_core.artifacts import recipe_of; from bec_core.job import Ingredients;"
        "from bec_core.testing.checksum_job import CHECKSUM, ChecksumConfig;"
        "print(recipe_of(CHECKSUM, ChecksumConfig(), Ingredients({'b': '2', 'a': '1'})).hash)"
    )  # fmt: skip
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(said) == 1


def test_ldv1_hashes_what_its_results_hang_on():
    from bec_ldv1.config import Ldv1Config
    from bec_ldv1.plugin import bec_job_types

    (ldv1,) = bec_job_types()
    one = recipe_of(ldv1, Ldv1Config(), Ingredients({"model": "aa"}, "float32"))
    other = recipe_of(ldv1, Ldv1Config(batch_size=2, use_gpu=False), Ingredients({"model": "aa"}, "float32"))
    assert one.hash == other.hash
