"""Which etags are of one image."""

import pytest

from bec_ocrv1.identity import same_image

MD5 = "0cc175b9c0f1b6a831c399e269772661"


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        (MD5, MD5, True),
        (MD5, "f" * 32, False),
        (f"{MD5}-2", f"{MD5}-2", True),
        (f"{MD5}-2", f"{MD5}-3", False),
        (f"{MD5}-2", MD5, False),
        ("21e433-18eba5d3c90d73fa-5f1", "9-18eba5d3c90d73fa-5f1", True),  # moved to another disk
        ("21e433-18eba5d3c90d73fa-5f1", "21e433-18eba5d3c90d73fb-5f1", False),  # another time
        ("21e433-18eba5d3c90d73fa-5f1", "21e433-18eba5d3c90d73fa-5f2", False),  # another size
        (None, MD5, True),
        (MD5, None, True),
    ],
)
def test_etags(before, now, same):
    assert same_image(before, now) is same
