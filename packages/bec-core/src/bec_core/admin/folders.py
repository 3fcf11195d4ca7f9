"""The folders of a job's artifacts as the store lists them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from attrs import define, field

from bec_core.storage import Store


@define
class Folder:
    """A task's folder: its key with a slash at its end, its files' sizes by name, the time of the newest."""

    root: str
    w_id: str
    i_id: str
    version: str
    files: dict[str, int] = field(factory=dict)
    newest: datetime | None = None

    @property
    def prefix(self) -> str:
        """The folder's key, with a slash at its end."""
        return f"{self.root}/{self.w_id}/{self.i_id}/{self.version}/"

    @property
    def size(self) -> int:
        """Its bytes."""
        return sum(self.files.values())


def list_folders(store: Store, roots: Iterable[str]) -> list[Folder]:
    """Every folder below these first folders that is a task's by its depth."""
    folders: dict[str, Folder] = {}
    for root in roots:
        for info in store.list(root):
            parts = info.key.removeprefix(f"{root}/").split("/")
            if len(parts) == 4:
                w_id, i_id, version, name = parts
                folder = Folder(root, w_id, i_id, version)
                folder = folders.setdefault(folder.prefix, folder)
                folder.files[name] = info.size
                folder.newest = max(folder.newest or info.last_modified, info.last_modified)
    return list(folders.values())
