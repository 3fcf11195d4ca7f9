"""The source against a library's server: each library's shape, and how servers misbehave."""

import io
import itertools
import json
import re
import time

import pytest
from PIL import Image, ImageChops

from bec_core import (
    InvalidMessage,
    ManifestInvalid,
    ManifestMissing,
    PageError,
    SettingsError,
    StorageError,
    VolumeRef,
)
from support.iiif_server import Reply, image_service
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

JPEG = b"\xff\xd8\xff\xe0 an image"


def served(library, manifest, path="/v1/manifest"):
    """Serve a manifest; its volume's reference."""
    library.replies[path] = Reply.of_json(manifest)
    return VolumeRef("W1", "I1", f"iiif:{library.url}{path}")


def read(source, ref, number=0):
    volume = source.resolve(ref)
    return source.read_page(volume, volume.pages[number])


# -- shapes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "prefix", "asked"),
    [
        (bdrc, "/bdr:", "/bdr:I1BEC1::I1BEC10001.jpg/full/max/0/default.jpg"),
        (
            internet_archive_3,
            "/image/iiif/3/",
            "/image/iiif/3/book_1%2Fbook_1_jp2.zip%2Fbook_1_jp2%2Fbook_1_0001.jp2/full/max/0/default.jpg",
        ),
        (internet_archive_2, "/iiif/", "/iiif/book_1$0/full/full/0/default.jpg"),
        (gallica, "/iiif/", "/iiif/ark:/12148/btv1bec0001/f1/full/full/0/native.jpg"),
        (e_codices, "/loris/", "/loris/csg/csg-0001/csg-0001_001.jp2/full/full/0/default.jpg"),
    ],
)
def test_each_library_s_first_page_is_asked_for_once_by_its_own_url(library, source, shape, prefix, asked):
    library.services.append(image_service(prefix, JPEG))
    ref = served(library, shape(library.url, 3))
    found = read(source, ref)
    assert (found.data, found.uri) == (JPEG, library.url + asked)
    assert library.paths() == ["/v1/manifest", asked]


def test_limits_are_honoured_where_the_library_s_own_url_is_smaller(library, source):
    """The British Library's: the manifest names 600 pixels, its service has 2000 and gives 1000."""
    library.services.append(image_service("/image/", JPEG, sizes=r"full/1000,/0/default\.jpg", info=info_2))
    ref = served(library, british_library(library.url, 2))
    assert read(source, ref).uri.endswith("0x000002/full/1000,/0/default.jpg")


def info_2(path, **more):
    profile = ["http://iiif.io/api/image/2/level2.json", {"maxWidth": 1000}]
    return {
        "@context": "http://iiif.io/api/image/2/context.json",
        "@id": f"https://elsewhere.example{path}",
        "protocol": "http://iiif.io/api/image",
        "width": 2000,
        "height": 700,
        "profile": profile,
        **more,
    }


def test_when_the_whole_is_refused_info_json_tells_what_is_given_and_is_asked_first_from_then_on(
    library, source
):
    """Gallica once refused the size full; Cantaloupe answers 403 to what is over its limit."""
    library.services.append(
        image_service("/bdr:", JPEG, sizes=r"full/1000,/0/default\.jpg", info=info_2, refuses=403)
    )
    ref = served(library, bdrc(library.url, 2))
    assert read(source, ref, 0).uri.endswith("0001.jpg/full/1000,/0/default.jpg")
    before = len(library.asked)
    assert read(source, ref, 1).data == JPEG
    assert [path.partition(".jpg/")[2] for path in library.paths()[before:]] == [
        "info.json",
        "full/1000,/0/default.jpg",
    ]


