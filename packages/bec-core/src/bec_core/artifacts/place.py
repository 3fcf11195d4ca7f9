"""Where a task's artifacts lie."""

from __future__ import annotations

from attrs import field, frozen

from bec_core.artifacts.marker import Marker, parse_marker
from bec_core.errors import ObjectNotFound
from bec_core.models import MARKER_NAME, Volume
from bec_core.storage import Store


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

    def key(self, name: str) -> str:
        """The key of a file in the folder."""
        return self.prefix + name

    def exists(self, name: str) -> bool:
        """Whether the folder holds a file of this name."""
        return self.store.exists(self.key(name))

    def read(self, suffix: str) -> bytes:
        """The artifact ``{basename}{suffix}``."""
        return self.store.get(self.key(self.basename + suffix)).data

    def marker(self) -> Marker | None:
        """The marker that stands; None if the task is not done."""
        try:
            found = self.store.get(self.key(MARKER_NAME))
        except ObjectNotFound:
            return None
        return parse_marker(found.data, found.etag)
