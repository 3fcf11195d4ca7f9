"""Everything that BEC reads from the environment, read once, here.

:class:`Settings` is filled from environment variables (after a file of settings, which never overrides what
is already set; see :mod:`bec_core.env_file`) and checked as a whole: one
:class:`~bec_core.errors.SettingsError` names everything that is bad or missing. Passwords are
:class:`Secret`: printing one shows ``********``.
"""

from __future__ import annotations

import difflib
import os
import socket
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import attrs
import cattrs
import platformdirs
from attrs import field, frozen
from cattrs.errors import BaseValidationError, ClassValidationError

from bec_core.env_file import EnvFile, found_file, named_file
from bec_core.errors import SettingsError

if TYPE_CHECKING:
    from bec_core.job import JobType
    from bec_core.observer import ObserverType
    from bec_core.source import SourceType

QueueKind = Literal["postgres", "sqs"]


class Secret:
    """A string that does not show itself; :meth:`reveal` gives it."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "********"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def _env(*names: str, doc: str, **arguments: Any) -> Any:
    """A field that is read from the first of ``names`` that is set; ``doc`` goes into the reference."""
    return field(metadata={"env": names, "doc": doc}, **arguments)


def default_home(*, needed: bool = True) -> Path:
    """The platform's data directory for BEC; for root ``/var/lib/bec``, which its server's user can reach.

    Raises:
        SettingsError: the user has no home, and one is ``needed``: the database is to be BEC's own.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/bec")
    if needed and os.environ.get("HOME") == "" and not os.environ.get("XDG_DATA_HOME"):
        raise SettingsError("HOME is empty, so there is no place for BEC's files: set HOME, or BEC_HOME")
    return Path(platformdirs.user_data_dir("bec"))


def _host_name() -> str:
    return socket.gethostname()