def test_a_service_of_level_0_gives_the_largest_size_that_lies_ready(library, source):
    def info(path):
        return {
            "@context": "http://iiif.io/api/image/3/context.json", "id": path, "type": "ImageService3",
            "protocol": "http://iiif.io/api/image", "profile": "level0", "width": 4000, "height": 3000,
            "sizes": [{"width": 500, "height": 375}, {"width": 2000, "height": 1500}],
            "tiles": [{"width": 512, "scaleFactors": [1, 2, 4]}],
        }  # fmt: skip

    library.services.append(
        image_service("/tiles/", JPEG, sizes=r"full/2000,1500/0/default\.jpg", info=info, refuses=404)
    )
    service = {"id": f"{library.url}/tiles/a", "type": "ImageService3", "profile": "level0"}
    ref = served(library, manifest_3([canvas_3(1, image_3(f"{library.url}/thumb.jpg", service))]))
    assert read(source, ref).uri.endswith("/tiles/a/full/2000,1500/0/default.jpg")


def tiled(library, source, drawn, sizes=()):
    """A page of a service that has nothing but tiles of 100 by 80 pixels, and what lies ready in ``sizes``."""

    def info(path):
        return {
            "@context": "http://iiif.io/api/image/2/context.json", "@id": path, "protocol": "http://iiif.io/api/image",
            "profile": ["http://iiif.io/api/image/2/level0.json"], "width": drawn.width, "height": drawn.height,
            "sizes": [{"width": w, "height": w * drawn.height // drawn.width} for w in sizes],
            "tiles": [{"width": 100, "height": 80, "scaleFactors": [1, 2]}],
        }  # fmt: skip

    def tile(path):
        if path.endswith("/info.json"):
            return Reply.of_json(info(path))
        if ready := re.fullmatch(r"/tiles/a/full/(\d+),/0/default\.jpg", path):
            return Reply.image(JPEG) if int(ready[1]) in sizes else None
        found = re.fullmatch(r"/tiles/a/(\d+),(\d+),(\d+),(\d+)/(\d+),/0/default\.jpg", path)
        if found is None:
            return None
        left, top, width, height, scaled = map(int, found.groups())
        assert width == scaled
        file = io.BytesIO()
        drawn.crop((left, top, left + width, top + height)).save(file, "PNG")
        return Reply.image(file.getvalue())

    library.services.append(tile)
    service = service_2(f"{library.url}/tiles/a", profile="http://iiif.io/api/image/2/level0.json")
    return read(
        source, served(library, manifest_2([canvas_2(1, {"@type": "dctypes:Image", "service": service})]))
    )


@pytest.fixture
def drawn():
    """A picture in which no two tiles are alike."""
    return Image.linear_gradient("L").resize((250, 170)).rotate(30).convert("RGB")


def test_a_service_of_tiles_alone_is_put_together(library, source, drawn):
    found = tiled(library, source, drawn)
    whole = Image.open(io.BytesIO(found.data))
    assert whole.size == (250, 170)
    difference = ImageChops.difference(whole, drawn)
    assert max(high for _, high in difference.getextrema()) < 12
    assert sum("/0/default.jpg" in path and "/full/" not in path for path in library.paths()) == 9


def test_a_whole_that_lies_ready_and_is_half_as_wide_spares_the_tiles(library, source, drawn):
    assert tiled(library, source, drawn, sizes=[50, 125]).uri.endswith("/full/125,/0/default.jpg")


def test_a_smaller_one_does_not(library, source, drawn):
    assert "/0,0,100,80/" in tiled(library, source, drawn, sizes=[50]).uri


def test_without_info_json_the_image_is_taken_as_the_manifest_names_it(library, source, caplog):
    library.replies["/small.jpg"] = Reply.image(JPEG)
    ref = served(
        library,
        manifest_2([canvas_2(1, image_2(f"{library.url}/small.jpg", service_2(f"{library.url}/gone")))]),
    )
    assert read(source, ref).uri == f"{library.url}/small.jpg"
    assert library.paths() == ["/v1/manifest", "/gone/info.json", "/small.jpg"]


@pytest.mark.parametrize("info", [b"<html>", b'{"error": 1}', b"[]", b"[" * 100_000])
def test_an_info_json_that_is_none_counts_as_none(library, source, info):
    library.replies["/small.jpg"] = Reply.image(JPEG)
    library.replies["/odd/info.json"] = Reply(info, headers={"Content-Type": "application/json"})
    ref = served(
        library,
        manifest_2([canvas_2(1, image_2(f"{library.url}/small.jpg", service_2(f"{library.url}/odd")))]),
    )
    assert read(source, ref).uri == f"{library.url}/small.jpg"


def test_a_wrong_media_type_is_no_harm(library, source):
    manifest = manifest_2([canvas_2(1, image_2(f"{library.url}/a.jpg"))])
    library.replies["/v1/manifest"] = Reply(
        json.dumps(manifest).encode(), headers={"Content-Type": "text/plain"}
    )
    library.replies["/a.jpg"] = Reply(JPEG, headers={"Content-Type": "application/octet-stream"})
    assert read(source, VolumeRef("W1", "I1", f"iiif:{library.url}/v1/manifest")).data == JPEG


def test_two_thousand_pages_and_one_of_the_last(library, source):
    library.services.append(image_service("/bdr:", lambda path: JPEG + path.encode()))
    ref = served(library, bdrc(library.url, 2000))
    volume = source.resolve(ref)
    assert len(volume.pages) == 2000
    assert source.read_page(volume, volume.pages[1998]).data.endswith(b"I1BEC11999.jpg")


# -- trouble ----------------------------------------------------------------------------------------------


def one_image(library):
    library.replies["/a.jpg"] = Reply.image(JPEG)
    return served(library, manifest_2([canvas_2(1, image_2(f"{library.url}/a.jpg"))]))


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(status=429),
        Reply(status=503, headers={"Retry-After": "0"}),
        Reply(status=503, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        Reply(status=503, headers={"Retry-After": "soon"}),
        Reply(status=500),
        Reply(silent_s=5.0),
        Reply(JPEG, breaks_off=True),
        Reply(JPEG, drips_s=0.2),
    ],
)
def test_what_may_pass_is_asked_again(library, source, trouble):
    ref = one_image(library)
    library.troubles["/a.jpg"] = [trouble]
    assert read(source, ref).data == JPEG
    assert library.paths().count("/a.jpg") == 2


@pytest.mark.parametrize(
    ("trouble", "attempts"),
    [(Reply(status=503), 3), (Reply(silent_s=5.0), 2), (Reply(JPEG, breaks_off=True), 2)],
)
def test_what_does_not_pass_is_a_page_error_that_may_be_tried_later(library, source, trouble, attempts):
    ref = one_image(library)
    library.replies["/a.jpg"] = trouble
    began = time.monotonic()
    with pytest.raises(PageError, match=f"{attempts} attempts") as failed:
        read(source, ref)
    assert (failed.value.retryable, failed.value.stage, failed.value.error_type) == (
        True,
        "fetch",
        "Unavailable",
    )
    assert library.paths().count("/a.jpg") == attempts
    assert time.monotonic() - began < 10


def test_a_server_is_left_alone_for_as_long_as_it_says(library, source):
    ref = one_image(library)
    library.troubles["/a.jpg"] = [Reply(status=429, headers={"Retry-After": "1"})]
    volume = source.resolve(ref)
    with pytest.raises(PageError, match="to ask again in 1 s"):  # longer than this source waits in place
        source.read_page(volume, volume.pages[0])
    with pytest.raises(PageError, match="left alone"):
        source.read_page(volume, volume.pages[0])
    assert library.paths().count("/a.jpg") == 1, "it was not asked in the meantime"
    time.sleep(1.0)
    assert source.read_page(volume, volume.pages[0]).data == JPEG


@pytest.mark.parametrize("status", [401, 403, 404, 410, 501])
def test_a_refusal_is_asked_once_and_final(library, source, status):
    ref = one_image(library)
    library.replies["/a.jpg"] = Reply(b"no", status)
    with pytest.raises(PageError, match=f"the server says {status}") as failed:
        read(source, ref)
    assert not failed.value.retryable
    assert library.paths().count("/a.jpg") == 1


@pytest.mark.parametrize("body", [b"<html>too many requests</html>", b'\n {"error": "busy"}', b""])
def test_a_text_in_place_of_an_image_is_no_page_and_not_kept(library, source, body):
    ref = one_image(library)
    library.replies["/a.jpg"] = Reply(body, headers={"Content-Type": "image/jpeg"})
    with pytest.raises(PageError, match="not an image") as failed:
        read(source, ref)
    assert failed.value.retryable
    library.replies["/a.jpg"] = Reply.image(JPEG)
    assert read(source, ref).data == JPEG


def test_an_image_that_is_too_large_is_not_read(library, source, monkeypatch):
    monkeypatch.setattr("bec_iiif.library.MAX_IMAGE_BYTES", 1000)
    ref = one_image(library)
    library.replies["/a.jpg"] = Reply.image(b"\xff" * 1001)
    with pytest.raises(PageError, match="more than 1,000") as failed:
        read(source, ref)
    assert not failed.value.retryable


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (Reply(b"", 404), ManifestMissing, "says 404"),
        (Reply(b"", 403), ManifestMissing, "says 403"),
        (Reply(b"<html>", 200), ManifestInvalid, "HTML"),
        (Reply(b"{}", 200), ManifestInvalid, "no IIIF manifest"),
        (Reply(b"", 503), StorageError, "says 503"),
        (Reply(silent_s=5.0), StorageError, "attempts"),
    ],
)
def test_a_manifest_that_can_not_be_had(library, source, reply, error, words):
    library.replies["/v1/manifest"] = reply
    with pytest.raises(error, match=words):
        source.resolve(VolumeRef("W1", "I1", f"iiif:{library.url}/v1/manifest"))


