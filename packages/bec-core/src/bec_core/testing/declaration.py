"""Conformance of what a plugin declares: its module, the job type's fields, the config class."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import attrs

from bec_core.admin.job_making import check_name
from bec_core.declared import shape_problems
from bec_core.errors import JobConfigError, PluginError, SettingsError
from bec_core.job import JobType
from bec_core.job_config import RuntimeConfig, structure_config
from bec_core.plugins import load_object, load_plugins
from bec_core.testing.given import given_problems

HEAVY = frozenset(
    {
        *("numpy", "scipy", "pandas", "pyarrow", "cv2", "PIL", "skimage", "matplotlib"),
        *("torch", "torchvision", "jax", "tensorflow", "onnxruntime", "transformers", "boto3", "psycopg"),
    }
)
"""What importing a plugin's module must not import: ``bec`` imports every plugin to list them."""

_MARK = "bec-imported "
_IMPORT_S = 30.0
_IMPORT = """
import importlib, json, sys
sys.path[:] = json.loads(sys.argv[1])
module = importlib.import_module(sys.argv[2])
getattr(module, "bec_job_types", list)(), getattr(module, "bec_sources", list)()
print("bec-imported " + json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def declaration_problems(job_type: JobType, plugin: str | None) -> list[str]:
    """What is wrong with the declaration, each in a sentence."""
    if problems := shape_problems(job_type):
        return problems  # what else is wrong can't be told before these are right
    return [
        *_import_problems(job_type, plugin),
        *_word_problems(job_type),
        *_config_problems(job_type),
        *given_problems(job_type),
        *_path_problems(job_type),
    ]


def _import_problems(job_type: JobType, plugin: str | None) -> Iterator[str]:
    module = plugin or _module_of(job_type)
    if module is None:
        yield (
            f"no installed entry point of group 'bec' brings {job_type.name!r}: install the plugin"
            " (pip install -e .), or say which module it is: plugin='package.module'"
        )
        return
    yield from import_problems(module)


def import_problems(module: str) -> Iterator[str]:
    """What is wrong with importing a plugin's module and asking for what it brings; in a process of its own."""
    command = [sys.executable, "-c", _IMPORT, json.dumps(sys.path), module]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_IMPORT_S, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        yield f"importing {module} did not end within {_IMPORT_S:.0f} s"
        return
    printed, mark, last = ended.stdout.rpartition(_MARK)
    if ended.returncode or not mark:
        why = (ended.stderr.strip().splitlines() or [f"it ended the process with status {ended.returncode}"])[
            -1
        ]
        yield f"{module} can't be imported: {why}"
        return
    if printed:
        yield f"importing {module} prints {printed[:60]!r}: commands that print JSON import it too"
    if heavy := HEAVY & set(json.loads(last)):
        yield f"importing {module} imports {', '.join(sorted(heavy))}: leave that to the worker's module"


def _module_of(job_type: JobType) -> str | None:
    """The module of the installed plugin that brings the job type."""
    plugins = load_plugins()
    for plugin in plugins.loaded:
        if job_type.name in {one.name for one in plugin.job_types}:
            module = plugins.manager.get_plugin(f"{plugin.distribution}:{plugin.name}")
            return str(getattr(module, "__name__", "")) or None
    return None


def _word_problems(job_type: JobType) -> Iterator[str]:
    try:
        check_name(job_type.name)
    except SettingsError as error:
        yield str(error)
    if not job_type.version.strip():
        yield "the version is empty; it is kept with every task"
    if not job_type.summary.strip() or "\n" in job_type.summary:
        yield "the summary must be one line, for listings"
    names = [one.name for one in job_type.inputs]
    if len(set(names)) < len(names):
        yield f"two of its inputs have one name: {', '.join(names)}"
    for one in job_type.inputs:
        if one.takes(job_type):
            yield f"its input {one.name!r} could be bound to a job of its own type"
        for suffix in one.artifacts:
            if not suffix.startswith((".", "-")):
                yield f"its input {one.name!r} wants {suffix!r}: a suffix begins with '.' or '-' ('.parquet')"


def _config_problems(job_type: JobType) -> Iterator[str]:
    reserved = {attribute.name for attribute in attrs.fields(RuntimeConfig)}
    for attribute in attrs.fields(job_type.config):
        where = f"the config's field {attribute.name!r}"
        if attribute.default is attrs.NOTHING:
            yield f"{where} has no default: a job may say nothing of it"
        if not attribute.metadata.get("doc"):
            yield f"{where} does not say what it means: use option(default, doc)"
        if attribute.type is None:
            yield f"{where} has no type"
        if attribute.name in reserved:
            yield f"{where} is the runtime's; choose another name"
    try:
        defaults, _ = structure_config({}, job_type.config)
        said = json.loads(json.dumps(attrs.asdict(defaults)))
        if structure_config(said, job_type.config)[0] != defaults:
            yield "the config's defaults, written as JSON and read again, are others"
    except JobConfigError as error:
        yield f"the config's own defaults are refused: {error}"
    except Exception as error:  # noqa: BLE001 - a validator or a default's factory may raise anything
        yield f"the config's defaults can't be made, or are no JSON: {type(error).__name__}: {error}"


def _path_problems(job_type: JobType) -> Iterator[str]:
    for what in ("worker", "report", "compare", "figures", "truth"):
        path: str | None = getattr(job_type, what)
        if path is None:
            continue
        try:
            if not callable(load_object(path)):
                yield f"its {what} {path} can't be called"
        except PluginError as error:
            yield f"its {what}: {error}"
