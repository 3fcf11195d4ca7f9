"""What goes by https, and what comes compressed."""

import gzip

import pytest

from bec_iiif.errors import NotAllowed, TooLarge, Unavailable
from bec_iiif.fetch import Fetcher
from bec_iiif.pace import Pace
from support.https_server import https_server
from support.iiif_server import HURRIED, Reply


@pytest.fixture
def fetcher(tmp_path):
    return Fetcher(
        Pace(tmp_path, per_second=1000.0, most_wait_s=1.0), HURRIED, agent="bec", allow_private=True
    )


def get(fetcher, url, most_bytes=10_000):
    return fetcher.get(url, most_bytes=most_bytes, accept="*/*")


@pytest.fixture
def safe(tmp_path):
    (tmp_path / "tls").mkdir()
    with https_server(tmp_path / "tls") as server:
        server.files["/a"] = b"by https"
        yield server


def test_a_server_s_certificate_must_be_trusted(fetcher, safe):
    with pytest.raises(Unavailable, match="not safe"):
        get(fetcher, f"{safe.url}/a")
    assert safe.asked == []


def test_a_redirect_never_leads_out_of_https_but_may_lead_into_it(fetcher, safe, library, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(safe.certificate))
    library.replies["/in"] = Reply(status=301, headers={"Location": f"{safe.url}/a"})
    safe.redirects["/out"] = f"{library.url}/b"
    assert get(fetcher, f"{library.url}/in").data == b"by https"
    with pytest.raises(NotAllowed, match="out of https"):
        get(fetcher, f"{safe.url}/out")
    assert "/b" not in library.paths()


def test_a_host_that_leads_to_https_is_asked_by_it_from_then_on(fetcher):
    assert fetcher._upgraded("http://l.example/b") == "http://l.example/b"
    assert fetcher._next("http://l.example/a", "https://l.example/a") == "https://l.example/a"
    assert fetcher._upgraded("http://l.example/b") == "https://l.example/b"
    assert fetcher._upgraded("http://m.example/b") == "http://m.example/b"


def test_what_comes_compressed_is_bounded_as_it_unpacks(fetcher, library):
    library.replies["/a"] = Reply(gzip.compress(b"{}" * 100), headers={"Content-Encoding": "gzip"})
    library.replies["/b"] = Reply(gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"})
    assert get(fetcher, f"{library.url}/a").data == b"{}" * 100
    with pytest.raises(TooLarge, match="more than 100,000 bytes"):
        get(fetcher, f"{library.url}/b", most_bytes=100_000)


@pytest.mark.parametrize("location", ["", "http://[::1", "//", "javascript:alert(1)"])
def test_a_redirect_to_nowhere(fetcher, library, location):
    library.replies["/a"] = Reply(status=302, headers={"Location": location} if location else {})
    with pytest.raises(NotAllowed):
        get(fetcher, f"{library.url}/a")


def test_a_silent_host_is_no_other_host_s_concern(fetcher, library):
    library.replies["/a"] = Reply(status=503, headers={"Retry-After": "3000"})
    with pytest.raises(Unavailable, match="to ask again in 3000 s"):
        get(fetcher, f"{library.url}/a")
    library.replies["/b"] = Reply(b"fine")
    assert get(fetcher, f"{library.url}/b".replace("127.0.0.1", "localhost")).data == b"fine"
