"""Finding and loading plugins: entry points of group ``bec``, loaded one by one.

A plugin that fails to import is reported with its distribution's name and takes nothing else down;
with ``strict`` it is fatal. Two plugins that claim one job name are an error.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy
from attrs import field, frozen
from loguru import logger

from bec_core import hookspecs
from bec_core.errors import PluginError
from bec_core.job import JobType

ENTRY_POINT_GROUP = "bec"


@frozen
class Plugin:
    """A loaded plugin: its entry point's name, its distribution, and the job types it brings."""

    name: str
    distribution: str
    version: str
    job_types: tuple[JobType, ...]


@frozen
class BrokenPlugin:
    """A plugin that could not be loaded, and why."""

    name: str
    distribution: str
    reason: str


@frozen
class Plugins:
    """All plugins of this environment."""

    manager: pluggy.PluginManager = field(repr=False)
    loaded: tuple[Plugin, ...]
    broken: tuple[BrokenPlugin, ...]

    @cached_property
    def job_types(self) -> Mapping[str, JobType]:
        """The job types by name."""
        return {job_type.name: job_type for plugin in self.loaded for job_type in plugin.job_types}

    def job_type(self, name: str) -> JobType:
        """The job type of exactly this name.

        Raises:
            PluginError: no plugin brings it; the message says what there is and what is broken.
        """
        if found := self.job_types.get(name):
            return found
        known = ", ".join(sorted(self.job_types)) or "none"
        message = f"no plugin brings the job type {name!r} (installed: {known}); try: pip install bec-{name}"
        for broken in self.broken:
            message += f"; {broken.distribution} could not be loaded: {broken.reason}"
        raise PluginError(message)


def load_plugins(
    *, strict: bool = False, found: Iterable[EntryPoint] | None = None, quiet: bool = False
) -> Plugins:
    """Load every plugin of this environment.

    Args:
        strict: raise for a plugin that fails to load, instead of leaving it out with a warning.
        found: the entry points; default those of group ``bec`` of all installed distributions.
        quiet: without a word of what fails to load: somebody else says it.

    Raises:
        PluginError: two plugins claim one job name; or, if ``strict``, one fails to load.
    """
    manager = pluggy.PluginManager("bec")
    manager.add_hookspecs(hookspecs)
    loaded: list[Plugin] = []
    broken: list[BrokenPlugin] = []
    points = entry_points(group=ENTRY_POINT_GROUP) if found is None else found
    for point in sorted(points, key=lambda p: p.name):
        distribution = point.dist.name if point.dist else point.value
        version = point.dist.version if point.dist else "unknown"
        try:
            loaded.append(_load(manager, point, distribution, version))
        except (Exception, SystemExit, GeneratorExit) as error:  # sys.exit() at its top is its fault too
            reason = f"{type(error).__name__}: {error}"
            if strict:
                raise PluginError(
                    f"plugin {point.name} of {distribution} can't be loaded: {reason}"
                ) from error
            if not quiet:
                logger.warning("plugin {} of {} can't be loaded: {}", point.name, distribution, reason)
            broken.append(BrokenPlugin(point.name, distribution, reason))
    _refuse_claims_of_one_name(loaded)
    return Plugins(manager, tuple(loaded), tuple(broken))


def _load(manager: pluggy.PluginManager, point: EntryPoint, distribution: str, version: str) -> Plugin:
    module = point.load()
    manager.register(module, name=f"{distribution}:{point.name}")
    try:
        manager.check_pending()
        hooks = manager.subset_hook_caller(
            "bec_job_types", [other for other in manager.get_plugins() if other is not module]
        )
        job_types = [job_type for result in hooks() for job_type in result]
        for job_type in job_types:
            if not isinstance(job_type, JobType):
                raise PluginError(f"bec_job_types returned {job_type!r}, not a JobType")
    except BaseException:
        manager.unregister(module)
        raise
    return Plugin(point.name, distribution, version, tuple(job_types))


def _refuse_claims_of_one_name(plugins: Iterable[Plugin]) -> None:
    owners: dict[str, Plugin] = {}
    for plugin in plugins:
        for job_type in plugin.job_types:
            if other := owners.get(job_type.name):
                raise PluginError(
                    f"{other.distribution} and {plugin.distribution} both bring the job type "
                    f"{job_type.name!r}; uninstall one of them"
                )
            owners[job_type.name] = plugin


def load_object(path: str) -> Any:
    """Import ``package.module:name``.

    Raises:
        PluginError: the module can't be imported or lacks the name.
    """
    module_name, _, attribute = path.partition(":")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (Exception, SystemExit, GeneratorExit) as error:
        raise PluginError(f"{path} can't be imported: {type(error).__name__}: {error}") from error
