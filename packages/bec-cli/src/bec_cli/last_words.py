"""Why a command ends badly, said where it will be looked for: on stderr, and in the JSON log, if one is kept.

Machines read the log alone (CloudWatch, an alarm's filter), so the reason must stand there too when the settings are
what is wrong and nothing was set up yet: then the environment alone says where the log is.
"""

from __future__ import annotations

import traceback

from bec_cli.printing import say


def say_the_end(
    text: str, status: int, *, level: str = "CRITICAL", exception: BaseException | None = None
) -> None:
    """Say ``text`` (or an exception's traceback) for people, and both as one line of the JSON log."""
    from bec_core.logs import last_words

    _open_log()
    if not last_words(text, level=level, exception=exception, exit_status=int(status)):
        say(text if exception is None else "".join(traceback.format_exception(exception)).rstrip(), err=True)


def _open_log() -> None:
    """Open the JSON log that the environment names, unless there is one."""
    from bec_core.errors import SettingsError
    from bec_core.logs import configure_logging, has_json_log
    from bec_core.settings import load_log_place

    file, as_json = load_log_place()
    if has_json_log() or not (file or as_json):
        return
    try:
        configure_logging(form="json", file=file, capture=True)
    except SettingsError as error:
        say(f"bec: {error}", err=True)
