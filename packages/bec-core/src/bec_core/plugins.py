"""Finding and loading plugins: entry points of group ``bec``, loaded one by one.

A plugin that fails to import, or whose job types, sources or observers are none, is reported with its distribution's
name and takes nothing else down; with ``strict`` it is fatal. Two plugins that claim one name are both left out: nobody
can say whose it would be. Only what the core brings itself (:mod:`bec_core.builtin`) stays.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points, version
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy
from attrs import field, frozen
from loguru import logger

from bec_core import hookspecs
from bec_core.declared import shape_problems
from bec_core.errors import PluginError
from bec_core.job import JobType
from bec_core.observer import ObserverType
from bec_core.source import SourceType
from bec_core.words import meant, named

if TYPE_CHECKING:
    import click

ENTRY_POINT_GROUP = "bec"

Kind = TypeVar("Kind", JobType, SourceType, ObserverType)

_OURS = "bec-core"
_BUILT_IN = EntryPoint("builtin", "bec_core.builtin", ENTRY_POINT_GROUP)


@frozen
class Plugin:
    """A loaded plugin: its entry point's name, its distribution, and the job types, sources and observers it brings."""

    name: str
    distribution: str
    version: str
    job_types: tuple[JobType, ...]
    source_types: tuple[SourceType, ...] = ()
    observer_types: tuple[ObserverType, ...] = ()


@frozen
class BrokenPlugin:
    """A plugin that could not be loaded, and why."""

    name: str
    distribution: str
    reason: str
    version: str = "unknown"


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

    @cached_property
    def source_types(self) -> Mapping[str, SourceType]:
        """The sources by name, the built-in ones too."""
        return {source.name: source for plugin in self.loaded for source in plugin.source_types}

    @cached_property
    def observer_types(self) -> Mapping[str, ObserverType]:
        """The observers by name, the built-in ones too."""
        return {observer.name: observer for plugin in self.loaded for observer in plugin.observer_types}

    def module_of(self, plugin: Plugin) -> str:
        """The import path of a plugin's module."""
        module: Any = self.manager.get_plugin(_registered(plugin.distribution, plugin.name))
        return str(module.__name__)

    def commands_of(self, plugin: Plugin, group: click.Group) -> None:
        """Let one plugin add its commands to ``group``.

        Raises:
            PluginError: its hook failed.
        """
        module = self.manager.get_plugin(_registered(plugin.distribution, plugin.name))
        try:
            _hook_of(self.manager, "bec_commands", module)(cli=group)
        except (Exception, SystemExit, GeneratorExit) as error:
            raise PluginError(
                f"the commands of {plugin.distribution} can't be had: {type(error).__name__}: {error}"
            ) from error

    def job_type(self, name: str) -> JobType:
        """The job type of exactly this name.

        Raises:
            PluginError: no plugin brings it; the message says what there is and what is broken.
        """
        if found := self.job_types.get(name):
            return found
        known = sorted(self.job_types)
        # no package to install is named: the name may come from data, and anybody can give a package a name
        message = f"no plugin brings the job type {name!r} (installed: {named(known)}){meant(name, known)}"
        for broken in self.broken:
            message += f"; {broken.distribution} could not be loaded: {broken.reason}"
        raise PluginError(message)


