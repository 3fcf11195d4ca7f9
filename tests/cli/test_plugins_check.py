"""``bec plugins check``: each fault of an installed plugin in a sentence, and never a hang."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from bec_cli.main import run
from bec_core.testing.samples import sample_pages
from support.cli import clean_environment
from support.plugin_folders import lay_out

_PLUGIN = """
from attrs import frozen
from bec_core import Input, JobType, between, hookimpl, option

@frozen
class Config:
    size: int = option(3, "A size.", **between(1, 5))

@hookimpl
def bec_job_types():
    return [JobType(name="sums", config=Config, worker="kit_work:Worker", version="1.0", summary="Sums.")]
"""
_WORK = """
import hashlib, json, os, sys, threading, time
from bec_core import PageError, TaskResult

class Worker:
    def __init__(self, setup):
        pass

    def run(self, ctx):
        sums = {}
        for page in ctx.volume.pages:
            ctx.stop.check()
            try:
                data = ctx.read_page(page).data
                if data == b"this is no image":
                    raise PageError("no image", stage="decode")
                sums[page.filename] = hashlib.sha256(data).hexdigest()
            except PageError as error:
                ctx.page_failed(page, error)
            ctx.page_done(page)
        ctx.write_artifact(".json", json.dumps(sums).encode())
        return TaskResult()

    def close(self):
        pass
