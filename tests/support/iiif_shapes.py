"""Manifests in the shapes that libraries serve, drawn up for these tests with what each of them does its own way."""

from __future__ import annotations

from typing import Any

V2 = "http://iiif.io/api/presentation/2/context.json"
V3 = "http://iiif.io/api/presentation/3/context.json"


def service_2(service_id: str, **more: Any) -> dict[str, Any]:
    return {
        "@context": "http://iiif.io/api/image/2/context.json",
        "@id": service_id,
        "profile": "http://iiif.io/api/image/2/level2.json",
        **more,
    }


def canvas_2(number: int, resource: Any, label: Any = None) -> dict[str, Any]:
    return {
        "@id": f"https://example.org/canvas/{number}",
        "@type": "sc:Canvas",
        "label": label or f"p. {number}",
        "width": 2000,
        "height": 700,
        "images": [
            {
                "@type": "oa:Annotation",
                "motivation": "sc:painting",
                "resource": resource,
                "on": f"canvas/{number}",
            }
        ],
    }


def image_2(url: str, service: Any = None, **more: Any) -> dict[str, Any]:
    resource = {
        "@id": url,
        "@type": "dctypes:Image",
        "format": "image/jpeg",
        "width": 2000,
        "height": 700,
        **more,
    }
    return resource if service is None else {**resource, "service": service}


def manifest_2(canvases: list[Any], **more: Any) -> dict[str, Any]:
    return {
        "@context": V2,
        "@id": "https://example.org/manifest",
        "@type": "sc:Manifest",
        "label": "a volume",
        "sequences": [{"@type": "sc:Sequence", "canvases": canvases}],
        **more,
    }


def canvas_3(number: int, body: Any, label: Any = None) -> dict[str, Any]:
    canvas = f"https://example.org/canvas/{number}"
    annotation = {
        "id": f"{canvas}/a",
        "type": "Annotation",
        "motivation": "painting",
        "body": body,
        "target": canvas,
    }
    return {
        "id": canvas,
        "type": "Canvas",
        "label": label or {"en": [f"Page {number}"]},
        "width": 2000,
        "height": 700,
        "items": [{"id": f"{canvas}/p", "type": "AnnotationPage", "items": [annotation]}],
    }


def image_3(url: str, service: Any = None, **more: Any) -> dict[str, Any]:
    body = {"id": url, "type": "Image", "format": "image/jpeg", "width": 2000, "height": 700, **more}
    return body if service is None else {**body, "service": service}


def manifest_3(canvases: list[Any], **more: Any) -> dict[str, Any]:
    return {
        "@context": V3,
        "id": "https://example.org/manifest",
        "type": "Manifest",
        "label": {"bo": ["དཔེ་ཆ།"], "en": ["a volume"]},
        "items": canvases,
        **more,
    }


def bdrc(base: str, pages: int, image_host: str | None = None) -> dict[str, Any]:
    """The Buddhist Digital Resource Center's: version 2, ids with colons, labels with languages, one service."""

    def canvas(number: int) -> dict[str, Any]:
        service = f"{image_host or base}/bdr:I1BEC1::I1BEC1{number:04}.jpg"
        resource = image_2(f"{service}/full/max/0/default.jpg", service_2(service))
        return canvas_2(number, resource, [{"@language": "en", "@value": f"p. {number}"}])

    label = [{"@language": "bo-x-ewts", "@value": "bka' 'gyur/"}]
    return manifest_2([canvas(n) for n in range(1, pages + 1)], label=label, viewingHint="paged")


def internet_archive_3(base: str, pages: int) -> dict[str, Any]:
    """The Internet Archive's, version 3: Cantaloupe, escaped slashes within ids, a list of services of two versions."""

    def canvas(number: int) -> dict[str, Any]:
        name = f"book_1%2Fbook_1_jp2.zip%2Fbook_1_jp2%2Fbook_1_{number:04}.jp2"
        three = {"id": f"{base}/image/iiif/3/{name}", "type": "ImageService3", "profile": "level2"}
        two = {"@id": f"{base}/image/iiif/2/{name}", "@type": "ImageService2", "profile": "level2"}
        return canvas_3(number, image_3(f"{three['id']}/full/max/0/default.jpg", [two, three]))

    return manifest_3(
        [canvas(n) for n in range(1, pages + 1)], provider=[{"id": "https://archive.org", "type": "Agent"}]
    )


def internet_archive_2(base: str, pages: int) -> dict[str, Any]:
    """The Internet Archive's first service: ids with a dollar and a number, no width or height of an image."""

    def canvas(number: int) -> dict[str, Any]:
        service = f"{base}/iiif/book_1${number}"
        resource = {
            "@id": f"{service}/full/full/0/default.jpg",
            "@type": "dctypes:Image",
            "service": service_2(service),
        }
        return canvas_2(number, resource)

    return manifest_2([canvas(n) for n in range(pages)])


def gallica(base: str, pages: int) -> dict[str, Any]:
    """Gallica's: Presentation 2, but Image API 1.1 with the quality ``native``; arks with a colon and slashes."""

    def canvas(number: int) -> dict[str, Any]:
        service = f"{base}/iiif/ark:/12148/btv1bec0001/f{number}"
        one = {
            "@context": "http://iiif.io/api/image/1/context.json",
            "@id": service,
            "profile": "http://library.stanford.edu/iiif/image-api/1.1/compliance.html#level2",
        }
        return canvas_2(number, image_2(f"{service}/full/full/0/native.jpg", one), "NP")

    return manifest_2(
        [canvas(n) for n in range(1, pages + 1)], license="https://gallica.bnf.fr/html/und/conditions"
    )


def british_library(base: str, pages: int) -> dict[str, Any]:
    """The British Library's: version 2, a profile that is a list with its limits, covers without an image."""

    def canvas(number: int) -> dict[str, Any]:
        service = f"{base}/image/iiif/ark:/81055/vdc_1.0x{number:06x}"
        profile = ["http://iiif.io/api/image/2/level2.json", {"maxWidth": 1000, "formats": ["jpg"]}]
        resource = image_2(f"{service}/full/600,/0/default.jpg", service_2(service, profile=profile))
        one = canvas_2(number, resource, f"f. {number}r")
        return {**one, "images": []} if number == 1 else one

    return manifest_2([canvas(n) for n in range(1, pages + 1)])


def e_codices(base: str, pages: int) -> dict[str, Any]:
    """e-codices': version 2, loris, ids that say http, ``.jp2`` in the ids, a label that is a number."""

    def canvas(number: int) -> dict[str, Any]:
        service = f"{base}/loris/csg/csg-0001/csg-0001_{number:03}.jp2"
        return canvas_2(number, image_2(f"{service}/full/full/0/default.jpg", service_2(service)), number)

    return manifest_2([canvas(n) for n in range(1, pages + 1)])
