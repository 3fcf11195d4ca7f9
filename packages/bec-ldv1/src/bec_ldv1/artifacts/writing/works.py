"""Which work an artifact is of, and what a catalogue says of it."""

from __future__ import annotations

from bec_core import Catalogue, VolumeRef, Work
from bec_ldv1.artifacts.writing.find import Artifact

NO_CATALOGUE = Catalogue()
"""Nothing is known of any work."""


def work_of(artifact: Artifact, catalogue: Catalogue) -> Work:
    """What the catalogue says of the artifact's work.

    The marker beside it names the work and its source. Of a file without one that says so, the work is what its name
    begins with, up to the first hyphen, and the source the library's archive. An empty catalogue reads nothing.

    Raises:
        ExportError: the marker is there and can't be read.
    """
    return catalogue.of(_w_id(artifact)) if catalogue else Work()


def _w_id(artifact: Artifact) -> str:
    """The work's W_ID; one of another source than the library's archive is prefixed, as in the database."""
    marker = artifact.marker()
    match marker.get("volume"):
        case {"w_id": str(w_id), "i_id": str(i_id)}:
            source = marker.get("source")
            return (
                VolumeRef(w_id, i_id, source) if isinstance(source, str) else VolumeRef(w_id, i_id)
            ).db_w_id
    return artifact.name.partition("-")[0]