# -- where it may go --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source_text",
    [
        "iiif",
        "iiif:file:///etc/passwd",
        "iiif:ftp://l.example/a",
        "iiif:https://me:secret@l.example/a",
        "iiif:nothing",
    ],
)
def test_a_message_names_an_http_url_or_nothing(source, source_text):
    with pytest.raises(InvalidMessage):
        source.resolve(VolumeRef("W1", "I1", source_text))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1", "[::ffff:127.0.0.1]"]
)
def test_a_message_leads_no_worker_to_its_own_network(library, source_of, host):
    port = library.url.rpartition(":")[2]
    with pytest.raises(InvalidMessage, match="BEC_IIIF_ALLOW_PRIVATE"):
        source_of(allow_private=False).resolve(
            VolumeRef("W1", "I1", f"iiif:http://{host}:{port}/v1/manifest")
        )
    assert library.asked == []


def test_neither_does_an_image_of_a_public_manifest(library, source_of):
    ref = one_image(library)
    volume = source_of().resolve(ref)
    guarded = source_of(allow_private=False)  # the manifest is at hand, the image is not
    with pytest.raises(PageError, match="ALLOW_PRIVATE") as failed:
        guarded.read_page(volume, volume.pages[0])
    assert (failed.value.retryable, failed.value.error_type) == (False, "NotAllowed")


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://l.example/a", "gopher://l.example"])
def test_a_redirect_to_another_scheme_is_not_followed(library, source, to):
    ref = one_image(library)
    library.replies["/a.jpg"] = Reply(status=302, headers={"Location": to})
    with pytest.raises(PageError, match="not an http or https URL"):
        read(source, ref)


