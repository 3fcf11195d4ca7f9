"""Which truth is of which page: by the image's name, and by the volume where folders name it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import IntEnum

from bec_core import Page, VolumeRef
from bec_ocreval.errors import TruthError
from bec_ocreval.truth.values import TruthPage, image_names, stem_of

_VOLUME = re.compile(r"(?P<work>W\d\w*)-(?P<volume>I?\d\w*)(?:-\w+)?")
_WORK, _BOOK = re.compile(r"W\d\w*"), re.compile(r"I\d\w*")


class _Place(IntEnum):
    """How a truth's folders stand to a volume; of several truths the highest place is taken."""

    ELSEWHERE = 0
    ANYWHERE = 1
    HERE = 2


class Truth:
    """All the ground truth that there is, to be asked for a volume's pages."""

    def __init__(self, pages: Iterable[TruthPage]) -> None:
        self._by_image: defaultdict[str, list[TruthPage]] = defaultdict(list)
        self._by_stem: defaultdict[str, list[TruthPage]] = defaultdict(list)
        for page in pages:
            for image in page.images:
                self._by_image[image].append(page)
            for stem in page.stems:
                self._by_stem[stem].append(page)

    def of(self, volume: VolumeRef, pages: Sequence[Page]) -> dict[int, TruthPage]:
        """The truths of a volume's pages, by the pages' index; a page that has none is not in it.

        Whole file names go before stems: the truth of ``7.jpg`` is not that of ``7.tif`` beside it.

        Raises:
            TruthError: several truths may be a page's, or one may be several pages'; the message names them.
        """
        found: dict[int, TruthPage] = {}
        taken: dict[int, Page] = {}
        for exact in (True, False):
            of_whole_names = frozenset(taken)
            for page in pages:
                if page.index in found:
                    continue
                _, name = image_names(page.filename)
                known = self._by_image.get(name, ()) if exact else self._by_stem.get(stem_of(name), ())
                truth = _only(volume, page, [truth for truth in known if id(truth) not in of_whole_names])
                if truth is None:
                    continue
                other = taken.setdefault(id(truth), page)
                if other is not page:
                    names = f"{other.filename} and of {page.filename}"
                    raise TruthError(f"{truth.source} may be the truth of {names}; let it name its image")
                found[page.index] = truth
        return found


def _only(volume: VolumeRef, page: Page, candidates: Sequence[TruthPage]) -> TruthPage | None:
    """The one that is kept with the volume, else the one that is kept with none.

    Raises:
        TruthError: there are several.
    """
    places = [(_place(truth.folders, volume), truth) for truth in candidates]
    best = max((place for place, _ in places), default=_Place.ELSEWHERE)
    if best is _Place.ELSEWHERE:
        return None
    fitting = [truth for place, truth in places if place is best]
    if len(fitting) > 1:
        sources = " and ".join(sorted(truth.source for truth in fitting)[:3])
        raise TruthError(
            f"{page.filename} of {volume}: {sources} may each be its truth; keep one, or each volume's in a folder W/I"
        )
    return fitting[0]


def _place(folders: Sequence[str], volume: VolumeRef) -> _Place:
    """Where a truth is kept: in this volume's folder, in another's, or anywhere.

    A volume's folder is called ``I``, ``W-I`` (also as the archive shortens it, or with a version behind),
    or as the path that gave the volume of a person's own folders its name.
    """
    work, book = volume.w_id, volume.i_id
    short = book[1:] if re.fullmatch(r"I\d{4}", book) else book
    here = False
    for folder in folders:
        named = _VOLUME.fullmatch(folder)
        if (
            folder == book
            or folder in (f"{work}-{book}", f"{work}-{short}")
            or folder.startswith(f"{work}-{book}-")
        ):
            here = True
        elif folder == work:
            continue
        elif named or _WORK.fullmatch(folder) or _BOOK.fullmatch(folder):
            return _Place.ELSEWHERE
    joined = [
        "--".join(folders[start:end])
        for start in range(len(folders))
        for end in range(start + 2, len(folders) + 1)
    ]
    return _Place.HERE if here or book in joined else _Place.ANYWHERE
