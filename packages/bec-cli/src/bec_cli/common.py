"""What the commands share: opening a session, options, reading a config, asking, JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bec_cli.completion import complete_job, complete_volume
from bec_cli.printing import say
from bec_core.errors import PluginError, SettingsError
from bec_core.logs import configure_logging
from bec_core.settings import PluginVariables, Settings, load_settings, setting_fields
from bec_core.text import json_text, shown, shown_line
from bec_core.words import ago as ago  # told on, with the others of this module
from bec_core.words import count as count

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from bec_core.admin.session import Session
    from bec_core.catalogue import Catalogue
    from bec_core.job import JobType
    from bec_core.models import Job
    from bec_core.observer import ObserverType
    from bec_core.source import SourceType

Command = TypeVar("Command", bound=Callable[..., Any])

_PIPE_WIDTH = 1000  # what goes into a pipe is as wide as its data needs


def settings_of(ctx: click.Context, *, quiet: bool = False, **overrides: Any) -> Settings:
    """The settings, with the command line's options over the environment; sets logging up.

    ``quiet`` logs errors only, unless the user asked for more: for commands that show progress themselves.
    """
    options: Mapping[str, Any] = ctx.find_root().obj
    named: Path | None = options["env_file"]
    settings = load_settings(
        env_file=named,
        found=None if named else Path(".env"),
        say=note,
        of_plugins=_variables_of_plugins,
        **overrides,
    )
    configure_logging(
        level="DEBUG" if options["debug"] else "ERROR" if quiet else settings.log_level,
        form=settings.log_format,
        file=settings.log_file,
        capture=settings.log_format == "json" or settings.log_file is not None,
    )
    return settings


def _variables_of_plugins() -> PluginVariables:
    """What installed plugins read from the environment."""
    from bec_core.plugins import load_plugins

    try:
        found = load_plugins(quiet=True)
        with_settings: list[JobType | SourceType | ObserverType] = [
            *found.job_types.values(),
            *found.source_types.values(),
            *found.observer_types.values(),
        ]
    except PluginError:
        return PluginVariables()  # a command that needs plugins says so
    return PluginVariables(
        frozenset(
            one.environment for job in found.job_types.values() for one in job.resources if one.environment
        ),
        frozenset(
            brought.variable(field.name) for brought in with_settings for field in setting_fields(brought)
        ),
    )


def session_of(ctx: click.Context, *, connections: int = 4, **overrides: Any) -> Session:
    """A session that is closed when the command ends."""
    from bec_core.admin.session import Session

    return ctx.with_resource(Session(settings_of(ctx, **overrides), connections=connections))


def open_aside(session: Session) -> None:
    """Begin to open the embedded database, whose server may have to start; a worker's rooms are imported meanwhile.

    What goes wrong with the database is said when it is first asked.
    """
    if session.settings.is_local:
        session.open_database_aside()
        import bec_core.admin.working  # noqa: F401


def session_and_job(ctx: click.Context, name_or_id: str) -> tuple[Session, Job]:
    """A session that is closed when the command ends, and the job of this name or id."""
    from bec_core.admin.jobs import find_job

    session = session_of(ctx)
    return session, find_job(session, name_or_id)


# -- options that many commands have ---------------------------------------------------------------------


def job_option(command: Command) -> Command:
    """``--job-name``, which takes an id too."""
    return click.option(
        "--job-name", required=True, metavar="JOB", shell_complete=complete_job, help="The job's name or id."
    )(command)


def job_argument(command: Command) -> Command:
    """The job as an argument: name or id."""
    return click.argument("job_name", metavar="JOB", shell_complete=complete_job)(command)


def volumes_option(text: str) -> Callable[[Command], Command]:
    """``--volume``, which may be given often."""
    return click.option(
        "--volume",
        "volumes",
        multiple=True,
        metavar="W_ID,I_ID",
        shell_complete=complete_volume,
        help=text,
    )


def json_option(command: Command) -> Command:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def dry_run_option(command: Command) -> Command:
    """``--dry-run``."""
    return click.option("--dry-run", is_flag=True, help="Only say what would be done.")(command)


def yes_option(command: Command) -> Command:
    """``--yes``."""
    return click.option("--yes", "-y", is_flag=True, help="Don't ask.")(command)


def limit_option(default: int) -> Callable[[Command], Command]:
    """``--limit`` of a listing."""
    return click.option(
        "--limit", type=click.IntRange(1), default=default, show_default=True, help="Show at most this many."
    )


def confirm(question: str, *, yes: bool) -> None:
    """Ask before destroying; where nobody can answer, ``--yes`` must be given.

    Raises:
        UsageError: there is no terminal to ask on.
        Abort: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"nobody is there to answer {question!r}: say --yes, or look first with --dry-run"
        )
    click.confirm(shown(question), abort=True, err=True)


def read_config(path: Path | None, text: str | None) -> dict[str, Any] | None:
    """A job's config from ``--config`` or ``--config-text``; None if neither is given.

    Raises:
        SettingsError: both are given, the file can't be read, or it is no JSON object.
    """
    if path and text is not None:
        raise SettingsError("give either --config or --config-text")
    if path:
        text = _read_text(path)
    if text is None:
        return None
    where = str(path) if path else "--config-text"
    try:
        config = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{where} is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise SettingsError(f'{where} must be a JSON object, such as {{"batch_size": 16}}')
    return config


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        hint = "; JSON itself goes with --config-text" if "{" in str(path) else ""
        raise SettingsError(f"--config {path} can't be read: {error.strerror}{hint}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"--config {path} is no text in UTF-8: {error}") from None


# -- printing ---------------------------------------------------------------------------------------------


def out() -> Console:
    """The console of the data: stdout; as wide as the data needs where it is no terminal."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH, no_color=True)


def err() -> Console:
    """The console of everything that is not data: stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def note(text: str) -> None:
    """Say something that is not data."""
    say(text, err=True)


@contextmanager
def counting(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr where that is a terminal: call what it gives with how many are done, and of how many."""
    from rich.progress import Progress

    console = err()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(label, total=None)
        yield lambda done, of: progress.update(bar, completed=done, total=of)


def styled(*parts: str | tuple[str, str]) -> Text:
    """A line for a rich console: words, or words with a style; nothing in them is taken for markup or control."""
    from rich.text import Text

    return Text.assemble(*(shown(one) if isinstance(one, str) else (shown(one[0]), one[1]) for one in parts))


def shown_cell(value: object) -> str:
    """A value in one line, fit for a terminal."""
    return shown_line(str(value))


def title_column(catalogue: Catalogue) -> tuple[str, ...]:
    """The heading of the works' titles in a listing; none without a catalogue of titles."""
    return ("Title",) if catalogue.works else ()


def title_cell(catalogue: Catalogue, w_id: str) -> tuple[str | None, ...]:
    """A work's title in a listing; none without a catalogue of titles."""
    return (catalogue.of(w_id).title,) if catalogue.works else ()


def print_json(data: object) -> None:
    """Data for a program, on stdout."""
    say(json_text(data, default=_plain, indent=2))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def local_time(value: datetime | None) -> str | None:
    """A time in the user's zone."""
    return value.astimezone().strftime("%Y-%m-%d %H:%M:%S") if value else None
