"""The kit's conformance check on real jobs: the small one that the tests use, and line detection."""

from bec_core.plugins import load_plugins
from bec_core.testing.checksum_job import CHECKSUM, Trouble
from bec_core.testing.conformance import check_job_type
from support.places import SAMPLES


def test_checksum_conforms():
    check_job_type(
        CHECKSUM,
        pages={"0001.jpg": b"one", "0002.jpg": b"two"},
        bad_page=Trouble.BAD_PAGE,
        plugin="bec_core.testing.checksum_job",
    )


def test_ldv1_conforms():
    pages = sorted(SAMPLES.rglob("*.tif"))[:1]
    check_job_type(load_plugins().job_type("ldv1"), pages={page.name: page.read_bytes() for page in pages})