"""
_BOUND = _PLUGIN.replace('summary="Sums."', 'summary="Sums.", inputs=(Input("lines", type="others"),)')


Check = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Check:
    """Installs a plugin and checks it; the exit status, and what ``--json`` says."""
    clean_environment(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for name in [name for name in sys.modules if name.startswith("kit_")]:
        monkeypatch.delitem(sys.modules, name)  # another test's plugin, which was run in this process

    def run_check(
        *arguments: str, plugin: str = _PLUGIN, work: str = _WORK, name: str = "sums"
    ) -> tuple[int, dict[str, Any]]:
        if not (tmp_path / "site").exists():
            lay_out(
                tmp_path / "site",
                "bec-sums",
                {"sums": "kit_sums"},
                {"kit_sums.py": plugin, "kit_work.py": work},
            )
        try:
            status = run(
                ["plugins", "check", name, "--within", "5", "--stop-within", "1", *arguments, "--json"]
            )
        finally:
            logger.remove()
        said = capfd.readouterr()
        return status, json.loads(said.out) if said.out else {"stderr": said.err}

    return run_check


def test_a_good_plugin_conforms(check: Check) -> None:
    assert check() == (0, {"name": "sums", "version": "1.0", "problems": [], "conforms": True})


def _in_run(line: str) -> str:
    return _WORK.replace("        sums = {}\n", f"        sums = {{}}\n        {line}\n")


@pytest.mark.parametrize(
    ("plugin", "work", "said"),
    [
        (_PLUGIN, _in_run("print('hello')"), "it prints 'hello' (kit_work.py, line"),
        (_PLUGIN, _in_run("os.write(1, b'hello')"), "it writes to standard output past Python: 'hello"),
        (_PLUGIN, _in_run("sys.exit(1)"), "a run over good pages raised SystemExit: 1"),
        (_PLUGIN, _in_run("os._exit(3)"), "it ended the process (status 3) while the check was running it"),
        (_PLUGIN, _in_run("time.sleep(60)"), "a run over good pages did not end within 5 s"),
        (
            _PLUGIN,
            _in_run("threading.Thread(target=time.sleep, args=(60,), name='left').start()"),
            "close() left threads running: left",
        ),
        (_PLUGIN, _WORK.replace("            ctx.page_done(page)\n", ""), "page_done must be called once"),
        (_PLUGIN, _WORK.replace("ctx.page_failed(page, error)", "pass"), "page_failed was not called for"),
        (_PLUGIN.replace("kit_work:Worker", "kit_work:Nobody"), _WORK, "its worker: kit_work:Nobody can't be"),
        (_PLUGIN.replace("option(3", "option(9"), _WORK, "the config's defaults can't be made"),
        (_PLUGIN.replace("size:", "max_attempts:"), _WORK, "'max_attempts' is the runtime's"),
        (
            _PLUGIN.replace('summary="Sums."', 'summary="Sums.", inputs="ldv1"'),
            _WORK,
            "bec-sums can't be loaded: the job type 'sums': its inputs must be a tuple, not the string 'ldv1'",
        ),
        ("import sys; sys.exit(2)", _WORK, "bec-sums can't be loaded: SystemExit: 2"),
        ("import os; os._exit(2)", _WORK, "it ended the process (status 2) while the check was importing the plugins"),
        (_BOUND, _WORK, "no installed plugin makes its input 'lines' (type others): install one, or give"),
    ],
)  # fmt: skip
def test_a_fault_is_named(check: Check, plugin: str, work: str, said: str) -> None:
    status, found = check(plugin=plugin, work=work)
    assert status == 6
    assert not found["conforms"]
    assert any(said in problem for problem in found["problems"]), found


def test_what_hangs_is_ended(check: Check, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "hanging_program.py").write_text(
        "import json, sys, time\n"
        "with open(sys.argv[2], 'a') as file:\n"
        "    file.write(json.dumps({'doing': 'importing the plugins', 'within_s': 0.1}) + '\\n')\n"
        "time.sleep(600)\n"
    )
    monkeypatch.setattr("bec_cli.plugins_check._PROGRAM", "hanging_program")
    monkeypatch.setattr("bec_cli.plugins_check._GRACE_S", 2.0)
    status, found = check()
    assert status == 6
    assert found["problems"] == [
        "it did not come back while the check was importing the plugins; it was ended"
    ]


def test_people_read_sentences(check: Check, capfd: pytest.CaptureFixture[str]) -> None:
    check(work=_in_run("sys.exit(1)"))
    assert run(["plugins", "check", "sums"]) == 6
    logger.remove()
    said = capfd.readouterr()
    assert said.out.startswith("sums does not conform:\n  - a run over good pages raised SystemExit: 1")
    assert "running it …" in said.err


def test_a_call_that_cant_be(check: Check, tmp_path: Path) -> None:
    assert check(name="nope")[0] == 3
    status, said = check("--input", "lines=/nowhere")
    assert status == 2
    assert "write NAME=PATH" in said["stderr"]
    assert check("--resource", f"x={tmp_path}", "--resource", f"x={tmp_path}")[0] == 2


def test_it_is_given_resources_and_what_it_reads_of_the_environment(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").write_text("7")
    monkeypatch.setenv("BEC_SUMS_KEY", "secret")
    plugin = _PLUGIN.replace(
        "@hookimpl", "@frozen\nclass Settings:\n    key: str | None = option(None, 'A key.')\n\n@hookimpl"
    ).replace(
        'summary="Sums."',
        'summary="Sums.", settings=Settings, resources=(Resource("model", "A model.", required=True),)',
    ).replace("Input,", "Input, Resource,")  # fmt: skip
    work = _WORK.replace(
        "        pass\n\n    def run",
        "        assert setup.resource('model').path.read_text() == '7' and setup.settings.key == 'secret'\n\n"
        "    def run",
        1,
    )
    assert check("--resource", f"model={tmp_path / 'model'}", plugin=plugin, work=work)[1]["problems"] == []
    (problem,) = check()[1]["problems"]
    assert problem.startswith("its worker can't be built: SettingsError")


# -- inputs -------------------------------------------------------------------------------------------------

_READS = _in_run(
    "known = json.loads(ctx.input('lines').read('.json')); assert ctx.input('lines').marker"
).replace("sums[page.filename] =", "sums[page.filename + known[page.filename]] =")
_TWO = _PLUGIN.replace(
    "    return [",
    """    return [JobType("reads", Config, "kit_reads:Worker", "1.0", "Reads.",
        inputs=(Input("lines", type="sums", artifacts=(".json",)),)), """,
)


def _both(tmp_path: Path) -> None:
    files = {"kit_sums.py": _TWO, "kit_work.py": _WORK, "kit_reads.py": _READS}
    lay_out(tmp_path / "site", "bec-sums", {"sums": "kit_sums"}, files)


def test_an_input_is_made_by_its_own_job_type(check: Check, tmp_path: Path) -> None:
    _both(tmp_path)
    assert check(name="reads")[1]["problems"] == []
    (tmp_path / "site" / "kit_work.py").write_text(_in_run("raise ValueError('not today')"))
    (problem,) = check(name="reads")[1]["problems"]
    assert problem.startswith(
        "its input 'lines' can't be made: sums raised ValueError: not today; give an earlier"
    )


def test_an_input_is_an_earlier_run(check: Check, tmp_path: Path) -> None:
    _both(tmp_path)
    scans = tmp_path / "scans" / "I1"
    scans.mkdir(parents=True)
    for name, data in sample_pages().items():
        (scans / name).write_bytes(data)
    assert run(["run", "sums", str(tmp_path / "scans"), "--out", str(tmp_path / "out")]) == 0
    logger.remove()
    (tmp_path / "site" / "kit_work.py").write_text("raise ImportError('not here')")
    lines = f"lines={tmp_path / 'out' / 'sums'}"
    assert check("--input", lines, name="reads")[1]["problems"] == []
    assert check("--input", lines, "--pages", str(scans), name="reads")[1]["problems"] == []
    (problem,) = check("--input", f"lines={scans}", name="reads")[1]["problems"]
    assert "holds no finished volume" in problem
    (problem,) = check("--input", f"words={tmp_path / 'out'}", name="reads")[1]["problems"]
    assert "it declares no input words" in problem