@frozen
class Settings:
    """What the environment says. With nothing set, everything runs on this machine."""

    home: Path = _env("BEC_HOME", doc="Where BEC keeps its own database and files.", factory=default_home)

    database_idle_s: int | None = _env(
        "BEC_DATABASE_IDLE_S",
        doc="How many seconds the embedded PostgreSQL stays after its last user. Unset: 300 at a terminal, else 0.",
        default=None,
    )

    sql_host: str | None = _env(
        "BEC_SQL_HOST", doc="PostgreSQL's host. Unset: the embedded PostgreSQL under BEC_HOME.", default=None
    )
    sql_port: int = _env("BEC_SQL_PORT", doc="PostgreSQL's port.", default=5432)
    sql_user: str | None = _env("BEC_SQL_USER", doc="PostgreSQL's user; needed with a host.", default=None)
    sql_password: Secret | None = _env("BEC_SQL_PASSWORD", doc="PostgreSQL's password.", default=None)
    sql_database: str = _env("BEC_SQL_DATABASE", doc="The database's name.", default="pipeline_v1")
    sql_sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] | None = _env(
        "BEC_SQL_SSLMODE", doc="TLS to PostgreSQL. Default: require off this machine.", default=None
    )

    queue: QueueKind | None = _env(
        "BEC_QUEUE", doc="New jobs' queues: postgres or sqs. Default: sqs with BEC_SQL_HOST.", default=None
    )
    region: str | None = _env(
        "BEC_REGION", "AWS_REGION", "AWS_DEFAULT_REGION", doc="AWS region.", default=None
    )
    endpoint_url: str | None = _env(
        "AWS_ENDPOINT_URL", doc="Endpoint of all of AWS's services.", default=None
    )
    s3_endpoint_url: str | None = _env("AWS_ENDPOINT_URL_S3", doc="Endpoint of S3 alone.", default=None)
    sqs_endpoint_url: str | None = _env("AWS_ENDPOINT_URL_SQS", doc="Endpoint of SQS alone.", default=None)
    autoscaling_endpoint_url: str | None = _env(
        "AWS_ENDPOINT_URL_AUTO_SCALING", doc="Endpoint of EC2 Auto Scaling alone.", default=None
    )

    ec2: Literal["auto", "on", "off"] = _env(
        "BEC_EC2",
        doc="Whether a worker watches for its EC2 instance's end. auto: where the firmware says that it is one.",
        default="auto",
    )
    imds_url: str = _env(
        "BEC_IMDS_URL",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        doc="Where the instance's metadata service answers.",
        default="http://169.254.169.254",
    )
    on_rebalance: Literal["keep", "drain"] = _env(
        "BEC_ON_REBALANCE",
        doc="On a rebalance recommendation: keep finished pages every few seconds and go on, or drain.",
        default="keep",
    )
    asg_name: str | None = _env("BEC_ASG_NAME", doc="The instance's Auto Scaling group.", default=None)
    asg_hook: str | None = _env(
        "BEC_ASG_HOOK", doc="The group's lifecycle hook that waits for an instance's end.", default=None
    )
    scale_in_protection: bool = _env(
        "BEC_SCALE_IN_PROTECTION",
        doc="1: the instance is protected from scale-in while something is at hand.",
        default=False,
    )

    source_s3_bucket: str = _env(
        "BEC_SOURCE_S3_BUCKET", doc="The archive's bucket.", default="archive.tbrc.org"
    )
    source_url: str | None = _env(
        "BEC_SOURCE_URL", doc="The archive as a URL (s3:// or file://), in place of the bucket.", default=None
    )
    ocr_benchmark_s3_bucket: str = _env(
        "BEC_OCR_BENCHMARK_S3_BUCKET", doc="The bucket of source ocr_benchmark.", default="bec.bdrc.io"
    )
    dest_s3_bucket: str | None = _env("BEC_DEST_S3_BUCKET", doc="The artifacts' bucket.", default=None)
    dest_url: str | None = _env(
        "BEC_DEST_URL",
        doc="The artifacts' place as a URL (s3:// or file://), in place of the bucket.",
        default=None,
    )

    catalogue: Path | None = _env(
        "BEC_CATALOGUE",
        doc="The works' titles: a CSV file with the columns work and title, and link if there are links.",
        default=None,
    )
    catalogue_link: str | None = _env(
        "BEC_CATALOGUE_LINK",
        doc="Where a work is on the web: an http(s) URL with {work} where its W_ID stands.",
        default=None,
    )

    scratch: Path | None = _env(
        "BEC_SCRATCH",
        doc="Where large artifacts grow until they are published. Unset: the system's folder for temporary files.",
        default=None,
    )
    worker_name: str = _env(
        "BEC_WORKER_NAME", doc="How this worker is listed. Default: the host's name.", factory=_host_name
    )
    strict_plugins: bool = _env(
        "BEC_STRICT_PLUGINS", doc="1: a plugin that fails to load is fatal.", default=False
    )
    log_level: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"] = _env(
        "BEC_LOG_LEVEL", doc="The least level that is logged.", default="INFO"
    )
    log_format: Literal["console", "json", "journal"] | None = _env(
        "BEC_LOG_FORMAT",
        doc="console, json or journal (systemd's). Default: console on a terminal, json else.",
        default=None,
    )
    log_file: Path | None = _env(
        "BEC_LOG_FILE",
        doc="A file for the log, one JSON object a line, in place of stderr; beside it if BEC_LOG_FORMAT is another.",
        default=None,
    )
    env_file: Path | None = _env(
        "BEC_ENV_FILE", doc="A file of NAME=value lines that may set all of these.", default=None
    )

    serve_token: Secret | None = _env(
        "BEC_SERVE_TOKEN",
        doc="What lets one look at the pages of bec serve. Default: off loopback a new one at every start.",
        default=None,
    )
    serve_mark_token: Secret | None = _env(
        "BEC_SERVE_MARK_TOKEN", doc="What lets one mark pages there, with --allow-marks.", default=None
    )
    serve_act_token: Secret | None = _env(
        "BEC_SERVE_ACT_TOKEN", doc="What lets one redrive there, with --allow-actions.", default=None
    )

    serve_url: str | None = _env(
        "BEC_SERVE_URL",
        doc="Where people find bec serve (http or https): reports and bec errors show then link to its pages.",
        default=None,
    )

    environment: Mapping[str, str] = field(factory=dict, repr=False, eq=False)
    """All that the environment and the file say: what plugins declare is read from here."""

    @property
    def is_local(self) -> bool:
        """True if nothing is configured: the embedded PostgreSQL serves as database and queue."""
        return self.sql_host is None

    @property
    def queue_kind(self) -> QueueKind:
        """What new jobs' queues are made of."""
        return self.queue or ("postgres" if self.is_local else "sqs")

    @property
    def source_location(self) -> str:
        """The archive's URL."""
        return self.source_url or f"s3://{self.source_s3_bucket}"

    @property
    def dest_location(self) -> str:
        """Where artifacts go, as a URL.

        Raises:
            SettingsError: none is set, and this is not the local world, which has a default.
        """
        if self.dest_url:
            return self.dest_url
        if self.dest_s3_bucket:
            return f"s3://{self.dest_s3_bucket}"
        if self.is_local:
            return (self.home / "artifacts").as_uri()
        raise SettingsError("BEC_DEST_S3_BUCKET is not set: name the bucket (or BEC_DEST_URL) for artifacts")

    @property
    def sslmode(self) -> str:
        """TLS to PostgreSQL: ``require`` unless the server is on this machine or it was said otherwise."""
        if self.sql_sslmode:
            return self.sql_sslmode
        local = self.sql_host in (None, "localhost", "127.0.0.1", "::1") or str(self.sql_host).startswith("/")
        return "prefer" if local else "require"


