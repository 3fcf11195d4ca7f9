"""``bec plugins new``: the package of a new plugin, which passes its tests at once."""

from __future__ import annotations

import keyword
import re
import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from bec_cli.common import settings_of
from bec_cli.plugin_files import PluginName, render
from bec_cli.printing import say
from bec_core.errors import ConflictError, SettingsError
from bec_core.plugins import load_plugins

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_LONGEST = 30


@click.command()
@click.argument("name")
@click.option(
    "--input",
    "input_type",
    type=click.Choice(["ldv1"]),
    help="Read what jobs of this type have done of a volume.",
)
@click.option("--report", is_flag=True, help="With a report for people.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="The folder to put the package's folder into.  [default: the current one]",
)
@click.pass_context
def new(ctx: click.Context, name: str, input_type: str | None, report: bool, directory: Path) -> None:
    """Write the package of a new job type NAME, with tests that pass, to be made your own.

    \b
    Examples:
      bec plugins new stamps
      bec plugins new page-numbers --input ldv1 --report
    """
    settings_of(ctx, quiet=True)
    plugin = PluginName(name)
    _check(plugin)
    folder = directory / plugin.distribution
    if folder.exists() or folder.is_symlink():
        raise ConflictError(f"{folder} is there already; nothing was written")
    files = render("lines" if input_type else "pages", plugin, {"report"} if report else ())
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    say(f"{folder} has {len(files)} files. What to change is said in its README.md. Next:")
    place, python, bec = shlex.quote(str(folder)), _program("python"), _program("bec")
    say(f"  {python} -m pip install -e {place} pytest && {python} -m pytest {place}")
    say(f"  {bec} plugins check {name}")
    say(f"  {bec} run {f'{input_type},' if input_type else ''}{name} FOLDER")


def _program(name: str) -> str:
    """How to call a program of this environment: by its path, if another one is found by its name."""
    here = Path(sys.executable).parent / name
    found = shutil.which(name)
    return name if found is None or Path(found).parent == here.parent else shlex.quote(str(here))


def _check(plugin: PluginName) -> None:
    """Refuse a name that can't be a job type's, or is taken.

    Raises:
        SettingsError: it can't be one.
        ConflictError: it is taken.
    """
    from bec_cli.main import COMMANDS

    name = plugin.name
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise SettingsError(
            f"{name!r} can't be a new plugin's name: use small letters and digits, words joined by '-' or '_', a"
            f" letter first, {_LONGEST} characters at most"
        )
    if keyword.iskeyword(plugin.identifier):
        raise SettingsError(f"{name!r} can't be a new plugin's name: it is a word of Python's")
    if name in COMMANDS:
        raise ConflictError(f"{name!r} is a command of bec; its own commands could not be called")
    plugins = load_plugins()
    taken = {
        **{broken.name: broken.distribution for broken in plugins.broken},
        **{loaded.name: loaded.distribution for loaded in plugins.loaded},
        **{job_type.name: loaded.distribution for loaded in plugins.loaded for job_type in loaded.job_types},
    }
    if name in taken:
        raise ConflictError(f"{taken[name]} brings the job type {name!r} already")
    if find_spec(plugin.module) is not None:
        raise ConflictError(f"there is a Python package {plugin.module} already")
