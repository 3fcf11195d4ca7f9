"""axe-core (Deque Systems, MPL 2.0; from the package axe-core-python) over a page that a browser shows."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from support.chromium import Driver

_RUN = """
    const told = arguments[arguments.length - 1];
    const failed = (error) => told([{id: String(error), impact: "critical", nodes: []}]);
    axe.run().then((found) => told(found.violations), failed);
"""


@cache
def _source() -> str:
    return (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")


def serious(browser: Driver) -> list[str]:
    """What axe finds on the page that matters: ``rule: elements``, of impact serious or critical."""
    browser.set_script_timeout(60)
    browser.execute_script(_source())
    return [
        f"{one['id']}: {', '.join(node['html'][:120] for node in one['nodes'][:3])}"
        for one in browser.execute_async_script(_RUN)
        if one["impact"] in ("serious", "critical")
    ]
