"""Publishing a task: its artifacts, then its marker.

The marker (``success.json``) is created only if there is none, and it lists every artifact with size and
checksum. Every other write is a compare-and-swap against what was there when the task was claimed, so
that a worker that slept through the loss of its lease can't replace what its successor published.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from attrs import field, frozen

from bec_core.errors import ObjectChanged, ObjectNotFound
from bec_core.models import Artifact, Volume
from bec_core.storage import Store

MARKER_NAME = "success.json"


@frozen
class TaskFolder:
    """The place of a task's artifacts in the store: ``{root}/{W_ID}/{I_ID}/{version}/``."""

    store: Store = field(repr=False)
    root: str
    volume: Volume

    @property
    def basename(self) -> str:
        """``{W_ID}-{I_ID}-{version}``."""
        return f"{self.volume.ref.w_id}-{self.volume.ref.i_id}-{self.volume.version}"

    @property
    def prefix(self) -> str:
        """The folder's key, with a slash at its end."""
        return f"{self.root}/{self.volume.ref.w_id}/{self.volume.ref.i_id}/{self.volume.version}/"

    @property
    def uri(self) -> str:
        """The folder's URL, for people."""
        return self.store.uri(self.prefix.removesuffix("/"))

    def intact(self, marker: Mapping[str, Any]) -> bool:
        """Whether every artifact that the marker lists is there with the size and checksum listed.

        A marker of the earlier system lists none, and is believed.
        """
        if not marker:
            return False
        for listed in marker.get("artifacts", ()):
            try:
                data = self.store.get(self.key(listed["name"])).data
            except ObjectNotFound:
                return False
            if attrs.asdict(artifact_of(listed["name"], data)) != listed:
                return False
        return True

    def key(self, name: str) -> str:
        """The key of a file in the folder."""
        return self.prefix + name

    def exists(self, name: str) -> bool:
        """Whether the folder holds a file of this name."""
        return self.store.exists(self.key(name))

    def read(self, suffix: str) -> bytes:
        """The artifact ``{basename}{suffix}``."""
        return self.store.get(self.key(self.basename + suffix)).data

    def marker(self) -> Mapping[str, Any] | None:
        """The marker's content; None if the task is not done. A marker that is no JSON object reads as ``{}``."""
        try:
            data = self.store.get(self.key(MARKER_NAME)).data
        except ObjectNotFound:
            return None
        try:
            content = json.loads(data)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}


def artifact_of(name: str, data: bytes) -> Artifact:
    """What a marker says of a file."""
    return Artifact(name, len(data), hashlib.sha256(data).hexdigest())


def write_artifacts(
    folder: TaskFolder,
    files: Mapping[str, bytes],
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


def write_marker(folder: TaskFolder, content: Mapping[str, Any], *, confirm: Callable[[], None]) -> None:
    """Write the marker: create it, or replace one that appeared although the task is ours.

    The latter is the work of a worker that was stopped in the middle of this very write before its lease
    was taken over; its marker names its own artifacts, which ours have replaced.
    """
    data = json.dumps(content, ensure_ascii=False, indent=1).encode()
    confirm()
    try:
        folder.store.put_new(folder.key(MARKER_NAME), data)
    except ObjectChanged:
        _swap(folder, MARKER_NAME, data, confirm)


def _swap(folder: TaskFolder, name: str, data: bytes, confirm: Callable[[], None]) -> None:
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
