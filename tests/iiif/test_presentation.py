"""Manifests of both versions, and what is odd about them."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bec_core import ManifestInvalid
from bec_iiif import presentation
from bec_iiif.image_api import requests_for_whole
from bec_iiif.presentation import Collection, Manifest, parse
from support.iiif_shapes import (
    bdrc,
    british_library,
    canvas_2,
    canvas_3,
    e_codices,
    gallica,
    image_2,
    image_3,
    internet_archive_2,
    internet_archive_3,
    manifest_2,
    manifest_3,
    service_2,
)

URL = "https://library.example/manifest.json"
IMAGES = "https://images.example"


def images(manifest, url=URL):
    found = parse(json.dumps(manifest).encode(), url)
    assert isinstance(found, Manifest)
    return found.images


def names(manifest):
    return [one.name for one in images(manifest)]


@pytest.mark.parametrize("shape", [bdrc, internet_archive_3, internet_archive_2, gallica, e_codices])
def test_each_library_s_shape_gives_its_pages_in_order(shape):
    found = images(shape(IMAGES, 12))
    assert [one.name for one in found] == [f"{n:04}.jpg" for n in range(1, 13)]
    assert all(one.service is not None for one in found)
    assert len({one.key for one in found}) == 12


def test_what_services_say_of_themselves():
    assert [images(shape(IMAGES, 1))[0].service.version for shape in (bdrc, gallica, internet_archive_3)] == [
        2,
        1,
        3,
    ]
    assert images(gallica(IMAGES, 1))[0].service.level == 2
    assert images(internet_archive_3(IMAGES, 1))[0].service.id == (
        "https://images.example/image/iiif/3/book_1%2Fbook_1_jp2.zip%2Fbook_1_jp2%2Fbook_1_0001.jp2"
    )


def test_a_canvas_without_an_image_leaves_a_gap_so_that_names_are_the_viewer_s_numbers():
    assert names(british_library(IMAGES, 3)) == ["0002.jpg", "0003.jpg"]


def test_labels_change_no_name():
    one = [canvas_2(1, image_2(f"{IMAGES}/a.jpg"), "../../f. 1r/Ω")]
    assert names(manifest_2(one)) == ["0001.jpg"]


def test_two_thousand_canvases():
    assert names(bdrc(IMAGES, 2000))[-1] == "2000.jpg"


def test_an_image_without_a_service_is_its_own_url_with_an_ending_that_fits():
    bodies = [
        image_3(f"{IMAGES}/a.jpg"),
        image_3(f"{IMAGES}/b", format="image/png"),
        {"id": f"{IMAGES}/c.TIF?x=1", "type": "Image"},
        {"id": f"{IMAGES}/d", "type": "Image"},
        f"{IMAGES}/e.jp2",
    ]
    found = images(manifest_3([canvas_3(n, body) for n, body in enumerate(bodies, 1)]))
    assert [one.name for one in found] == ["0001.jpg", "0002.png", "0003.tif", "0004.jpg", "0005.jp2"]
    assert found[2].url == f"{IMAGES}/c.TIF?x=1"
    assert [found[0].width, found[3].width] == [2000, None]


@pytest.mark.parametrize(
    "manifest",
    [
        manifest_2([canvas_2(1, {"@type": "oa:Choice", "default": image_2(f"{IMAGES}/first.jpg"),
                                 "item": [image_2(f"{IMAGES}/second.jpg")]})]),
        manifest_3([canvas_3(1, {"type": "Choice",
                                 "items": [image_3(f"{IMAGES}/first.jpg"), image_3(f"{IMAGES}/second.jpg")]})]),
        manifest_3([canvas_3(1, {"type": "SpecificResource", "source": image_3(f"{IMAGES}/first.jpg")})]),
        manifest_2([canvas_2(1, {"@type": "oa:SpecificResource", "full": image_2(f"{IMAGES}/first.jpg"),
                                 "selector": {"@type": "iiif:ImageApiSelector", "region": "0,0,10,10"}})]),
    ],
)  # fmt: skip
def test_a_choice_is_its_default_and_a_part_is_its_whole(manifest):
    assert [one.url for one in images(manifest)] == [f"{IMAGES}/first.jpg"]


def test_several_images_on_one_canvas_are_several_pages():
    canvas = canvas_3(1, image_3(f"{IMAGES}/left.jpg"))
    canvas["items"][0]["items"] += canvas_3(1, image_3(f"{IMAGES}/right.jpg"))["items"][0]["items"]
    assert names(manifest_3([canvas, canvas_3(2, image_3(f"{IMAGES}/b.jpg"))])) == [
        "0001.jpg", "0001-2.jpg", "0002.jpg",
    ]  # fmt: skip


def test_what_is_not_painted_or_no_image_is_no_page():
    comment = canvas_3(1, image_3(f"{IMAGES}/a.jpg"))
    comment["items"][0]["items"][0]["motivation"] = "commenting"
    sound = canvas_3(2, {"id": f"{IMAGES}/a.mp3", "type": "Sound"})
    motivated = canvas_3(3, image_3(f"{IMAGES}/b.jpg"))
    motivated["items"][0]["items"][0]["motivation"] = ["painting", "tagging"]
    assert names(manifest_3([comment, sound, motivated])) == ["0003.jpg"]


def test_services_as_lists_logins_and_searches_among_them():
    login = {
        "@context": "http://iiif.io/api/auth/1/context.json",
        "@id": f"{IMAGES}/login",
        "profile": "http://iiif.io/api/auth/1/login",
    }
    both = [login, service_2(f"{IMAGES}/iiif/a")]
    (found,) = images(manifest_2([canvas_2(1, image_2(f"{IMAGES}/a.jpg", both))]))
    assert found.service.id == f"{IMAGES}/iiif/a"
    (found,) = images(manifest_2([canvas_2(1, image_2(f"{IMAGES}/a.jpg", login))]))
    assert found.service is None


def test_ids_of_the_manifest_s_own_host_that_say_http_are_asked_by_https():
    (found,) = images(e_codices("http://library.example", 1))
    assert found.url.startswith("https://library.example/loris")
    assert found.service.id.startswith("https://library.example/loris")
    (elsewhere,) = images(e_codices("http://elsewhere.example", 1))
    assert elsewhere.service.id.startswith("http://elsewhere.example/")


def test_only_the_first_sequence_counts():
    manifest = bdrc(IMAGES, 2)
    manifest["sequences"].append({"@id": "https://library.example/sequence/2", "@type": "sc:Sequence"})
    assert names(manifest) == ["0001.jpg", "0002.jpg"]


def test_a_manifest_without_canvases_is_an_empty_volume():
    assert names(manifest_2([])) == []
    assert names(manifest_3([])) == []


def etag(manifest):
    return parse(json.dumps(manifest).encode(), URL).etag


def test_only_images_and_their_order_make_a_version():
    plain = etag(bdrc(IMAGES, 3))
    relabelled = {**bdrc(IMAGES, 3), "label": "another", "structures": [{"@id": "r1"}]}
    relabelled = dict(reversed(relabelled.items()))
    relabelled["sequences"][0]["canvases"][1]["label"] = "verso"
    assert etag(relabelled) == plain
    assert etag(bdrc(IMAGES.replace("https", "http"), 3)) == plain
    swapped = bdrc(IMAGES, 3)
    swapped["sequences"][0]["canvases"].reverse()
    rescanned = bdrc(IMAGES, 3)
    rescanned["sequences"][0]["canvases"][1]["images"][0]["resource"]["width"] = 4000
    assert len({plain, etag(swapped), etag(rescanned), etag(bdrc(IMAGES, 2))}) == 4


def test_collections_of_both_versions_name_their_members():
    two = {
        "@context": "http://iiif.io/api/presentation/2/context.json", "@type": "sc:Collection", "@id": URL,
        "manifests": [{"@id": "https://l.example/1/manifest", "@type": "sc:Manifest"}],
        "collections": [{"@id": "https://l.example/c", "@type": "sc:Collection"}],
        "members": [{"@id": "https://l.example/2/manifest", "@type": "sc:Manifest"},
                    {"@id": "https://l.example/d", "@type": "sc:Collection"}],
    }  # fmt: skip
    inner = {"id": "https://l.example/c", "type": "Collection",
             "items": [{"id": "https://l.example/3/manifest", "type": "Manifest"}]}  # fmt: skip
    three = {
        "type": "Collection",
        "items": [{"id": "https://l.example/1/manifest", "type": "Manifest"}, inner],
    }
    assert parse(json.dumps(two).encode(), URL) == Collection(
        ("https://l.example/1/manifest", "https://l.example/2/manifest"),
        ("https://l.example/c", "https://l.example/d"),
    )
    assert parse(json.dumps(three).encode(), URL) == Collection(
        ("https://l.example/1/manifest", "https://l.example/3/manifest"), ()
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"\n <!DOCTYPE html><html></html>", "HTML"),
        (b"[1, 2]", "a JSON object"),
        (b'{"a": ', "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"{}", "no IIIF manifest"),
        (
            b'{"@context": "http://iiif.io/api/image/2/context.json", "protocol": "http://iiif.io/api/image"}',
            "info.json",
        ),
        (b'{"sequences": [{"@id": "elsewhere"}]}', "no list of canvases"),
        (b'{"type": "Annotation", "items": []}', "no IIIF manifest"),
    ],
)
def test_what_is_no_manifest_says_what_it_is(data, words):
    with pytest.raises(ManifestInvalid, match=words):
        parse(data, URL)


def test_a_byte_order_mark_is_no_harm():
    assert parse(b"\xef\xbb\xbf" + json.dumps(bdrc(IMAGES, 1)).encode(), URL).images


def test_a_manifest_of_too_many_values_is_not_parsed(monkeypatch):
    monkeypatch.setattr(presentation, "MAX_VALUES", 10)
    with pytest.raises(ManifestInvalid, match="more than 10 values"):
        parse(json.dumps(bdrc(IMAGES, 3)).encode(), URL)


def test_odd_shapes_are_left_out_not_fatal():
    odd = image_2(f"{IMAGES}/a.jpg", service=[None, 3, {"@id": 4}], width="wide", height=True)
    empty = {"images": [None, {"resource": 5}, {"resource": {"@id": 9}}]}
    (found,) = images(manifest_2([None, 3, "x", {"images": 7}, empty, canvas_2(1, odd)]))
    assert (found.name, found.service, found.width, found.height) == ("0003.jpg", None, None, None)


@pytest.mark.parametrize(
    "odd", ["http://[::1", "urn:x:y", "https://me:secret@l.example/a.jpg", "javascript:1"]
)
def test_ids_that_are_no_urls_are_no_images(odd):
    """Seen: an unclosed bracket ended the whole volume with a fault of the program."""
    both = image_2(odd, service_2(odd))
    assert names(manifest_2([canvas_2(1, both), canvas_2(2, image_2(f"{IMAGES}/a.jpg"))])) == ["0002.jpg"]
    listed = {"type": "Collection", "items": [{"id": odd, "type": "Manifest"}]}
    assert parse(json.dumps(listed).encode(), URL) == Collection((), ())


def test_ids_are_taken_relative_to_the_manifest_and_with_what_must_be_escaped_escaped():
    (found,) = images(manifest_2([canvas_2(1, image_2("img/a b%2Fc$1.jpg"))]))
    assert found.url == "https://library.example/img/a%20b%2Fc$1.jpg"


@pytest.mark.parametrize("nest", ["list", "choice", "collection", "label"])
def test_no_depth_is_a_fault(nest):
    before, after = {
        "list": ("[", "]"),
        "choice": ('{"@type": "oa:Choice", "default": ', "}"),
        "collection": ('{"type": "Collection", "items": [', "]}"),
        "label": ('{"en": ', "}"),
    }[nest]
    for depth in (300, *range(800, 1000, 4)):
        text = (
            before * depth + json.dumps({"@id": f"{IMAGES}/a.jpg", "@type": "dctypes:Image"}) + after * depth
        )
        if nest == "label":
            text = f'{{"sequences": [{{"canvases": [{{"label": {text}, "images": []}}]}}]}}'
        elif nest != "collection":
            text = f'{{"sequences": [{{"canvases": [{{"images": [{{"resource": {text}}}]}}]}}]}}'
        with contextlib.suppress(ManifestInvalid):  # which says that it is nested too deeply
            parse(text.encode(), URL)


VALUES = [
    "Manifest",
    "sc:Collection",
    "Image",
    "Choice",
    "painting",
    "http://[",
    "level0",
    IMAGES,
    "ImageService3",
]
KEYS = [
    "type", "@type", "id", "@id", "items", "item", "sequences", "canvases", "images", "resource", "body", "service",
    "profile", "default", "full", "source", "motivation", "label", "width", "format", "manifests", "members",
    "collections", "tiles", "sizes", "@context", "maxWidth", "supports", "scaleFactors", "protocol",
]  # fmt: skip
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=25,
)
TOP = st.sampled_from(["sequences", "items", "type", "manifests", "members", "@type"])


@given(st.dictionaries(TOP, ODD, min_size=1))
def test_whatever_is_served_is_a_manifest_a_collection_or_said_to_be_none(manifest):
    try:
        found = parse(json.dumps(manifest).encode(), URL)
    except ManifestInvalid:
        return
    if isinstance(found, Manifest):
        assert len({one.name for one in found.images}) == len(found.images)
        assert len(found.etag) == 16
        for one in found.images:
            if one.service is not None:
                assert requests_for_whole(one.service)
