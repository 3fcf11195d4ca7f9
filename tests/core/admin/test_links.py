"""Where ``bec serve`` shows a volume."""

from __future__ import annotations

import attrs
import pytest

from bec_core.admin.links import volume_link
from bec_core.errors import SettingsError
from bec_core.models import VolumeRef
from bec_core.settings import load_settings

REF = VolumeRef("W1", "I1")


def link(url: str | None, job: str = "ldv1", ref: VolumeRef = REF) -> str | None:
    return volume_link(attrs.evolve(load_settings({}), serve_url=url), job, ref)


def test_a_link_names_job_and_volume() -> None:
    assert link(None) is None
    assert link("https://bec.example") == "https://bec.example/jobs/ldv1/volumes/W1/I1"
    odd = link("http://host:8080/bec/", "a/b?<", VolumeRef("W 1", "I#1"))
    assert odd == "http://host:8080/bec/jobs/a%2Fb%3F%3C/volumes/W%201/I%231"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "bec.example", "http://me:secret@host", 'http://h/"<']
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="BEC_SERVE_URL"):
        link(url)