def test_redirects_are_followed_but_not_for_ever(library, source):
    ref = one_image(library)
    library.replies["/b.jpg"] = library.replies["/a.jpg"]
    library.replies["/a.jpg"] = Reply(status=301, headers={"Location": "/b.jpg"})
    assert read(source, ref).data == JPEG
    library.replies["/c/manifest"] = Reply(status=302, headers={"Location": "/c/manifest"})
    with pytest.raises(InvalidMessage, match="more than 3 times"):
        source.resolve(VolumeRef("W1", "I1", f"iiif:{library.url}/c/manifest"))


# -- what is kept -----------------------------------------------------------------------------------------


def test_what_was_fetched_is_not_fetched_again_by_another_process(library, source_of):
    library.services.append(image_service("/bdr:", JPEG))
    ref = served(library, bdrc(library.url, 3))
    first = source_of()
    volume = first.resolve(ref)
    found = [first.read_page(volume, page) for page in volume.pages]
    asked = len(library.asked)
    second = source_of()
    volume = second.resolve(ref)
    assert [second.read_page(volume, page) for page in volume.pages] == found
    assert len(library.asked) == asked


def test_what_was_kept_for_long_is_asked_for_with_a_condition(library, source_of):
    library.etags = True
    ref = one_image(library)
    read(source_of(), ref)
    again = source_of(fresh_hours=0.0)
    asked = len(library.asked)
    assert read(again, ref).data == JPEG
    assert "If-None-Match" in library.asked[-1].headers
    library.replies["/a.jpg"] = Reply.image(JPEG + b" scanned anew")
    assert read(again, ref).data == JPEG + b" scanned anew"
    assert len(library.asked) == asked + 2