def _to_bool(value: object, _: object) -> bool:
    words = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    text = str(value).strip().lower()
    if text not in words:
        raise ValueError(f"{value!r} is neither 1 nor 0")
    return words[text]


def _to_int(value: object, _: object) -> int:
    return int(str(value))


def _to_path(value: object, _: object) -> Path:
    try:
        return Path(str(value)).expanduser()
    except RuntimeError as error:  # "~nobody" is not known here
        raise ValueError(str(error)) from None


def _to_literal(value: object, kind: Any) -> object:
    if value not in get_args(kind):
        raise ValueError(f"{value!r} is none of {', '.join(map(repr, get_args(kind)))}")
    return value


_converter = cattrs.Converter(forbid_extra_keys=True)
_converter.register_structure_hook_func(lambda kind: str(get_origin(kind)) == "typing.Literal", _to_literal)
_converter.register_structure_hook(Secret, lambda value, _: Secret(str(value)))
_converter.register_structure_hook(bool, _to_bool)
_converter.register_structure_hook(int, _to_int)
_converter.register_structure_hook(Path, _to_path)


def core_fields() -> dict[str, tuple[str, ...]]:
    """The settings' names, each with the variables that it is read from."""
    return {a.name: a.metadata["env"] for a in attrs.fields(Settings) if "env" in a.metadata}


@frozen
class PluginVariables:
    """The names that plugins read from the environment: where resources are, and settings of their own."""

    resources: frozenset[str] = frozenset()
    settings: frozenset[str] = frozenset()


_OF_OTHERS = frozenset({"BEC_JOB", "BEC_WORKER_ARGS", "BEC_FEEDER_ARGS"})
"""Names that the systemd units use."""


def load_log_place(environ: Mapping[str, str] | None = None) -> tuple[Path | None, bool]:
    """The log's file, and whether stderr is a JSON log: for last words before (or because) the settings are bad."""
    known = os.environ if environ is None else environ
    file = known.get("BEC_LOG_FILE")
    return (Path(file) if file else None, known.get("BEC_LOG_FORMAT") == "json")


