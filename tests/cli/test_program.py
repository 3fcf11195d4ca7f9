"""The ``bec`` program itself: what it imports, how it ends, how its tables fit, what its options take."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest

from bec_cli.common import ago
from bec_cli.exits import Exit
from bec_cli.main import COMMANDS, run
from bec_cli.times import SINCE
from bec_core import errors
from bec_core.admin.volume_list import parse_volume, parse_volumes
from bec_core.models import VolumeRef

HEAVY = ("boto3", "botocore", "psycopg", "torch", "numpy", "obstore", "rich", "cattrs", "loguru", "starlette")


def modules_after(*arguments: str) -> set[str]:
    """The modules that a call of ``bec`` imported."""
    code = (
        f"import sys; from bec_cli.main import run; run({list(arguments)!r});"
        "print(*sys.modules, sep=',', file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ended.stderr.strip().split(","))


def test_help_imports_nothing_heavy_and_names_every_command() -> None:
    assert not modules_after("--help") & set(HEAVY)


def test_plugins_are_listed_without_torch() -> None:
    assert not modules_after("plugins", "list", "--json") & {
        "torch",
        "numpy",
        "boto3",
        "psycopg",
        "obstore",
        "rich",
    }


def test_serve_without_its_packages_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [one for one in sys.modules if one.partition(".")[0] in ("bec_serve", "starlette")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette", None)
    assert run(["serve"]) == Exit.NOT_FOUND
    assert 'pip install "bec-cli[serve]"' in capsys.readouterr().err


def test_help_lists_commands_and_plugins(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, (_, summary) in COMMANDS.items():
        assert name in shown
        assert summary in shown
    assert "brought by bec-ldv1" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(importlib.import_module(module), attribute)
    for words in leaves(command, [name]):
        assert run([*words, "--help"]) == 0
        assert f"bec {' '.join(words)}" in capsys.readouterr().out.partition("Example")[2]


def leaves(command: click.Command, words: list[str]) -> list[list[str]]:
    if not isinstance(command, click.Group):
        return [words]
    return [leaf for name, sub in command.commands.items() for leaf in leaves(sub, [*words, name])]


def test_a_wrong_command_line_ends_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "show"]) == 2
    assert run(["nope"]) == 2
    assert "No such command 'nope'" in capsys.readouterr().err


def test_a_plugin_without_commands_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    info = tmp_path / "empty-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: empty\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[bec]\nempty = bec_empty_plugin\n")
    (tmp_path / "bec_empty_plugin.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert run(["empty"]) == 2
    assert "the plugin empty has no commands of its own" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.SettingsError("x"), 2),
        (errors.JobConfigError("x"), 2),
        (errors.NotFoundError("x"), 3),
        (errors.PluginError("x"), 3),
        (errors.ConflictError("x"), 4),
        (errors.DatabaseUnavailable("x"), 5),
        (errors.QueueUnavailable("x"), 5),
        (errors.StorageError("x"), 5),
        (errors.TaskError("x"), 1),
    ],
)
def test_the_status_of_each_error(error: errors.BecError, status: int) -> None:
    assert Exit.of(error) == status


def test_an_error_is_one_sentence_and_debug_shows_the_traceback(tmp_path: Path) -> None:
    environment = {**os.environ, "BEC_SQL_HOST": "127.0.0.1", "BEC_SQL_PORT": "x", "BEC_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "bec_cli"]
    plain = subprocess.run(
        [*command, "jobs", "list"], env=environment, capture_output=True, text=True, check=False
    )
    assert plain.returncode == 2
    assert plain.stdout == ""
    assert plain.stderr.startswith("bec: settings: BEC_SQL_PORT='x'")
    assert "Traceback" not in plain.stderr
    debug = subprocess.run(
        [*command, "--debug", "jobs", "list"], env=environment, capture_output=True, text=True, check=False
    )
    assert "Traceback" in debug.stderr


def test_what_nobody_foresaw_is_one_sentence_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the moon is blue")

    monkeypatch.setattr("bec_cli.plugins.load_plugins", fail)
    assert run(["plugins", "list"]) == 1
    assert (
        capsys.readouterr().err == "bec: RuntimeError: the moon is blue (not foreseen; --debug shows where)\n"
    )
    with pytest.raises(RuntimeError):
        run(["--debug", "plugins", "list"])


def test_an_environment_file_that_is_named_must_be_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--env-file", "/nowhere/.env", "plugins", "list"]) == 2
    assert "there is no file /nowhere/.env" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"set -o pipefail; {sys.executable} -m bec_cli plugins list --json | head -c 1"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "[", "")


def test_the_end_calls_what_asked_for_it_and_takes_nothing_apart() -> None:
    ended = in_main("atexit.register(print, 'asked'); Held.__del__ = lambda self: os.write(1, b'freed')")
    assert (ended.returncode, ended.stdout.split()[-1]) == (0, "asked")


def test_the_end_waits_for_threads_that_are_at_work() -> None:
    last = "threading.main_thread().join(), print('worked')"
    ended = in_main(f"threading.Thread(target=lambda: ({last})).start()")
    assert (ended.returncode, ended.stdout.split()[-1]) == (0, "worked")


def test_the_collector_begins_when_a_command_was_imported() -> None:
    said = "atexit.register(lambda: print(gc.isenabled(), gc.get_freeze_count() > 0))"
    for words, expected in (["--version"], "False False"), (["jobs", "--help"], "True True"):
        ended = in_main(f"import gc; {said}", *words)
        assert ended.stdout.splitlines()[-1] == expected


def in_main(first: str, *words: str) -> subprocess.CompletedProcess[str]:
    """``bec`` in a process that has done ``first``; ``held`` lives as long as the interpreter does."""
    code = (
        "import atexit, os, sys, threading; Held = type('Held', (), {}); held = Held();"
        f"{first}; sys.argv = {['bec', *(words or ['--version'])]!r}; from bec_cli.main import main; main()"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_BEC_COMPLETE" in capsys.readouterr().out


def test_completion_completes() -> None:
    environment = {**os.environ, "_BEC_COMPLETE": "bash_complete", "COMP_WORDS": "bec que", "COMP_CWORD": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", "from bec_cli.main import main; main()"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.stdout.strip() == "plain,queue"


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("W22084,I0886", VolumeRef("W22084", "I0886")),
        ("W22084 I0887", VolumeRef("W22084", "I0887")),
        (" W22084 ,\tI0887 ", VolumeRef("W22084", "I0887")),
        ("W22084/I0887", VolumeRef("W22084", "I0887")),
        ("W1,I1,v2", VolumeRef("W1", "I1", i_version="v2")),
    ],
)
def test_volumes_as_people_write_them(text: str, ref: VolumeRef) -> None:
    assert parse_volume(text) == ref


@pytest.mark.parametrize("text", ["W1", "W1,I1,v1,x", "../W1,I1", "W1,I..1", "W 1 I 1", ""])
def test_what_is_no_volume(text: str) -> None:
    with pytest.raises(errors.SettingsError):
        parse_volume(text)


def test_only_so_many_bad_lines_are_named() -> None:
    with pytest.raises(errors.SettingsError, match=r"(?s)f: 30 bad lines.*line 10: .*and 20 more$"):
        parse_volumes(["x"] * 30, where="f", find=lambda text: [parse_volume(text)])


def test_moments_in_the_past() -> None:
    now = datetime.now(UTC)
    for text, span in (("90s", 90), ("30m", 1800), ("2h", 7200), ("1.5d", 129600), ("1w", 604800)):
        moment = SINCE.convert(text, None, None)
        assert abs((now - moment) - timedelta(seconds=span)) < timedelta(seconds=5)
    assert SINCE.convert("2026-01-31", None, None).utcoffset() is not None
    with pytest.raises(click.BadParameter):
        SINCE.convert("soon", None, None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, None),
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (3600 + 125, "1 h 02 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_spans_of_time(seconds: float | None, text: str | None) -> None:
    assert ago(seconds) == text
