"""A page's bytes, for looking at it: only of what a volume itself lists."""

from __future__ import annotations

from bec_core.admin.session import Session
from bec_core.errors import NotFoundError
from bec_core.models import Page, VolumeRef


def page_bytes(session: Session, ref: VolumeRef, filename: str) -> bytes:
    """The bytes of the volume's page of this name, as its source gives it now.

    Raises:
        NotFoundError: the volume lists no such page (any more).
        TaskError, ServiceError: as the source raises them.
        PageError: it can't be read.
    """
    volume = session.sources.resolve(ref)
    page: Page | None = next((one for one in volume.pages if one.filename == filename), None)
    if page is None:
        raise NotFoundError(f"{ref} lists no page {filename[:200]!r}")
    return session.sources.read_page(volume, page).data