def load_plugins(
    *, strict: bool = False, found: Iterable[EntryPoint] | None = None, quiet: bool = False
) -> Plugins:
    """Load every plugin of this environment.

    Args:
        strict: raise for a plugin that fails to load, instead of leaving it out with a warning.
        found: the entry points beside the built-in one; default those of group ``bec`` of all installed
            distributions.
        quiet: without a word of what fails to load: somebody else says it.

    Raises:
        PluginError: ``strict``, and a plugin fails to load, or two claim one job type or source.
    """
    manager = pluggy.PluginManager("bec")
    manager.add_hookspecs(hookspecs)
    loaded: list[Plugin] = [_load(manager, _BUILT_IN, _OURS, version(_OURS))]
    broken: list[BrokenPlugin] = []
    points = entry_points(group=ENTRY_POINT_GROUP) if found is None else found
    for point in sorted(points, key=lambda p: p.name):
        distribution = point.dist.name if point.dist else point.value
        its_version = point.dist.version if point.dist else "unknown"
        try:
            loaded.append(_load(manager, point, distribution, its_version))
        except (Exception, SystemExit, GeneratorExit) as error:  # sys.exit() at its top is its fault too
            reason = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
            if strict:
                raise PluginError(
                    f"plugin {point.name} of {distribution} can't be loaded: {reason}"
                ) from error
            broken.append(BrokenPlugin(point.name, distribution, reason, its_version))
    for plugin, reason in _claims_of_one_name(loaded):
        if strict:
            raise PluginError(f"plugin {plugin.name} of {plugin.distribution} can't be loaded: {reason}")
        loaded.remove(plugin)
        manager.unregister(name=_registered(plugin.distribution, plugin.name))
        broken.append(BrokenPlugin(plugin.name, plugin.distribution, reason, plugin.version))
    for one in () if quiet else broken:
        logger.warning("plugin {} of {} can't be loaded: {}", one.name, one.distribution, one.reason)
    return Plugins(manager, tuple(loaded), tuple(broken))


def _registered(distribution: str, name: str) -> str:
    """The name under which the manager knows a plugin's module."""
    return f"{distribution}:{name}"


def _load(manager: pluggy.PluginManager, point: EntryPoint, distribution: str, version: str) -> Plugin:
    module = point.load()
    manager.register(module, name=_registered(distribution, point.name))
    try:
        manager.check_pending()
        job_types = _returned(manager, module, "bec_job_types", JobType, "job type")
        source_types = _returned(manager, module, "bec_sources", SourceType, "source")
        observer_types = _returned(manager, module, "bec_observers", ObserverType, "observer")
    except BaseException:
        manager.unregister(module)
        raise
    return Plugin(point.name, distribution, version, job_types, source_types, observer_types)


def _returned(
    manager: pluggy.PluginManager, module: Any, hook: str, kind: type[Kind], what: str
) -> tuple[Kind, ...]:
    """What a plugin's hook returned; each is looked at.

    Raises:
        PluginError: it is something else than the hook is to return, or is ill declared.
    """
    found = [one for result in _hook_of(manager, hook, module)() for one in result]
    for one in found:
        if not isinstance(one, kind):
            raise PluginError(f"{hook} returned {one!r}, not a {kind.__name__}")
        if problems := shape_problems(one):
            raise PluginError(f"the {what} {one.name!r}: {'; '.join(problems)}")
    return tuple(found)


def _hook_of(manager: pluggy.PluginManager, hook: str, module: Any) -> pluggy.HookCaller:
    """A hook of one plugin alone."""
    return manager.subset_hook_caller(hook, [one for one in manager.get_plugins() if one is not module])


def _claims_of_one_name(plugins: Iterable[Plugin]) -> list[tuple[Plugin, str]]:
    """The plugins that bring what another one (or they themselves, twice) brings too, and the reason."""
    owners: dict[tuple[str, str, str], list[Plugin]] = {}
    for plugin in plugins:
        for job_type in plugin.job_types:
            owners.setdefault(("job type", "bec_job_types", job_type.name), []).append(plugin)
        for source in plugin.source_types:
            owners.setdefault(("source", "bec_sources", source.name), []).append(plugin)
        for observer in plugin.observer_types:
            owners.setdefault(("observer", "bec_observers", observer.name), []).append(plugin)
    found: dict[int, tuple[Plugin, str]] = {}
    for (what, hook, name), claiming in owners.items():
        if len(claiming) > 1:
            who = " and ".join(plugin.distribution for plugin in claiming)
            for plugin in claiming:
                reason = f"{who} both bring the {what} {name!r}; uninstall one of them"
                if all(one is plugin for one in claiming):
                    reason = f"{hook} returned two {what}s {name!r}"
                if plugin.name != _BUILT_IN.name or plugin.distribution != _OURS:
                    found.setdefault(id(plugin), (plugin, reason))
    return list(found.values())


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