def test_a_page_of_a_manifest_that_changed_meanwhile_is_no_other_page(library, source_of, monkeypatch):
    library.services.append(image_service("/bdr:", JPEG))
    ref = served(library, bdrc(library.url, 3))
    volume = source_of().resolve(ref)
    served(library, bdrc(library.url, 2), "/v1/manifest")
    monkeypatch.setattr("bec_iiif.library._MANIFEST_FRESH_S", -1.0)
    late = source_of()
    with pytest.raises(PageError, match="has changed"):
        late.read_page(volume, volume.pages[0])


def test_bec_says_who_it_is(library, source_of):
    read(source_of(contact="me@library.example"), one_image(library))
    assert all("bec/" in one.headers["User-Agent"] for one in library.asked)
    assert all("(me@library.example)" in one.headers["User-Agent"] for one in library.asked)


def test_a_host_is_asked_at_its_pace(library, source_of):
    library.services.append(image_service("/bdr:", JPEG))
    ref = served(library, bdrc(library.url, 3))
    slow = source_of(requests_per_second=5.0)
    volume = slow.resolve(ref)
    for page in volume.pages:
        slow.read_page(volume, page)
    at = [one.at for one in library.asked]
    assert min(b - a for a, b in itertools.pairwise(at)) > 0.15


# -- what a person names ----------------------------------------------------------------------------------


def test_a_manifest_s_url_is_a_volume_and_needs_no_request(library, source):
    (ref,) = source.find(f"{library.url}/books/Ω-7/manifest.json")
    assert library.asked == []
    assert ref.w_id.startswith("127.0.0.1-")
    assert ref.i_id.startswith("7-")
    assert source.find(f"{library.url}/books/Ω-7/manifest.json") == [ref]
    assert source.find(f"{library.url}/books/Ω-7/manifest.json#xywh") == [ref]
    assert source.find(f"{library.url}/books/Ω-7/manifest.json?v=2") != [ref]


def test_a_collection_is_its_manifests_and_those_of_the_collections_in_it(library, source):
    def manifest(name):
        return {"id": f"{library.url}/{name}/manifest", "type": "Manifest"}

    def collection(*items):
        return Reply.of_json({"type": "Collection", "items": items})

    top, inner = ({"id": f"{library.url}/{name}", "type": "Collection"} for name in ("top", "inner"))
    library.replies["/top"] = collection(manifest("a"), inner, {"id": "urn:x", "type": "Manifest"})
    library.replies["/inner"] = collection(manifest("b"), manifest("a"), top)
    found = source.find(f"{library.url}/top")
    assert [ref.i_id.partition("-")[0] for ref in found] == ["a", "b"]
    with pytest.raises(
        ManifestInvalid, match=r"is a collection, not a volume; ask for what is in it: .*/a/manifest"
    ):
        source.resolve(VolumeRef("W1", "I1", f"iiif:{library.url}/top"))


@pytest.mark.parametrize("place", ["ftp://l.example/a", "W1,I1", "/nowhere"])
def test_a_place_that_is_none_is_said(library, source, place):
    with pytest.raises(SettingsError):
        source.find(place if "/nowhere" not in place else library.url + place)
