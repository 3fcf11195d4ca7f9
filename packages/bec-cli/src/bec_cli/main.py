"""The ``bec`` program: global options, the command groups (each imported when it is used), and how errors end it."""

from __future__ import annotations

import atexit
import importlib
import io
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import click

from bec_cli.collector import begin_without, collect_again
from bec_cli.exits import Exit, StoppedBySignal

COMMANDS = {
    "audit": ("bec_cli.audit:audit", "Compare database, artifacts and queue; repair."),
    "compare": ("bec_cli.compare:compare", "Show what differs between two runs."),
    "completion": ("bec_cli.completion:completion", "Print a shell's completion script."),
    "db": ("bec_cli.db:db", "The database."),
    "doctor": ("bec_cli.doctor:doctor", "Is everything there that a run needs?"),
    "errors": ("bec_cli.errors:errors", "What failed and why."),
    "gc": ("bec_cli.gc:gc", "List what a job left behind; remove it."),
    "health": ("bec_cli.health:health", "What is wrong with the jobs, for alarms."),
    "jobs": ("bec_cli.jobs:jobs", "Create, change and mark jobs; see how they stand."),
    "marks": ("bec_cli.marks:marks", "Mark pages as right or wrong; samples, estimates, sets."),
    "plan": ("bec_cli.plan:plan", "Say what a run will take: hours, costs, storage."),
    "plugins": ("bec_cli.plugins:plugins", "The installed job types and sources, and new ones."),
    "queue": ("bec_cli.queue:queue", "Fill, inspect, redrive and empty a job's queue."),
    "report": ("bec_cli.report:report", "Write a job's report for people."),
    "run": ("bec_cli.run:run", "Run a job over a folder of scans, a PDF, a URL."),
    "run-volume": ("bec_cli.run_volume:run_volume", "Run a job on one volume, here and now."),
    "scale": ("bec_cli.scale:scale", "Let a group of instances follow the backlog."),
    "serve": ("bec_cli.serve:serve", "Show jobs, failures and workers in a browser."),
    "top": ("bec_cli.top:top", "A live screen of everything."),
    "volumes": ("bec_cli.volumes:volumes", "Which volumes are done for which jobs."),
    "worker": ("bec_cli.worker:worker", "Run a worker of a job."),
    "workers": ("bec_cli.workers:workers", "Which workers live, and what they do."),
}
"""Where each command is, and what ``bec --help`` says of it."""

_GOES_ON_LOADING = frozenset({"run"})
"""Commands that begin with loading a model, and say themselves when the collector is to begin."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called: ``bec --help`` imports none of them.

    An installed plugin's own commands are under the plugin's name (``bec ldv1 …``); the help reads those
    names from the installed distributions' metadata.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Our commands and the plugins' names."""
        return [*COMMANDS, *_plugin_names()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name."""
        if cmd_name in COMMANDS:
            module, _, attribute = COMMANDS[cmd_name][0].partition(":")
            command = getattr(importlib.import_module(module), attribute)
            assert isinstance(command, click.Command)
            if cmd_name not in _GOES_ON_LOADING:
                collect_again()
            return command
        if cmd_name in _plugin_names():
            collect_again()
            return _plugin_command(cmd_name)
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called.

        Raises:
            NoSuchCommand: there is none of this name; it names those that look like it.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:  # click looks for such names among commands that it has imported
            raise click.NoSuchCommand(
                error.command_name, possibilities=self.list_commands(ctx), ctx=error.ctx
            ) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])
        if plugins := _plugin_names():
            with formatter.section("Plugins, of which some have commands"):
                formatter.write_dl([(name, f"brought by {source}") for name, source in plugins.items()])


def _plugin_names() -> dict[str, str]:
    """The plugins that are no command of ours, each with its distribution; nothing of theirs is imported."""
    from importlib.metadata import entry_points

    found = sorted(entry_points(group="bec"), key=lambda point: point.name)
    return {
        point.name: point.dist.name if point.dist else point.value
        for point in found
        if point.name not in COMMANDS
    }


def _plugin_command(name: str) -> click.Command | None:
    """A plugin's command; it logs warnings and errors only, for it prints what it has to say."""
    from bec_core.logs import configure_logging
    from bec_core.plugins import load_plugins
    from bec_core.settings import load_settings

    configure_logging(level="WARNING")
    brought = click.Group()
    found = load_plugins(strict=load_settings().strict_plugins)
    for plugin in found.loaded:
        if plugin.name == name:  # the others' are not asked for: what is broken in them breaks no command
            found.commands_of(plugin, brought)
    if name in brought.commands:
        return brought.commands[name]
    raise click.UsageError(f"the plugin {name} has no commands of its own; see: bec plugins show {name}")


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Log everything, and show an error's traceback.")
@click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="BEC_ENV_FILE",
    help="A file of NAME=value lines; what the environment sets wins.  [env: BEC_ENV_FILE; default: .env]",
)
@click.version_option(package_name="bec-cli", prog_name="bec")
@click.pass_context
def cli(ctx: click.Context, debug: bool, env_file: Path | None) -> None:
    """Run page-level jobs over the volumes of a digital library.

    \b
    On one machine, with nothing to configure:
      bec run ldv1 FOLDER          find the text lines of every page in FOLDER
    With a queue and workers:
      bec jobs create --name ldv1
      bec queue enqueue --job-name ldv1 --file volumes.txt
      bec worker --job-name ldv1
      bec jobs stats ldv1
    """
    if env_file and (env_file.is_dir() or not env_file.exists()):
        raise click.UsageError(f"--env-file: there is no file {env_file}")
    ctx.obj = {"debug": debug, "env_file": env_file}


