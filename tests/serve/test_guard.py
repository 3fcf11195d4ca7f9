"""Who gets in, from where, by what; and what no page lets through."""

from __future__ import annotations

import time

import pytest

from bec_core.errors import SettingsError
from bec_core.settings import Secret
from bec_serve.guard import POLICY
from bec_serve.hosts import Hosts, is_loopback, same_origin
from bec_serve.rights import Access, Links, Right
from bec_serve.serving import Serving
from support.serving import ACT, LOOK, MARK, ORIGIN, Client, form_token, log_in


def test_on_loopback_everybody_may_look(client: Client) -> None:
    answer = client().get("/")
    assert answer.status_code == 200
    assert "No job is open" in answer.text


def test_every_answer_carries_the_headers_that_keep_strangers_out(client: Client) -> None:
    here = client()
    for path in ("/", "/login", "/nowhere", "/static/serve.js"):
        headers = here.get(path).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "unsafe" not in POLICY
    assert here.get("/").headers["cache-control"] == "no-store"


def test_off_loopback_nothing_is_shown_without_a_token(client: Client) -> None:
    here = client(host="0.0.0.0")
    answer = here.get("/jobs/x?span=day")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Fjobs%2Fx%3Fspan%3Dday"
    assert here.get("/live?page=/").status_code == 401
    assert here.get("/login").status_code == 200
    wrong = here.get("/", headers={"authorization": f"Bearer {ACT}"})
    assert wrong.status_code == 401  # there is no such right without --allow-actions
    assert here.get("/", headers={"authorization": f"Bearer {LOOK}"}).status_code == 200


def test_a_token_lets_one_in_by_the_form_and_the_way_out_closes(client: Client) -> None:
    here = client(host="0.0.0.0")
    assert log_in(here, "no such token at all") == 403
    assert here.get("/").status_code == 303
    assert log_in(here, LOOK) == 303
    page = here.get("/")
    assert page.status_code == 200
    here.post("/logout", data={"form_token": form_token(page.text)}, headers=ORIGIN)
    assert here.get("/").status_code == 303


def test_the_cookie_is_kept_from_scripts_and_other_sites(client: Client) -> None:
    here = client(host="0.0.0.0")
    page = here.get("/login").text
    answer = here.post(
        "/login", data={"form_token": form_token(page), "token": LOOK, "next": "/"}, headers=ORIGIN
    )
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert LOOK not in cookie


def test_a_changed_cookie_is_worth_nothing(client: Client) -> None:
    here = client(host="0.0.0.0")
    log_in(here, LOOK)
    name, value = next(iter(here.cookies.items()))
    here.cookies.clear()
    here.cookies.set(name, value[:-3] + ("AAA" if not value.endswith("AAA") else "BBB"))
    assert here.get("/").status_code == 303


def test_a_link_lets_one_in_once(client: Client) -> None:
    here = client(host="0.0.0.0")
    serving: Serving = here.app.state.serving  # type: ignore[attr-defined]
    link = serving.links.issue(frozenset({Right.LOOK}))
    answer = here.get(f"/?span=day&token={link}")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?span=day"
    assert here.get("/").status_code == 200
    here.cookies.clear()
    again = here.get(f"/?token={link}")
    assert again.headers["location"].startswith("/login?old=1")
    assert here.get("/").status_code == 303


def test_a_link_is_worth_nothing_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    links = Links()
    link = links.issue(frozenset({Right.LOOK}))
    now = time.monotonic()
    monkeypatch.setattr("bec_serve.rights.time.monotonic", lambda: now + 3601)
    assert not links.redeem(link)


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:x", "/login?x"]
)
def test_logging_in_leads_to_no_other_site(client: Client, target: str) -> None:
    here = client(host="0.0.0.0")
    page = here.get("/login").text
    fields = {"form_token": form_token(page), "token": LOOK, "next": target}
    assert here.post("/login", data=fields, headers=ORIGIN).headers["location"] == "/"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "", "127.0.0.1:x", "a/b"]
)
def test_a_name_that_is_not_ours_is_refused(client: Client, host: str) -> None:
    assert client().get("/", headers={"host": host}).status_code == 421


def test_own_names_and_addresses_are_answered(client: Client) -> None:
    here = client(host_names=["bec.example.org"])
    for host in ("localhost:8420", "127.0.0.1", "[::1]:8420", "bec.example.org", "BEC.example.org."):
        assert here.get("/", headers={"host": host}).status_code == 200, host


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://127.0.0.1:9999", "file://127.0.0.1:8420"]
)
def test_a_form_from_elsewhere_is_refused(client: Client, origin: str | None) -> None:
    here = client(allow_actions=True)
    page = here.get("/login").text
    headers = {"origin": origin} if origin else {}
    fields = {"form_token": form_token(page), "token": ACT, "next": "/"}
    assert here.post("/login", data=fields, headers=headers).status_code == 403


def test_a_form_needs_its_visitors_own_token(client: Client) -> None:
    here = client(allow_actions=True)
    theirs = form_token(here.get("/login").text)
    here.cookies.clear()
    here.get("/login")
    fields = {"form_token": theirs, "token": ACT, "next": "/"}
    assert here.post("/login", data=fields, headers=ORIGIN).status_code == 403
    assert here.post("/login", data={"token": ACT}, headers=ORIGIN).status_code == 403


def test_rights_are_separate() -> None:
    access = Access({Right.MARK: Secret(MARK), Right.ACT: Secret(ACT)}, free=frozenset({Right.LOOK}))
    assert access.proven_by(MARK) == {Right.LOOK, Right.MARK}
    assert access.proven_by(ACT) == {Right.LOOK, Right.ACT}
    assert access.proven_by("") == frozenset()
    assert access.proven_by("\ud800") == frozenset()


def test_a_short_token_and_one_for_two_rights_are_refused() -> None:
    with pytest.raises(SettingsError, match="at least 16"):
        Access({Right.LOOK: Secret("short")})
    with pytest.raises(SettingsError, match="of its own"):
        Access({Right.LOOK: Secret(ACT), Right.ACT: Secret(ACT)})


def test_a_name_that_cannot_be_shown_is_escaped(client: Client) -> None:
    answer = client().get("/jobs/%3Cscript%3Ealert(1)%3C%2Fscript%3E%E2%80%AE")
    assert answer.status_code == 404
    assert "<script>alert" not in answer.text
    assert "\u202e" not in answer.text


def test_loopback_is_known() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "127.8.8.8"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "bec.example.org"))


def test_origins_are_compared_without_the_scheme() -> None:
    assert same_origin("https://bec.example.org", "bec.example.org")
    assert not same_origin("https://bec.example.org", "")
    assert not same_origin("", "")
    assert not Hosts().allows("bec.example.org")
