"""``bec plugins check``: starts the conformance kit in a process of its own, and says what it found."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import click
from attrs import frozen

from bec_cli.common import json_option, note, print_json, read_config, settings_of
from bec_cli.exits import Exit
from bec_cli.printing import say
from bec_core.errors import PluginError, SettingsError

_PROGRAM = "bec_core.testing.check_program"
_GRACE_S = 15.0  # for the process's start, and above the limits that it keeps itself


@frozen
class Found:
    """What a check found."""

    name: str
    version: str | None
    problems: list[str]


@click.command()
@click.argument("name")
@click.option(
    "--pages",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder of good pages to run it on.  [default: two small sample pages]",
)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=FOLDER",
    help="What an earlier run wrote, for an input; may be given once for each.  [default: its job type is run]",
)
@click.option(
    "--resource",
    "resources",
    multiple=True,
    metavar="NAME=PATH",
    help="A file or folder of a declared resource; may be given once for each.",
)
@click.option(
    "--config", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A config, as JSON."
)
@click.option("--config-text", help="A config as JSON text.")
@click.option("--any-bytes", is_flag=True, help="The job takes any bytes for a page: none can be bad.")
@click.option(
    "--within",
    "within_s",
    type=click.FloatRange(1, 3600),
    default=60.0,
    show_default=True,
    help="How many seconds one run may take.",
)
@click.option(
    "--stop-within",
    "stop_within_s",
    type=click.FloatRange(0.1, 600),
    default=10.0,
    show_default=True,
    help="How many seconds a run may take to end once it is told to.",
)
@json_option
@click.pass_context
def check(
    ctx: click.Context,
    name: str,
    pages: Path | None,
    inputs: tuple[str, ...],
    resources: tuple[str, ...],
    config: Path | None,
    config_text: str | None,
    any_bytes: bool,
    within_s: float,
    stop_within_s: float,
    as_json: bool,
) -> int:
    """Check an installed job type: what it declares, and what it does on a few pages. Nothing is stored. Of a source:
    what it declares, and that it opens.

    It is run on good, bad and missing pages, twice, at once, and told to stop, as the plugin guide's conformance test
    does it. What its inputs need is made by their own job types, if they are installed. Exit status: 0 it conforms, 6
    it does not.

    \b
    Examples:
      bec plugins check ldv1
      bec plugins check ocrv1 --input lines=out/ldv1 --pages scans/I0001
    """
    settings_of(ctx, quiet=True)
    env_file: Path | None = ctx.find_root().obj["env_file"]
    request = {
        "name": name,
        "path": sys.path,
        "pages": None if pages is None else str(pages.resolve()),
        "inputs": _paths("--input", inputs),
        "resources": _paths("--resource", resources),
        "env_file": str(env_file.resolve()) if env_file else None,
        "config": read_config(config, config_text) or {},
        "any_bytes": any_bytes,
        "within_s": within_s,
        "stop_within_s": stop_within_s,
    }
    found = _run(name, request)
    if as_json:
        print_json({**attrs.asdict(found), "conforms": not found.problems})
    elif found.problems:
        say(f"{name} does not conform:")
        for problem in found.problems:
            say(f"  - {problem}")
    else:
        say(f"{name} {found.version} conforms")
    return Exit.SOME_FAILED if found.problems else Exit.OK


def _paths(option: str, given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given:
        name, equals, path = one.partition("=")
        if not (name and equals and Path(path).exists()):
            raise SettingsError(f"{option} {one}: write NAME=PATH, with a path that is there")
        if name in found:
            raise SettingsError(f"{option} {name} is given twice")
        found[name] = str(Path(path).resolve())
    return found


def _run(name: str, request: Mapping[str, Any]) -> Found:
    """Start the program and wait for what it finds, or for what it does not survive.

    Raises:
        PluginError: there is no such job type, and no broken plugin that could bring it.
    """
    with tempfile.TemporaryDirectory(prefix="bec-check-") as folder:
        asked, events, output, errors = (Path(folder) / file for file in ("asked", "events", "out", "err"))
        asked.write_text(json.dumps(request), encoding="utf-8")
        events.touch()
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", _PROGRAM, str(asked), str(events)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            try:
                last = _follow(process, events)
            finally:
                _end(process)
        if "problems" not in last:
            return Found(name, None, [_died(process, last, errors)])
        if last.get("missing"):
            known = ", ".join(last["known"]) or "none"
            raise PluginError(f"no plugin brings the job type or source {name!r} (installed: {known})")
        problems = list(last["problems"])
        if printed := output.read_text(errors="replace").strip():
            problems.append(f"it writes to standard output past Python: {printed.splitlines()[0][:60]!r}")
        return Found(name, last.get("version"), problems)


def _follow(process: subprocess.Popen[bytes], events: Path) -> dict[str, Any]:
    """The last event: what was found, or what it was doing when it died or its time was over."""
    last: dict[str, Any] = {"doing": "starting", "within_s": 0.0}
    began, unread = time.monotonic(), ""
    with events.open(encoding="utf-8") as file:
        while True:
            ended = process.poll() is not None
            unread += file.read()
            *lines, unread = unread.split(
                "\n"
            )  # what was not written to its end yet is left for the next time
            for line in lines:
                last, began = json.loads(line), time.monotonic()
                if "problems" in last:
                    return last
                note(f"{last['doing']} …")
            if ended or time.monotonic() - began > float(last["within_s"]) + _GRACE_S:
                return last
            time.sleep(0.05)


def _died(process: subprocess.Popen[bytes], last: Mapping[str, Any], errors: Path) -> str:
    """What became of a process that said nothing more."""
    if process.returncode == -signal.SIGKILL:
        return f"it did not come back while the check was {last['doing']}; it was ended"
    said = errors.read_text(errors="replace").strip().splitlines()
    return (
        f"it ended the process (status {process.returncode}) while the check was {last['doing']}"
        f"{': ' + said[-1] if said else ''}"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process, and what it may have started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
