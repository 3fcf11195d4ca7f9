import subprocess
import sys
from types import ModuleType, SimpleNamespace

import click
import pytest
from attrs import evolve, frozen

from bec_core import Input, JobType, hookimpl
from bec_core.errors import PluginError
from bec_core.plugins import load_plugins


@frozen
class Config:
    """Nothing to set."""


class _Point:
    """An entry point of a distribution that is not installed."""

    def __init__(self, name, module, distribution="bec-test"):
        self.name, self.value, self._module = name, name, module
        self.dist = SimpleNamespace(name=distribution, version="1.2")

    def load(self):
        if isinstance(self._module, Exception):
            raise self._module
        return self._module


def _module(**contents):
    module = ModuleType("plugin")
    vars(module).update(contents)
    return module


def _plugin(*names):
    @hookimpl
    def bec_job_types():
        return [JobType(name, Config, "nowhere:nothing", "1", "") for name in names]

    return _module(bec_job_types=bec_job_types)


def test_job_types_by_exact_name():
    plugins = load_plugins(found=[_Point("a", _plugin("ldv1", "ldv1-fast")), _Point("b", _plugin("ldv"))])
    assert set(plugins.job_types) == {"ldv1", "ldv1-fast", "ldv"}
    assert plugins.job_type("ldv").name == "ldv"
    with pytest.raises(
        PluginError, match=r"no plugin brings the job type 'ld' .*; did you mean 'ldv' or 'ldv1'\?$"
    ):
        plugins.job_type("ld")


def test_a_broken_plugin_is_named_and_takes_nothing_else_down():
    points = [
        _Point("bad", ImportError("no module named nothing"), "bec-bad"),
        _Point("good", _plugin("ldv1")),
    ]
    plugins = load_plugins(found=points)
    assert set(plugins.job_types) == {"ldv1"}
    assert [(b.distribution, b.reason) for b in plugins.broken] == [
        ("bec-bad", "ImportError: no module named nothing")
    ]
    with pytest.raises(PluginError, match="bec-bad could not be loaded"):
        plugins.job_type("bad")


def test_strict_makes_a_broken_plugin_fatal():
    with pytest.raises(PluginError, match="bec-bad"):
        load_plugins(strict=True, found=[_Point("bad", ImportError("gone"), "bec-bad")])


def test_a_hook_that_does_not_exist_breaks_only_its_plugin():
    @hookimpl
    def bec_job_typos():
        return []

    plugins = load_plugins(
        found=[_Point("bad", _module(bec_job_typos=bec_job_typos)), _Point("ok", _plugin("x"))]
    )
    assert set(plugins.job_types) == {"x"}
    assert "bec_job_typos" in plugins.broken[0].reason


def test_two_plugins_that_claim_one_name_are_both_broken_and_the_rest_works():
    points = [
        _Point("a", _plugin("ldv1", "of-one"), "bec-one"),
        _Point("b", _plugin("ldv1"), "bec-two"),
        _Point("c", _plugin("ocr"), "bec-three"),
    ]
    plugins = load_plugins(found=points)
    assert set(plugins.job_types) == {"ocr"}
    reason = "bec-one and bec-two both bring the job type 'ldv1'; uninstall one of them"
    assert [(b.name, b.version, b.reason) for b in plugins.broken] == [
        ("a", "1.2", reason),
        ("b", "1.2", reason),
    ]
    assert plugins.manager.get_plugin("bec-one:a") is None
    with pytest.raises(PluginError, match=r"no plugin brings .*'ldv1'.*uninstall one of them"):
        plugins.job_type("ldv1")
    with pytest.raises(PluginError, match="uninstall one of them"):
        load_plugins(found=points, strict=True)


def test_a_plugin_that_brings_one_name_twice_is_broken():
    plugins = load_plugins(found=[_Point("a", _plugin("ldv1", "ldv1")), _Point("b", _plugin("ocr"))])
    assert set(plugins.job_types) == {"ocr"}
    assert [b.reason for b in plugins.broken] == ["bec_job_types returned two job types 'ldv1'"]


class _Ends:
    """An entry point whose module ends the process when it is imported."""

    name, value, dist = "ends", "ends", None

    def load(self):
        sys.exit("no licence")


def _returning(*found):
    @hookimpl
    def bec_job_types():
        return list(found)

    return _Point("odd", _module(bec_job_types=bec_job_types))


GOOD = JobType("good", Config, "nowhere:nothing", "1", "")


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        (_Ends(), "SystemExit: no licence"),
        (_returning("ldv1"), "bec_job_types returned 'ldv1', not a JobType"),
        (_returning(evolve(GOOD, inputs="ldv1")), "its inputs must be a tuple, not the string 'ldv1'"),
        (_returning(evolve(GOOD, inputs=["ldv1"])), "its inputs must be a tuple, not ['ldv1']"),
        (_returning(evolve(GOOD, inputs=("ldv1",))), "its inputs must hold Inputs, not 'ldv1'"),
        (
            _returning(evolve(GOOD, inputs=(Input("lines", type="ldv1", artifacts=".parquet"),))),
            "the artifacts of its input 'lines' must be a tuple, not the string '.parquet'",
        ),
        (_returning(evolve(GOOD, config=dict)), "its config class <class 'dict'> is no attrs class"),
        (_returning(evolve(GOOD, config=None)), "its config class None is no attrs class"),
        (_returning(evolve(GOOD, worker=print)), "its worker must be a string"),
        (_returning(evolve(GOOD, summary=None)), "its summary must be a string, not None"),
        (_returning(evolve(GOOD, report=3)), "its report must be a string, not 3"),
    ],
)
def test_what_is_no_job_type_breaks_only_its_plugin(point, reason):
    plugins = load_plugins(found=[point, _Point("ok", _plugin("x"))])
    assert set(plugins.job_types) == {"x"}
    (broken,) = plugins.broken
    assert reason in broken.reason


def test_a_plugins_commands_break_no_other_plugins():
    @hookimpl(specname="bec_commands")
    def bad(cli):
        raise RuntimeError("no commands today")

    @hookimpl(specname="bec_commands")
    def good(cli):
        cli.add_command(click.Command("fine"))

    plugins = load_plugins(found=[_Point("bad", _module(bad=bad)), _Point("fine", _module(good=good))])
    _built_in, bad_one, good_one = plugins.loaded
    group = click.Group()
    plugins.commands_of(good_one, group)
    assert list(group.commands) == ["fine"]
    with pytest.raises(PluginError, match="the commands of bec-test can't be had: RuntimeError: no commands"):
        plugins.commands_of(bad_one, group)


def test_listing_plugins_imports_no_torch():
    script = (
        "import sys; from bec_core.plugins import load_plugins; assert 'ldv1' in load_plugins().job_types;"
        "print([m for m in ('torch', 'numpy', 'cv2', 'psycopg', 'boto3') if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
