"""A source that a plugin brings: declared, found, picked, opened with its settings, and never in others' way."""

from __future__ import annotations

import hashlib
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest
from attrs import frozen

from bec_core import (
    ManifestMissing,
    Page,
    PageData,
    Secret,
    SettingsError,
    SourceSetup,
    SourceType,
    Volume,
    VolumeRef,
    file_volume,
    hookimpl,
    option,
    stable_id,
)
from bec_core.archive import Sources, open_sources
from bec_core.errors import InvalidMessage, PluginError
from bec_core.models import OutgoingMessage, decode_message, encode_message, tells_source
from bec_core.plugins import Plugins, load_plugins
from bec_core.settings import Settings

URL = "shelf://example.org/books/1#first"


@frozen
class ShelfSettings:
    """What the environment may say to the shelf."""

    key: Secret = option(Secret("none"), "What opens it.")
    pages: int = option(2, "How many pages a book has.")


class Shelf:
    """Books at URLs, and files that end in ``.book``: their pages are made up."""

    def __init__(self, setup: SourceSetup) -> None:
        self.setup = setup

    def find(self, place: str) -> list[VolumeRef]:
        if place.endswith("crash"):
            raise ZeroDivisionError("no shelf")
        if place.endswith("empty"):
            return []
        if place.endswith("foreign"):
            return [VolumeRef("W1", "I1", "bdrc")]
        if not place.startswith("shelf:"):
            return [file_volume("shelf", Path(place))]
        return [VolumeRef(stable_id(place), "1", f"shelf:{place}")]

    def resolve(self, ref: VolumeRef) -> Volume:
        if ref.source.endswith("gone"):
            raise ManifestMissing(f"{ref}: no such book")
        etag = hashlib.md5(ref.source.encode()).digest()
        pages = tuple(Page(n, f"p{n + 1}.png") for n in range(self.setup.settings.pages))
        return Volume(ref, etag, etag.hex()[:6], pages)

    def read_page(self, volume: Volume, page: Page) -> PageData:
        return PageData(f"{volume.ref.source} {page.filename}".encode(), "e", volume.ref.source)


SHELF = SourceType(
    "shelf", "test_shelf:Shelf", "Books that are made up.",
    in_messages=False, endings=(".book",), prefixes=("shelf://",), settings=ShelfSettings,
)  # fmt: skip


def plugin(monkeypatch: pytest.MonkeyPatch, name: str, *sources: object) -> EntryPoint:
    """The entry point of a plugin that brings these sources; its module can be imported."""
    module = ModuleType(f"test_{name}")

    @hookimpl
    def bec_sources() -> list[object]:
        return list(sources)

    vars(module).update(bec_sources=bec_sources, Shelf=Shelf)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return EntryPoint(name, module.__name__, "bec")


def sources_of(plugins: Plugins, home: Path, **environment: str) -> Sources:
    settings = Settings(home=home, source_url=(home / "archive").as_uri(), environment=environment)
    return open_sources(plugins.source_types.values(), settings)


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sources:
    plugins = load_plugins(found=[plugin(monkeypatch, "shelf", SHELF)], strict=True)
    assert set(plugins.source_types) == {"bdrc", "ocr_benchmark", "file", "shelf"}
    return sources_of(plugins, tmp_path, BEC_SHELF_PAGES="3")


def test_a_place_is_the_source_s_whose_prefix_it_has(sources: Sources) -> None:
    (ref,) = sources.find(URL).volumes
    assert ref.source == f"shelf:{URL}"
    volume = sources.resolve(ref)
    assert [page.filename for page in volume.pages] == ["p1.png", "p2.png", "p3.png"], "as its setting says"
    assert sources.read_page(volume, volume.pages[1]).data == f"shelf:{URL} p2.png".encode()
    assert sources.find(URL, source="shelf").volumes == (ref,)


def test_its_volumes_go_through_messages_and_the_database(sources: Sources) -> None:
    (ref,) = sources.find(URL).volumes
    message = encode_message(ref)
    assert decode_message(message) == ref
    assert decode_message(OutgoingMessage("", message.attributes)) == ref
    assert ref.db_w_id == f"shelf-{hashlib.sha256(ref.source.encode()).hexdigest()[:8]}:{ref.w_id}"
    assert not tells_source(ref.db_w_id)
    assert [tells_source(one) for one in ("W1", "W-1", "ocr_benchmark:W-1", "folder-0a1b2c3d:W1")] == [
        True, True, True, False,
    ]  # fmt: skip


def test_files_that_it_takes_are_volumes_among_the_folders(sources: Sources, tmp_path: Path) -> None:
    top = tmp_path / "scans"
    (top / "vol10").mkdir(parents=True)
    for name in ("vol10/1.jpg", "vol2.book", "vol10/sub.BOOK", ".hidden.book"):
        (top / name).write_bytes(b"x")
    (top / "a folder.book").mkdir()
    found = sources.find(str(top)).volumes
    assert [(ref.w_id, ref.i_id) for ref in found] == [
        ("scans", "vol2.book"), ("scans", "vol10"), ("scans", "vol10--sub.BOOK"),
    ]  # fmt: skip
    assert found[0].source == f"shelf:{(top / 'vol2.book').as_uri()}"
    assert len(sources.resolve(found[0]).pages) == 3
    (alone,) = sources.find(str(top / "vol2.book")).volumes
    assert (alone.w_id, alone.i_id, alone.source) == ("vol2", "vol2", found[0].source)
    with pytest.raises(SettingsError, match=r"vol10/1\.jpg is a file of which no source .*: \.book\)"):
        sources.find(str(top / "vol10/1.jpg"))


