"""Publishing a task: its artifacts, then its marker.

The marker (``success.json``) lists every artifact with size and checksum. It is created only if there is none, or
takes the place of the one that stood when the task was claimed. Every other write is a compare-and-swap too, so that
a worker that slept through the loss of its lease can't replace what its successor published.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from bec_core.artifacts.marker import Marker
from bec_core.artifacts.place import TaskFolder
from bec_core.errors import ObjectChanged, ObjectNotFound
from bec_core.models import MARKER_NAME, Artifact
from bec_core.storage import Body, FileBody


def artifact_of(name: str, data: Body) -> Artifact:
    """What a marker says of a file."""
    if isinstance(data, FileBody):
        return Artifact(name, data.size, data.sha256)
    return Artifact(name, len(data), hashlib.sha256(data).hexdigest())


def write_artifacts(
    folder: TaskFolder,
    files: Mapping[str, Body],
    *,
    confirm: Callable[[], None],
    written: Callable[[], None],
) -> list[Artifact]:
    """Write the files (by full name), each as a compare-and-swap.

    ``confirm`` must raise if the task is not ours any more; it is asked before each write and again
    whenever somebody else turns out to have written the same file in the meantime. ``written`` is called
    after each file.
    """
    for name, data in files.items():
        _swap(folder, name, data, confirm)
        written()
    return [artifact_of(name, data) for name, data in files.items()]


def write_marker(
    folder: TaskFolder, content: Mapping[str, Any], *, standing: Marker | None, confirm: Callable[[], None]
) -> None:
    """Write the marker: create it, or put it in the place of the one that was ``standing`` at the claim.

    If another one turns out to be there although the task is ours (``confirm`` does not raise), it is the work of a
    worker that was stopped in the middle of this very write before its lease was taken over: its marker names its
    own artifacts, which ours have replaced, so it is replaced too.
    """
    data = json.dumps(content, ensure_ascii=False, indent=1).encode()
    confirm()
    try:
        folder.store.swap(folder.key(MARKER_NAME), data, if_etag=standing.etag if standing else None)
    except ObjectChanged:
        _swap(folder, MARKER_NAME, data, confirm)


def _swap(folder: TaskFolder, name: str, data: Body, confirm: Callable[[], None]) -> None:
    key = folder.key(name)
    while True:
        try:
            present: str | None = folder.store.head(key).etag
        except ObjectNotFound:
            present = None
        confirm()  # after the look: whoever takes the task over later will find its own look outdated ours
        try:
            folder.store.swap(key, data, if_etag=present)
            return
        except ObjectChanged:
            continue