def main() -> None:
    """Run ``bec`` and end the process with its exit status."""
    begin_without()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks our letters gets escapes
    sys.excepthook = _show_traceback
    status = run(sys.argv[1:])
    _end(Exit.OK if _reader_gone() and not status else status)


def _end(status: int) -> NoReturn:
    """End the process: what asked to be called at the end is, but nothing is taken apart.

    Freeing what was imported object by object takes 0.5 s with torch, for memory that goes with the process.
    """
    if any(not one.daemon and one is not threading.main_thread() for one in threading.enumerate()):
        sys.exit(status)  # Python's own way waits for them
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _show_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Python's last words; the error's text may be a stranger's."""
    from bec_cli.last_words import say_the_end

    say_the_end(f"bec: {kind.__name__}: {error}", Exit.FAILED, exception=error.with_traceback(trace))


def _reader_gone() -> bool:
    """Whether nobody reads our output any more; what is left of it is dropped, so that nothing is said at exit."""
    gone = False
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            gone = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return gone


def _because_nobody_reads(ended: BaseException) -> bool:
    cause: BaseException | None = ended
    while cause is not None and not isinstance(cause, BrokenPipeError):
        cause = cause.__context__
    return cause is not None


def run(arguments: list[str]) -> int:
    """Run ``bec`` with these arguments; its exit status."""
    try:
        result: Any = cli.main(arguments, prog_name="bec", standalone_mode=False)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except (click.Abort, KeyboardInterrupt) as stopped:
        cause = (
            stopped.__cause__ if isinstance(stopped, click.Abort) else stopped
        )  # click makes one of the other
        status = 128 + cause.number if isinstance(cause, StoppedBySignal) else Exit.INTERRUPTED
        return _ended("stopped", status, level="INFO")
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        return _ended(text.getvalue().rstrip("\n"), error.exit_code)
    except BrokenPipeError:
        _reader_gone()  # who read our output has seen enough
        return Exit.OK
    except SystemExit as ended:
        # click and rich end the process so when nobody reads their output
        if _because_nobody_reads(ended):
            _reader_gone()
            return Exit.OK
        raise
    except Exception as error:
        from bec_core.errors import BecError

        # a service can't be asked to run once more with --debug
        if "--debug" in arguments or ("worker" in arguments and not isinstance(error, BecError)):
            raise
        if isinstance(error, BecError):
            return _ended(f"bec: {error}", Exit.of(error))
        return _ended(
            f"bec: {type(error).__name__}: {error} (not foreseen; --debug shows where)", Exit.FAILED
        )
    return result if isinstance(result, int) else Exit.OK


def _ended(text: str, status: int, *, level: str = "CRITICAL") -> int:
    from bec_cli.last_words import say_the_end  # here: a command that ends well needs nothing of it

    say_the_end(text, status, level=level)
    return status
