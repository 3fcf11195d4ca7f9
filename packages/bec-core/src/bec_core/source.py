"""What the author of a source of pages writes against: its type, what it is opened with, and what it then does.

A source turns a volume's reference into pages and their bytes. The built-in ones (the archive, flat versioned folders,
folders of this machine) are declared in the same way, in :mod:`bec_core.builtin`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from attrs import field, frozen

from bec_core.errors import InvalidMessage, SettingsError
from bec_core.models import Page, PageData, Volume, VolumeRef, check_id

_ID_LENGTH = 128


class Source(Protocol):
    """Gives volumes and their pages; opened once in a process, used from many threads."""

    def find(self, place: str) -> Sequence[VolumeRef]:
        """The volumes that a person means by ``place``: what ``bec run`` and ``--volume`` are given.

        Their ids must be such as :func:`~bec_core.models.check_id` takes and the same every time
        (:func:`stable_id` makes one of any text); where a volume is more than its ids say, its ``source`` tells
        the rest: ``NAME:…``.

        Raises:
            SettingsError: it is no place of this source, or there is no volume in it.
            ServiceError: what must be asked does not answer.
        """
        ...

    def resolve(self, ref: VolumeRef) -> Volume:
        """The volume as it is now. It may have no pages.

        Raises:
            InvalidMessage: ``ref`` can't name a volume of this source.
            ManifestMissing: there is no such volume.
            ManifestInvalid: it is there, but what lists its pages is not what it should be.
            StorageError: what must be asked does not answer (to be tried again).
        """
        ...

    def read_page(self, volume: Volume, page: Page) -> PageData:
        """A page's bytes: those of one image.

        Raises:
            PageError: of stage ``fetch``; retryable if the store failed, not if the page is missing.
        """
        ...


@runtime_checkable
class WithPageEtags(Protocol):
    """What a source has besides if it can tell cheaply which bytes its pages have: then its volumes can be resumed."""

    def page_etags(self, volume: Volume) -> Mapping[str, str]:
        """The present etag of each page by its file name, as :meth:`Source.read_page` would give it; in few requests.

        Raises:
            StorageError: what must be asked does not answer.
        """
        ...


@frozen
class ListedVolume:
    """A volume as a listing shows it; ``etag`` None: the listing does not tell its version."""

    ref: VolumeRef
    etag: bytes | None


class Listable(Protocol):
    """What a source has besides, if all its volumes can be listed: part after part, so that a walk can go on."""

    def parts(self) -> Sequence[str]:
        """The parts, in an order that stays the same."""
        ...

    def list_part(self, part: str) -> Sequence[ListedVolume]:
        """The volumes of a part.

        Raises:
            StorageError: what must be asked does not answer.
        """
        ...


@frozen
class SourceType:
    """A kind of place where volumes come from, as a plugin declares it.

    Attributes:
        name: a word of small letters, digits and ``_``: what ``--source`` takes. A volume's ``source`` is this name,
            or ``NAME:`` and what tells the volume (``iiif:https://…``); in both cases it is this source's.
        opener: import path ``package.module:factory`` of what makes a :class:`Source` of a :class:`SourceSetup`;
            imported and called when a volume first needs it.
        summary: one line for listings.
        in_messages: whether a queue's message may name its volumes. Where not, only a person's own runs on one machine
            do: a stranger's message must not make a worker in the cloud read its machine's files or network.
        endings: endings of files on this machine each of which is a volume (``(".pdf",)``): wherever such a file
            lies in a folder that is run, or is run itself, its ``source`` is ``NAME:file:///…`` and ``find`` is not
            asked. Such files are this machine's, so it can't be ``in_messages``.
        prefixes: how the places begin that ``find`` takes, where no ``--source`` says so (``("https://",)``).
        settings: an attrs class of what the environment may say to it, as ``BEC_{NAME}_{FIELD}``; or None.
    """

    name: str
    opener: str
    summary: str
    in_messages: bool = field(kw_only=True)
    endings: tuple[str, ...] = field(kw_only=True, default=())
    prefixes: tuple[str, ...] = field(kw_only=True, default=())
    settings: type[Any] | None = field(kw_only=True, default=None)

    def variable(self, name: str) -> str:
        """The environment's variable of the field ``name`` of ``settings``."""
        return f"BEC_{self.name}_{name}".upper()


@frozen
class SourceSetup:
    """What a source is opened with.

    Attributes:
        name: the source type's name.
        settings: its own settings, structured as its ``settings`` class; None without one.
        cache: a folder of its own under ``BEC_HOME``, for what it wants to keep; not made yet.
        locations: where BEC's own settings say that stores are (``bdrc``, ``ocr_benchmark``), as URLs by source.
        open_store: opens a store by its URL (``s3://…``, ``file:///…``), as the settings say how.
    """

    name: str
    cache: Path
    settings: Any = None
    locations: Mapping[str, str] = field(factory=dict)
    open_store: Callable[[str], Any] = field(default=None, repr=False)


def stable_id(text: str) -> str:
    """``text`` if it can be an id (of half the length that one may have), else what is left of it with a hash of it."""
    kept = re.sub(r"[^A-Za-z0-9._-]+", "-", text)
    kept = re.sub(r"([.-])\1+", r"\1", kept).strip("._-")
    if kept == text and len(kept) <= _ID_LENGTH // 2:
        return kept
    return f"{kept[: _ID_LENGTH // 2].rstrip('._-') or 'folder'}-{short_hash(text)}"


def id_of_parts(parts: Sequence[str]) -> str:
    """One id of several names, such as a path's: each as :func:`stable_id` has it, with ``--`` between."""
    joined = "--".join(stable_id(part) for part in parts)
    if len(joined) > _ID_LENGTH:
        digest = short_hash("/".join(parts))
        joined = f"{joined[: _ID_LENGTH - len(digest) - 1]}-{digest}"
    return joined


def short_hash(text: str) -> str:
    """Eight hex digits that tell ``text`` from others."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def file_volume(source: str, path: Path, *, w_id: str | None = None, i_id: str | None = None) -> VolumeRef:
    """The volume that a file on this machine is, of the source type named ``source``; default ids: the file's name."""
    own = stable_id(path.stem)
    return VolumeRef(w_id or own, i_id or own, f"{source}:{path.resolve().as_uri()}")


def volume_by_ids(text: str, source: str) -> VolumeRef:
    """One volume by its ids with a comma, blanks or a slash between, then (optionally) its version's name; ids have no
    ``#``, so it begins a comment.

    Raises:
        SettingsError: it is not one.
    """
    parts = [part for part in re.split(r"[\s,;/]+", text.partition("#")[0].strip()) if part]
    if len(parts) not in (2, 3):
        raise SettingsError(f"{text.strip()[:100]!r} is not a volume: write W_ID,I_ID")
    try:
        w_id, i_id = check_id(parts[0], "W_ID"), check_id(parts[1], "I_ID")
        return VolumeRef(w_id, i_id, source, check_id(parts[2], "version") if len(parts) == 3 else None)
    except InvalidMessage as error:
        raise SettingsError(str(error)) from None
