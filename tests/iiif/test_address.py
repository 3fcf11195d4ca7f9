"""Which addresses are asked."""

import socket

import pytest

from bec_iiif.address import connections, is_public, normal_url
from bec_iiif.errors import NotAllowed


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:169.254.169.254", "2002:7f00:1::", "64:ff9b::a9fe:a9fe",
    ],
)  # fmt: skip
def test_addresses_of_this_machine_and_of_private_networks(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_addresses_of_the_open_internet(address):
    assert is_public(address)


def answering(monkeypatch, *addresses):
    """Make every name have these addresses, each look-up the next."""
    left = list(addresses)

    def getaddrinfo(host, port, *_, **__):
        address = left.pop(0) if len(left) > 1 else left[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_a_name_is_judged_by_its_address(monkeypatch, library):
    answering(monkeypatch, "127.0.0.1")
    port = library.url.rpartition(":")[2]
    with pytest.raises(NotAllowed, match=r"innocent\.example is not asked: 127\.0\.0\.1"):
        connections(allow_private=False, at_once=1).request(
            "GET", f"http://innocent.example:{port}/", retries=False
        )
    assert library.asked == []


def test_a_name_whose_address_changes_after_it_was_judged_gains_nothing(monkeypatch, library):
    """DNS rebinding: the first look-up gives a public address, the next ones this machine."""
    answering(monkeypatch, "93.184.216.34", "127.0.0.1")
    asked = []
    monkeypatch.setattr(
        "urllib3.util.connection.create_connection",
        lambda address, *_, **__: asked.append(address[0]) or (_ for _ in ()).throw(OSError("no way out")),
    )
    port = library.url.rpartition(":")[2]
    with pytest.raises(Exception, match="no way out"):
        connections(allow_private=False, at_once=1).request(
            "GET", f"http://innocent.example:{port}/", retries=False
        )
    assert asked == ["93.184.216.34"]
    assert library.asked == []


def test_https_is_guarded_too(library):
    port = library.url.rpartition(":")[2]
    with pytest.raises(NotAllowed, match=r"127\.0\.0\.1"):
        connections(allow_private=False, at_once=1).request(
            "GET", f"https://127.0.0.1:{port}/", retries=False
        )


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("HTTPS://Gallica.BNF.fr/iiif/ark:/12148/btv1b1/manifest.json#x", "https://gallica.bnf.fr/iiif/ark:/12148/btv1b1/manifest.json"),
        ("https://l.example:443", "https://l.example/"),
        ("http://l.example:8080/a%2fb$1?q=ä b", "http://l.example:8080/a%2Fb$1?q=%C3%A4%20b"),
        (" https://l.example/བོད/manifest\n", "https://l.example/%E0%BD%96%E0%BD%BC%E0%BD%91/manifest"),
    ],
)  # fmt: skip
def test_urls_in_their_normal_form(given, normal):
    assert normal_url(given) == normal
    assert normal_url(normal) == normal


@pytest.mark.parametrize(
    "url",
    [
        "", "l.example/a", "file:///etc/passwd", "ftp://l.example", "http://", "https://u:p@l.example/", "urn:x:y",
        "http://[::1", "data:image/png;base64,AAAA",
    ],
)  # fmt: skip
def test_what_is_no_url_to_ask(url):
    with pytest.raises(NotAllowed):
        normal_url(url)
