"""Comparing what a marker lists with what lies there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from attrs import frozen

from bec_core.artifacts.marker import Marker
from bec_core.artifacts.place import TaskFolder
from bec_core.errors import ObjectNotFound
from bec_core.storage import Store


@frozen
class Damage:
    """A file that is not what its marker says: missing, or another one (``detail`` says how it differs)."""

    name: str
    missing: bool
    detail: str


def damage_of(store: Store, prefix: str, marker: Marker) -> Iterator[Damage]:
    """What is wrong with the files below ``prefix`` that a marker lists; markers of older programs list none."""
    for listed in marker.artifacts:
        size, digest = 0, hashlib.sha256()
        try:
            for piece in store.chunks(prefix + listed.name):
                size += len(piece)
                digest.update(piece)
        except ObjectNotFound:
            yield Damage(listed.name, missing=True, detail="it is not there")
            continue
        if size != listed.size:
            yield Damage(listed.name, False, f"{size} bytes in place of {listed.size}")
        elif digest.hexdigest() != listed.sha256:
            yield Damage(listed.name, False, "another SHA-256")


def intact(folder: TaskFolder, marker: Marker) -> bool:
    """Whether every artifact that the marker lists is there with the size and checksum listed.

    A marker of the earlier system lists none, and is believed; one that can't be read is not.
    """
    if not marker.content:
        return False
    return next(damage_of(folder.store, folder.prefix, marker), None) is None
