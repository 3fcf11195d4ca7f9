"""Where a resource is, as people write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bec_core.errors import JobConfigError, SettingsError
from bec_core.job_config import structure_job
from bec_core.resource_place import ResourcePlace, parse_place
from support.author_job import AUTHOR

SHA = "ab" * 32


@pytest.mark.parametrize(
    ("text", "place", "name"),
    [
        ("/models/m.pt", ResourcePlace("path", "/models/m.pt"), "m.pt"),
        (f" /models/m.pt#sha256={SHA.upper()} ", ResourcePlace("path", "/models/m.pt", SHA), "m.pt"),
        ("/models/../a#b", ResourcePlace("path", "/a#b"), "a#b"),
        ("file:///a%20b/c", ResourcePlace("path", "/a b/c"), "c"),
        ("s3://bucket/deep/truth/", ResourcePlace("s3", "s3://bucket/deep/truth"), "truth"),
        (f"s3://bucket/m.pt#sha256={SHA}", ResourcePlace("s3", "s3://bucket/m.pt", SHA), "m.pt"),
        (
            f"https://host/a/m.pt?x=1#sha256={SHA}",
            ResourcePlace("https", "https://host/a/m.pt?x=1", SHA),
            "m.pt",
        ),
        (f"https://host#sha256={SHA}", ResourcePlace("https", "https://host", SHA), "resource"),
    ],
)
def test_a_place_is_read(text: str, place: ResourcePlace, name: str) -> None:
    found = parse_place(text)
    assert found == place
    assert found.name == name


def test_a_path_may_be_relative_or_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert parse_place("m.pt").path == tmp_path / "m.pt"
    assert parse_place("~/m.pt").path == tmp_path / "home/m.pt"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("#sha256=" + SHA, "is empty"),
        ("/m.pt#sha256=", "64 hex digits"),
        ("/m.pt#sha256=zz", "64 hex digits"),
        ("https://host/m.pt", "say what must come from there"),
        (f"http://host/m.pt#sha256={SHA}", "is a path, or an s3:// or https:// URL"),
        ("ftp://host/m.pt", "is a path, or an s3:// or https:// URL"),
        (f"https://me:secret@host/m.pt#sha256={SHA}", "can't hold a password: host"),
        ("s3://bucket", "names no object"),
        ("s3:///key", "names no object"),
        ("file://elsewhere/m.pt", "no file of this machine"),
        ("/a\x00b", "is no path"),
        ("~nobody-here/x", "nobody-here"),
    ],
)
def test_what_is_no_place_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        parse_place(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"model": "m.pt"}, "not an absolute path"),
        ({"model": "https://host/m.pt"}, "say what must come"),
        ({"modell": "/m.pt"}, r"modell: author declares no such resource \(declared: model, truth\)"),
        ({"model": 3}, "not a string"),
        (["/m.pt"], "resources"),
    ],
)
def test_a_config_names_places_that_every_machine_can_read(resources: object, said: str) -> None:
    with pytest.raises(JobConfigError, match=said):
        structure_job({"resources": resources}, AUTHOR)


def test_a_config_may_name_resources() -> None:
    places = {"model": f"s3://bucket/m.pt#sha256={SHA}", "truth": "/truth"}
    _, runtime = structure_job({"resources": places}, AUTHOR)
    assert runtime.resources == places
