"""Which URL gives the largest whole image, by what a service says of itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bec_iiif.image_api import parse_service, published_whole, requests_for_whole, sure_whole

ID = "https://images.example/iiif/a%2Fb$1"
V1 = "http://library.stanford.edu/iiif/image-api/1.1/compliance.html#level2"
V2 = "http://iiif.io/api/image/2/level2.json"


def service(**more):
    return parse_service({"@id": ID, "protocol": "http://iiif.io/api/image", **more})


def sizes(**more):
    return [url.removeprefix(f"{ID}/full/").partition("/")[0] for url in requests_for_whole(service(**more))]


@pytest.mark.parametrize(
    ("described", "version", "level"),
    [
        ({"@context": "http://iiif.io/api/image/1/context.json", "profile": V1}, 1, 2),
        ({"profile": V1}, 1, 2),
        ({"profile": "http://library.stanford.edu/iiif/image-api/compliance.html#level1"}, 1, 1),
        ({"@context": "http://iiif.io/api/image/2/context.json", "profile": V2}, 2, 2),
        ({"profile": V2}, 2, 2),
        ({"profile": ["http://iiif.io/api/image/2/level0.json", {"formats": ["jpg"]}]}, 2, 0),
        ({"@type": "ImageService2", "profile": "level1"}, 2, 1),
        ({"type": "ImageService3", "profile": "level0"}, 3, 0),
        ({"@context": ["http://l.example/x", "http://iiif.io/api/image/3/context.json"], "profile": "level2"}, 3, 2),
        ({"profile": "level2"}, 3, 2),
        ({"@context": "http://iiif.io/api/image/2/context.json"}, 2, None),
    ],
)  # fmt: skip
def test_version_and_level_by_whatever_says_them(described, version, level):
    found = parse_service({"@id": f"{ID}/", **described})
    assert (found.id, found.version, found.level) == (ID, version, level)


@pytest.mark.parametrize(
    "described",
    [
        None, [], "https://images.example", {}, {"@id": ID}, {"profile": V2}, {"@id": 3, "profile": V2},
        {"@id": ID, "@context": "http://iiif.io/api/search/1/context.json", "profile": "http://iiif.io/api/search/1/search"},
    ],
)  # fmt: skip
def test_what_is_no_image_service(described):
    assert parse_service(described) is None


@pytest.mark.parametrize(
    ("described", "asked"),
    [
        ({"profile": V1, "width": 4000, "height": 3000}, ["full", "4000,"]),
        ({"profile": V2, "width": 4000, "height": 3000}, ["full", "4000,", "max"]),
        ({"profile": V2}, ["full", "max"]),
        ({"profile": [V2, {"maxWidth": 1000}], "width": 4000, "height": 3000}, ["1000,", "max"]),
        ({"profile": [V2, {"maxWidth": 5000}], "width": 4000, "height": 3000}, ["full", "4000,", "max"]),
        ({"profile": [V2, {"maxWidth": 1000}], "width": 2000, "height": 4000}, ["500,", "max"]),
        ({"profile": [V2, {"maxWidth": 1000, "maxHeight": 4000}], "width": 2000, "height": 4000}, ["1000,", "max"]),
        ({"profile": [V2, {"maxArea": 3_000_000}], "width": 4000, "height": 3000}, ["2000,", "max"]),
        ({"type": "ImageService3", "profile": "level1", "width": 4000, "height": 3000}, ["max", "4000,3000"]),
        ({"type": "ImageService3", "profile": "level1", "width": 4000, "height": 3000, "maxWidth": 1000},
         ["max", "1000,750"]),
        ({"type": "ImageService3", "profile": "level0", "width": 4000, "height": 3000,
          "sizes": [{"width": 2000, "height": 1500}, {"width": 500, "height": 375}]}, ["max", "2000,1500", "2000,"]),
        ({"profile": "http://iiif.io/api/image/2/level0.json", "width": 4000, "height": 3000,
          "sizes": [{"width": 500, "height": 375}, {"width": 2000, "height": 1500}]}, ["full", "2000,", "2000,1500"]),
        ({"profile": ["http://iiif.io/api/image/2/level0.json", {"supports": ["sizeByW"], "maxWidth": 1000}],
          "width": 4000, "height": 3000}, ["1000,", "max"]),
    ],
)  # fmt: skip
def test_the_sizes_to_ask_for_the_best_first(described, asked):
    assert sizes(**described) == asked


def test_quality_is_native_before_version_2():
    assert requests_for_whole(service(profile=V1))[0].endswith("/full/full/0/native.jpg")
    assert requests_for_whole(service(profile=V2))[0].endswith("/full/full/0/default.jpg")


@pytest.mark.parametrize(
    ("tail", "is_whole"),
    [
        ("full/full/0/default.jpg", True),
        ("full/max/0/native.jpg", True),
        ("full/600,/0/default.jpg", False),
        ("full/full/90/default.jpg", False),
        ("0,0,10,10/full/0/default.jpg", False),
        ("full/full/0/default.png", False),
        ("full/full/0/bitonal.jpg", False),
    ],
)
def test_the_library_s_own_url_counts_if_it_is_the_whole(tail, is_whole):
    assert (published_whole(service(profile=V2), f"{ID}/{tail}") is not None) == is_whole
    assert published_whole(service(profile=V2), f"https://elsewhere.example/{tail}") is None


def test_from_version_3_on_max_works_unless_there_are_only_files():
    assert sure_whole(service(type="ImageService3", profile="level1")) == f"{ID}/full/max/0/default.jpg"
    assert sure_whole(service(type="ImageService3", profile="level0")) is None
    assert sure_whole(service(profile=V2)) is None


@given(
    size=st.tuples(st.integers(1, 60_000), st.integers(1, 60_000)),
    limits=st.tuples(*[st.none() | st.integers(1, 60_000)] * 2, st.none() | st.integers(1, 10**9)),
)
def test_no_limit_is_ever_passed(size, limits):
    width, height = size
    max_width, max_height, max_area = limits
    found = service(
        type="ImageService3",
        width=width,
        height=height,
        maxWidth=max_width,
        maxHeight=max_height,
        maxArea=max_area,
    )
    largest = found.largest
    assert 1 <= largest[0] <= width
    assert 1 <= largest[1] <= height
    if min(largest) > 1:  # an image is never less than a pixel wide, whatever the limits
        assert max_width is None or largest[0] <= max_width
        assert (max_height or max_width) is None or largest[1] <= (max_height or max_width)
        assert max_area is None or largest[0] * largest[1] <= max_area
