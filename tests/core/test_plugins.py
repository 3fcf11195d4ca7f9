import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest

from bec_core import JobType, hookimpl
from bec_core.errors import PluginError
from bec_core.plugins import load_plugins


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
        return [JobType(name, dict, "nowhere:nothing", "1", "") for name in names]

    return _module(bec_job_types=bec_job_types)


def test_job_types_by_exact_name():
    plugins = load_plugins(found=[_Point("a", _plugin("ldv1", "ldv1-fast")), _Point("b", _plugin("ldv"))])
    assert set(plugins.job_types) == {"ldv1", "ldv1-fast", "ldv"}
    assert plugins.job_type("ldv").name == "ldv"
    with pytest.raises(PluginError, match="pip install bec-ld"):
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


def test_two_plugins_that_claim_one_name_are_an_error():
    with pytest.raises(PluginError, match=r"bec-one and bec-two both bring .*'ldv1'"):
        load_plugins(found=[_Point("a", _plugin("ldv1"), "bec-one"), _Point("b", _plugin("ldv1"), "bec-two")])


def test_listing_plugins_imports_no_torch():
    script = (
        "import sys; from bec_core.plugins import load_plugins; assert 'ldv1' in load_plugins().job_types;"
        "print([m for m in ('torch', 'numpy', 'cv2', 'psycopg', 'boto3') if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
