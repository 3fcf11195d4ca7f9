"""Where a browser finds what the command line and reports speak of: pages of ``bec serve``, if its URL is known."""

from __future__ import annotations

from urllib.parse import quote

from bec_core.catalogue import check_link
from bec_core.models import VolumeRef
from bec_core.settings import Settings


def volume_link(settings: Settings, job_name: str, ref: VolumeRef) -> str | None:
    """The volume's page in ``bec serve``; None where BEC_SERVE_URL is not set.

    Raises:
        SettingsError: BEC_SERVE_URL is no http or https URL.
    """
    if settings.serve_url is None:
        return None
    check_link(settings.serve_url, "BEC_SERVE_URL")
    job, work, book = (quote(part, safe="") for part in (job_name, ref.w_id, ref.i_id))
    return f"{settings.serve_url.rstrip('/')}/jobs/{job}/volumes/{work}/{book}"
