"""docs/an-operators-night.md: what is shown there was told by the script, of each trouble that it plays."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from bec_cli.main import cli
from bec_core.admin.health import Kind
from support.places import ROOT

PAGE = (ROOT / "docs" / "an-operators-night.md").read_text()
SCRIPT = (ROOT / "bench" / "night.py").read_text()
BLOCKS = dict(re.findall(r"<!-- (\S+) -->\n```text\n(.*?)\n```\n", PAGE, flags=re.DOTALL))


def test_each_trouble_that_is_played_has_its_place_and_no_other() -> None:
    played = re.findall(r'^def (\w+)\(night: Night\) -> None:\n    """', SCRIPT, flags=re.MULTILINE)
    assert len(played) == 10
    assert list(BLOCKS) == ["evening", *(name.replace("_", "-") for name in played), "morning"]


def test_every_rule_that_the_page_shows_is_one_and_each_story_ends_well() -> None:
    assert set(re.findall(r"^night: ([a-z-]+): ", PAGE, flags=re.MULTILINE)) <= {kind.value for kind in Kind}
    for name, block in BLOCKS.items():
        answers = re.findall(
            r"^\$ bec health …\n(.*?)\n→ exit status (\d+)$", block, re.DOTALL | re.MULTILINE
        )
        assert answers, name
        for said, status in answers:
            assert (status == "6") == said.startswith("night: "), name
        assert answers[-1] == ("✓ Nothing is wrong with 1 open job", "0"), name


@pytest.mark.parametrize("option", sorted(set(re.findall(r"bec health (--.*)", PAGE))))
def test_its_options_are_those_of_the_script(option: str) -> None:
    words = option.split()[2:]
    assert ", ".join(f'"{word}"' for word in words) in SCRIPT
    for word in words[::2]:
        assert word in CliRunner().invoke(cli, ["health", "--help"]).output
