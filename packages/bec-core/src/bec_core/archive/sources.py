"""The one place that knows, of a volume or of what a person names, which source it is of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import evolve

from bec_core.archive.folders import Found, LocalFolder, find_volumes
from bec_core.builtin import BENCHMARK_SOURCE, FOLDERS
from bec_core.errors import BecError, InvalidMessage, PluginError, SettingsError
from bec_core.models import DEFAULT_SOURCE, FOLDER_SOURCE, Page, PageData, Volume, VolumeRef
from bec_core.plugins import load_object
from bec_core.settings import Settings, plugin_settings
from bec_core.source import Listable, Source, SourceSetup, SourceType, WithPageEtags, file_volume
from bec_core.storage import S3Options, open_store


class Sources:
    """All sources by name, each opened when first needed.

    Args:
        types: the sources that there are.
        open_source: opens one.
        own_runs: whether this is a person's own machine: then a volume may be of any source, else only of those that a
            message may name.
    """

    def __init__(
        self, types: Iterable[SourceType], open_source: Callable[[SourceType], Source], *, own_runs: bool
    ) -> None:
        self._types = {one.name: one for one in types}
        self._open_source = open_source
        self._own_runs = own_runs
        self._lock = threading.Lock()
        self._open: dict[str, Source] = {}

    def resolve(self, ref: VolumeRef) -> Volume:
        """See :meth:`~bec_core.source.Source.resolve`; an unknown source is an InvalidMessage."""
        return self._source_of(ref).resolve(ref)

    def read_page(self, volume: Volume, page: Page) -> PageData:
        """See :meth:`~bec_core.source.Source.read_page`."""
        return self._source_of(volume.ref).read_page(volume, page)

    def page_etags(self, volume: Volume) -> Mapping[str, str] | None:
        """See :meth:`~bec_core.source.WithPageEtags.page_etags`; None: the volume's source can't tell them."""
        source = self._source_of(volume.ref)
        return source.page_etags(volume) if isinstance(source, WithPageEtags) else None

    def find(
        self, place: str, *, source: str | None = None, i_version: str | None = None, skip: Path | None = None
    ) -> Found:
        """The volumes that a person means by ``place``.

        Args:
            place: what the source takes: ids, a URL, a path.
            source: the source's name; None: a folder on this machine (each folder of images in it, and each file that
                some source takes), such a file, or a place whose beginning some source declares.
            i_version: the version's name of those that ``place`` gives none.
            skip: a folder that is not searched.

        Raises:
            SettingsError: no source takes it, or several do; or there is no volume; or none that may be named here.
            PluginError: the source failed.
        """
        path = Path(place)
        if source is None and path.is_dir():
            found = find_volumes(path, skip=skip, files=self._by_ending())
        elif source is None and path.is_file():
            found = Found((file_volume(self._name_for_file(path), path),))
        else:
            name = source if source is not None else self._name_for_place(place)
            found = Found(tuple(self._find(name, place)))
        if barred := [ref.source_name for ref in found.volumes if not self._may_be_named(ref.source_name)]:
            raise SettingsError(
                f"volumes of the source {barred[0]} can't be asked for here: no message may name them, only a person's"
                " own runs (bec run, without BEC_SQL_HOST)"
            )
        if i_version is None:
            return found
        return evolve(
            found, volumes=tuple(evolve(ref, i_version=ref.i_version or i_version) for ref in found.volumes)
        )

    def _find(self, name: str, place: str) -> list[VolumeRef]:
        with _named(name, f"on {place[:200]!r}"):
            found = list(self.opened(name).find(place))
        if odd := [ref for ref in found if ref.source_name != name]:
            raise PluginError(f"the source {name} found {odd[0]} as one of {odd[0].source[:200]!r}")
        if not found:
            raise SettingsError(f"the source {name} finds no volume in {place[:200]!r}")
        return found

    def _by_ending(self) -> Mapping[str, str]:
        """Which source takes files of which ending, in small letters; those that several take are left out."""
        taken = [(ending.lower(), one.name) for one in self._types.values() for ending in one.endings]
        endings = [ending for ending, _ in taken]
        return {ending: name for ending, name in taken if endings.count(ending) == 1}

    def _name_for_file(self, path: Path) -> str:
        ending = path.suffix.lower()
        claiming = [
            one.name
            for one in self._types.values()
            if ending in {taken.lower() for taken in one.endings} and ending
        ]
        if not claiming:
            known = ", ".join(sorted(self._by_ending())) or "none"
            raise SettingsError(
                f"{path} is a file of which no source makes a volume (endings that one does: {known})"
            )
        return self._only(claiming, str(path))

    def _name_for_place(self, place: str) -> str:
        claiming = [
            one.name
            for one in self._types.values()
            if any(place.lower().startswith(prefix.lower()) for prefix in one.prefixes)
        ]
        if not claiming:
            raise SettingsError(f"{place} is not a folder, and no source takes it (known: {self._known()})")
        return self._only(claiming, place)

    @staticmethod
    def _only(claiming: list[str], place: str) -> str:
        if len(claiming) > 1:
            raise SettingsError(f"the sources {' and '.join(claiming)} both take {place}: say --source NAME")
        return claiming[0]

    def _source_of(self, ref: VolumeRef) -> Source:
        name = ref.source_name
        found = self._types.get(name)
        if found is None:
            raise InvalidMessage(f"{ref}: there is no source {ref.source[:200]!r} (known: {self._known()})")
        if not self._may_be_named(name):
            what = "folders of this machine are" if name == FOLDER_SOURCE else f"{name} is"
            raise InvalidMessage(f"{ref}: {what} not a source here: {ref.source[:200]!r}")
        return self.opened(name)

    def _may_be_named(self, name: str) -> bool:
        return self._own_runs or self._types[name].in_messages

    def opened(self, name: str) -> Source:
        """The source of this name, opened if it was not.

        Raises:
            SettingsError: there is no such source.
            BecError: its factory can't be had, or its settings are bad; what the factory raises is passed on.
        """
        if name not in self._types:
            raise SettingsError(f"there is no source {name!r} (known: {self._known()})")
        with self._lock:
            if name not in self._open:
                self._open[name] = self._open_source(self._types[name])
            return self._open[name]

    def make_ready(self, name: str) -> None:
        """Open the source of this name: what is in its way is no fault of the many places that it is to find.

        Raises:
            SettingsError: there is no such source, or its settings are bad.
            PluginError: its factory failed.
        """
        with _named(name, "when it was opened"):
            self.opened(name)

    def listable(self, name: str) -> Listable:
        """The source of this name, if all its volumes can be listed.

        Raises:
            SettingsError: there is no such source, or it can't be.
        """
        opened: Any = self.opened(name)
        if not (hasattr(opened, "parts") and hasattr(opened, "list_part")):
            raise SettingsError(f"the source {name} can't be listed: name its volumes (--file, --volume)")
        return opened  # type: ignore[no-any-return]  # what a plugin's source gives, its author vouches for

    def _known(self) -> str:
        return ", ".join(sorted(self._types))


@contextmanager
def _named(name: str, when: str) -> Iterator[None]:
    """Say of what a plugin's source raises whose it is."""
    try:
        yield
    except BecError:
        raise
    except Exception as error:
        raise PluginError(f"the source {name} failed {when}: {type(error).__name__}: {error}") from error


def open_sources(
    types: Iterable[SourceType],
    settings: Settings,
    *,
    s3: S3Options | None = None,
    own_runs: bool | None = None,
) -> Sources:
    """The sources of these types, opened as the settings say; ``own_runs``: see :class:`Sources`, default: by them."""

    def open_source(one: SourceType) -> Source:
        setup = SourceSetup(
            name=one.name,
            cache=settings.home / "sources" / one.name,
            settings=plugin_settings(settings.environment, one),
            locations={
                DEFAULT_SOURCE: settings.source_location,
                BENCHMARK_SOURCE: f"s3://{settings.ocr_benchmark_s3_bucket}",
            },
            open_store=lambda url: open_store(url, s3=s3),
        )
        opened: Any = load_object(one.opener)(setup)
        return opened  # type: ignore[no-any-return]  # what a plugin's factory gives, its author vouches for

    return Sources(types, open_source, own_runs=settings.is_local if own_runs is None else own_runs)


def folder_sources() -> Sources:
    """Folders of this machine alone."""
    return Sources([FOLDERS], lambda _: LocalFolder(), own_runs=True)
