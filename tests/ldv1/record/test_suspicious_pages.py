import numpy as np

from bec_ldv1.lines import Line
from bec_ldv1.page.flags import Flag
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.records import PageRecord
from bec_ldv1.record.suspicious_pages import with_suspicion


def page(name, lines):
    found = tuple(
        Line(
            np.array([[100, 50 * n], [900, 50 * n], [900, 50 * n + 40], [100, 50 * n + 40]], np.float32),
            np.array([[100, 50 * n + 20], [900, 50 * n + 20]], np.float32),
            0.95,
        )
        for n in range(lines)
    )
    empty = np.empty((0, 4), np.int32)
    return PageRecord(
        name, "ff", contours=[], contours_bboxes=empty, details=PageDetails(1000, 400, 0.1, found)
    )


def test_a_page_unlike_its_volume_is_flagged_and_the_others_are_not():
    records = [page(f"{n}.jpg", 6) for n in range(9)]
    records[5] = page("5.jpg", 0)
    failed = PageRecord.failed("9.jpg", None, stage="decode", error_type="X", message="y")
    flagged = with_suspicion([*records, failed])
    suspicious = [r.img_file_name for r in flagged if r.details and Flag.SUSPICIOUS in r.details.flags]
    assert suspicious == ["5.jpg"]
    assert flagged[-1] is failed


def test_an_empty_volume_has_none():
    assert with_suspicion([]) == []
