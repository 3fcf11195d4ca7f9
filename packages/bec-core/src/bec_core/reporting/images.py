"""Volumes of page images on this machine, for what is made of results later: line images, PDF files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from attrs import field, frozen

from bec_core.errors import BecError
from bec_core.models import Page, Volume


@frozen
class ImageVolume:
    """The page images of a folder, or of a file that some source makes a volume of.

    Attributes:
        place: the folder or file.
        names: the pages' names.
        read: gives a page's bytes by its name. Raises PageError.
    """

    place: Path
    names: frozenset[str]
    read: Callable[[str], bytes] = field(repr=False)


def image_volumes(below: Path) -> tuple[list[ImageVolume], list[str]]:
    """Every volume at or below a folder, or the one that a file is, as ``bec run`` finds them.

    Returns:
        The volumes, in natural order of their paths, and a sentence for each that can't be read.

    Raises:
        SettingsError: there is no such place, or no source makes a volume of it.
    """
    from bec_core.archive import open_sources
    from bec_core.plugins import load_plugins
    from bec_core.settings import load_settings
    from bec_core.storage import folder_of_url

    settings = load_settings()
    plugins = load_plugins(strict=settings.strict_plugins)
    sources = open_sources(plugins.source_types.values(), settings, own_runs=True)

    def read(volume: Volume, name: str) -> bytes:
        page = next((page for page in volume.pages if page.filename == name), Page(0, name))
        return sources.read_page(volume, page).data

    found, problems = [], []
    for ref in sources.find(str(below)).volumes:
        try:
            volume = sources.resolve(ref)
        except BecError as error:
            problems.append(str(error))
            continue
        place = folder_of_url(ref.source[ref.source.index("file:") :])
        names = frozenset(page.filename for page in volume.pages)
        found.append(ImageVolume(place, names, partial(read, volume)))
    return found, problems