def terminal_colours() -> bool:
    """Whether a terminal is to be coloured: not with ``NO_COLOR`` (https://no-color.org), nor on a dumb one."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def see_only_gpu(number: int) -> None:
    """Let this process, and those that it starts, see one GPU, numbered as nvidia-smi does; unless it was chosen."""
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", str(number))


@frozen
class Supervision:
    """What a service manager (systemd) says in the environment: where it listens, how often it must hear of us."""

    notify_socket: str | None = None
    watchdog_s: float | None = None


def load_supervision(environ: Mapping[str, str] | None = None) -> Supervision:
    """How this process is watched; a watchdog that is another process's (our parent's, say) is none of ours."""
    known = os.environ if environ is None else environ
    watched, whose = known.get("WATCHDOG_USEC", ""), known.get("WATCHDOG_PID", "")
    ours = watched.isdecimal() and int(watched) > 0 and whose in ("", str(os.getpid()))
    return Supervision(known.get("NOTIFY_SOCKET") or None, int(watched) / 1e6 if ours else None)


def load_settings(
    environ: Mapping[str, str] | None = None,
    *,
    env_file: Path | None = None,
    found: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
    of_plugins: Callable[[], PluginVariables] = PluginVariables,
    **overrides: object,
) -> Settings:
    """Read the settings; ``overrides`` (by field name, ``None`` ignored) win over the environment.

    Args:
        environ: the environment; default the process's own.
        env_file: a file that the user named; it fills what the environment does not set.
        found: where a ``.env`` may lie that nobody named; read in place of ``env_file``, with care.
        say: told which file was used, what in it was ignored, and names that BEC does not know.
        of_plugins: asked once a name is met that is not the core's.
        overrides: what the command line says.

    Raises:
        SettingsError: naming every value that is bad and everything that is missing.
    """
    set_here = dict(os.environ if environ is None else environ)
    of_plugins = cache(of_plugins)
    file = None
    if env_file:
        file = named_file(env_file)
    elif found:
        file = found_file(found, lambda name: name in of_plugins().resources)
    problems: list[str] = []
    if file:
        for line in file.notes:
            say(line)
        problems += _mixed(file, set_here, trusted=env_file is not None)
        _name_unknown(file.values, f"{file.path}: ", say, of_plugins)
    _name_unknown(set_here, "", say, of_plugins)
    known = {**(file.values if file else {}), **set_here}
    values: dict[str, object] = {}
    names = core_fields()
    for name, variables in names.items():
        for variable in variables:
            if value := known.get(variable):
                values[name] = value
                break
    values.update({name: value for name, value in overrides.items() if value is not None})
    if "home" not in values:
        values["home"] = default_home(needed=not values.get("sql_host"))
    try:
        settings = _converter.structure(values, Settings)
    except ClassValidationError as group:
        problems += [
            f"{names[error_name][0]}={values[error_name]!r}: {reason}"
            for error_name, reason in _bad_fields(group)
        ]
        raise SettingsError("settings: " + "; ".join(problems)) from None
    if settings.sql_host and not settings.sql_user:
        problems.append("BEC_SQL_HOST is set, but BEC_SQL_USER is not")
    if not settings.sql_host and (settings.sql_user or settings.sql_password):
        problems.append("BEC_SQL_USER or BEC_SQL_PASSWORD is set, but BEC_SQL_HOST is not")
    if settings.queue_kind == "sqs" and not settings.region:
        problems.append("BEC_REGION is not set, and the queues are SQS (or set BEC_QUEUE=postgres)")
    if settings.asg_name is None and (settings.asg_hook or settings.scale_in_protection):
        problems.append("BEC_ASG_HOOK or BEC_SCALE_IN_PROTECTION is set, but BEC_ASG_NAME is not")
    if problems:
        raise SettingsError("settings: " + "; ".join(problems))
    return attrs.evolve(settings, home=settings.home.absolute(), environment=known)


def setting_fields(brought: JobType | SourceType | ObserverType) -> tuple[Any, ...]:
    """The fields of a job type's, a source's or an observer's own settings."""
    return tuple(attrs.fields(attrs.resolve_types(brought.settings))) if brought.settings else ()