def test_what_a_message_may_not_name_no_cloud_worker_opens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plugins = load_plugins(found=[plugin(monkeypatch, "shelf", SHELF)])
    cloud = open_sources(plugins.source_types.values(), Settings(home=tmp_path, sql_host="h", sql_user="u"))
    with pytest.raises(InvalidMessage, match="shelf is not a source here"):
        cloud.resolve(VolumeRef("W1", "1", f"shelf:{URL}"))


def test_names_and_places_that_nobody_knows(sources: Sources) -> None:
    with pytest.raises(SettingsError, match=r"no source 'shelves' .known: bdrc, file, ocr_benchmark, shelf"):
        sources.find("W1,I1", source="shelves")
    with pytest.raises(SettingsError, match="nowhere is not a folder, and no source takes it"):
        sources.find("nowhere")
    with pytest.raises(SettingsError, match="finds no volume"):
        sources.find("shelf://empty")
    assert sources.find("W1,I1", source="bdrc", i_version="v1").volumes == (
        VolumeRef("W1", "I1", i_version="v1"),
    )
    assert sources.find("W1,I1,v2", source="bdrc", i_version="v1").volumes == (
        VolumeRef("W1", "I1", i_version="v2"),
    )
    with pytest.raises(SettingsError, match="write W_ID,I_ID"):
        sources.find("W1", source="bdrc")


def test_what_goes_wrong_in_it_is_told_with_its_name(sources: Sources) -> None:
    with pytest.raises(PluginError, match="the source shelf failed on 'shelf://crash': ZeroDivisionError"):
        sources.find("shelf://crash")
    with pytest.raises(PluginError, match="the source shelf found W1/I1 as one of 'bdrc'"):
        sources.find("shelf://foreign")
    with pytest.raises(ManifestMissing):
        sources.resolve(VolumeRef("W1", "1", "shelf:gone"))


def test_its_settings_are_checked_when_it_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plugins = load_plugins(found=[plugin(monkeypatch, "shelf", SHELF)])
    sources = sources_of(plugins, tmp_path, BEC_SHELF_PAGES="many")
    (tmp_path / "1.jpg").write_bytes(b"x")
    assert len(sources.find(str(tmp_path)).volumes) == 1, "nobody else minds"
    with pytest.raises(SettingsError, match="settings of shelf: BEC_SHELF_PAGES='many'"):
        sources.find(URL)


@pytest.mark.parametrize(
    ("brought", "reason"),
    [
        ("shelf", "bec_sources returned 'shelf', not a SourceType"),
        (SourceType("She-lf", "m:f", "", in_messages=False), "its name must be of small letters"),
        (SourceType("folder", "m:f", "", in_messages=False), "its name is taken"),
        (SourceType("x", "m:f", "", in_messages=False, endings=".pdf"), "its endings must be a tuple"),  # type: ignore[arg-type]
        (SourceType("x", "m:f", "", in_messages=False, endings=("pdf",)), "'pdf' must begin with '.'"),
        (SourceType("x", "m:f", "", in_messages=True, endings=(".x",)), "messages can't name its volumes"),
        (SourceType("x", "m:f", "", in_messages="no"), "its in_messages must be True or False"),  # type: ignore[arg-type]
        (SourceType("x", "m:f", "", in_messages=True, settings=dict), "is no attrs class"),
    ],
)
def test_what_is_no_source_breaks_only_its_plugin(
    monkeypatch: pytest.MonkeyPatch, brought: object, reason: str
) -> None:
    plugins = load_plugins(
        found=[plugin(monkeypatch, "bad", brought), plugin(monkeypatch, "shelf", SHELF)], quiet=True
    )
    assert "shelf" in plugins.source_types
    (broken,) = plugins.broken
    assert reason in broken.reason


def test_two_that_bring_one_name_are_both_left_out_but_never_what_the_core_brings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = SourceType("bdrc", "m:f", "", in_messages=True)
    found = [plugin(monkeypatch, "a", SHELF), plugin(monkeypatch, "b", SHELF), plugin(monkeypatch, "c", ours)]
    plugins = load_plugins(found=found, quiet=True)
    assert set(plugins.source_types) == {"bdrc", "ocr_benchmark", "file"}
    assert plugins.source_types["bdrc"].opener.startswith("bec_core.")
    assert [broken.reason for broken in plugins.broken] == [
        "bec-core and test_c both bring the source 'bdrc'; uninstall one of them",
        "test_a and test_b both bring the source 'shelf'; uninstall one of them",
        "test_a and test_b both bring the source 'shelf'; uninstall one of them",
    ]


def test_two_that_take_one_place_are_told_apart_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = SourceType(
        "rack", "test_shelf:Shelf", "", in_messages=False, endings=(".BOOK",), prefixes=("shelf:",)
    )
    plugins = load_plugins(found=[plugin(monkeypatch, "shelf", SHELF, other)])
    sources = sources_of(plugins, tmp_path)
    with pytest.raises(SettingsError, match=r"the sources shelf and rack both take shelf://.*--source NAME"):
        sources.find(URL)
    assert len(sources.find(URL, source="shelf").volumes) == 1
    (tmp_path / "1.book").write_bytes(b"x")
    with pytest.raises(SettingsError, match="both take"):
        sources.find(str(tmp_path / "1.book"))