def plugin_settings(environment: Mapping[str, str], brought: JobType | SourceType | ObserverType) -> Any:
    """The own settings of a job type, a source or an observer, structured as its class; None if it has none.

    Raises:
        SettingsError: naming every variable that is bad or missing.
    """
    if brought.settings is None:
        return None
    values: dict[str, Any] = {}
    problems: list[str] = []
    for one in setting_fields(brought):
        variable = brought.variable(one.name)
        text = environment.get(variable)
        doc, allowed = one.metadata.get("doc", ""), one.metadata.get("allowed", "")
        if not text:
            if one.default is attrs.NOTHING:
                problems.append(f"{variable} is not set: {doc}")
            continue
        try:
            values[one.name] = value = _converter.structure(text, one.type)
            if one.validator is not None:
                one.validator(None, one, value)
        except (BaseValidationError, ValueError, TypeError) as error:
            shown = "********" if "Secret" in str(one.type) else repr(text)
            reason = (
                "; ".join(cattrs.transform_error(error, format_exception=lambda e, _: str(e)))
                if isinstance(error, BaseValidationError)
                else str(error)
            )
            problems.append(f"{variable}={shown}: {reason}" + (f" (allowed: {allowed})" if allowed else ""))
    if problems:
        raise SettingsError(f"settings of {brought.name}: " + "; ".join(problems))
    return brought.settings(**values)


_WHERE = ("BEC_SQL_HOST", "BEC_SQL_PORT", "BEC_SQL_SSLMODE")
"""What decides where a password goes, and who can read it on its way."""

_PASSWORDS = ("BEC_SQL_PASSWORD", "PGPASSWORD")
"""PostgreSQL's library reads the second by itself, where no password is given."""


def _mixed(file: EnvFile, environ: Mapping[str, str], *, trusted: bool) -> list[str]:
    """What must not be joined: a place that a found file names with a password of the environment."""
    own = file.values.get("BEC_SQL_PASSWORD")
    password = next((name for name in _PASSWORDS if environ.get(name)), None)
    if trusted or password is None or (password == "PGPASSWORD" and own):
        return []
    places = [name for name in _WHERE if file.values.get(name) and not environ.get(name)]
    if not places:
        return []
    return [
        f"{' and '.join(places)} from {file.path}, {password} from the environment: a password is not sent to a host "
        f"in the way that a file in the current folder says; set both in one place, or say --env-file {file.path}"
    ]


def _name_unknown(
    names: Mapping[str, str],
    where: str,
    say: Callable[[str], None],
    of_plugins: Callable[[], PluginVariables],
) -> None:
    """Say which names begin like ours and are not, with what may be meant."""
    known = {variable for variables in core_fields().values() for variable in variables} | _OF_OTHERS
    for name in sorted(names):
        if name.startswith("BEC_") and name not in known and not name.startswith("BEC_TEST_"):
            known |= of_plugins().resources | of_plugins().settings
            if name in known:
                continue
            near = difflib.get_close_matches(name, sorted(known), 1)
            say(f"{where}BEC knows no setting {name}" + (f"; is {near[0]} meant?" if near else ""))


def _bad_fields(group: ClassValidationError) -> list[tuple[str, str]]:
    """Each bad field's name with what is wrong with it, in words."""
    found = []
    for error in group.exceptions:
        for note in getattr(error, "__notes__", []):
            if name := getattr(note, "name", None):
                found.append((str(name), str(error)))
    return found
