"""Markers: ours, the earlier system's, and whatever else may lie in a folder."""

import json

import pytest

from bec_core.artifacts import Marker, TaskFolder, artifact_of, intact, owner_of, parse_marker, write_marker
from bec_core.errors import LeaseLost
from bec_core.models import Page, Volume, VolumeRef
from bec_core.storage import open_store

VOLUME = Volume(VolumeRef("W1", "I1"), bytes(16), "000000", (Page(0, "1.jpg"),))
OLD = {"job_id": 1, "job_name": "ldv1", "total_images": 3, "nb_errors": 0}


@pytest.fixture
def folder(tmp_path):
    return TaskFolder(open_store(tmp_path.as_uri()), "ldv1", VOLUME)


@pytest.mark.parametrize("data", [b"", b"[]", b"nonsense", b"\xff", b"null", b"[" * 100_000])
def test_a_marker_that_is_no_object_stands_but_says_nothing(data):
    marker = parse_marker(data)
    assert (marker.content, marker.request, marker.recipe, marker.job_name) == ({}, 0, None, None)


@pytest.mark.parametrize("request_", [None, "3", 1.5, True, -1, []])
def test_a_marker_without_a_proper_number_answers_the_request_0_and_no_other(request_):
    marker = Marker({"request": request_})
    assert marker.answers(0)
    assert not marker.answers(1)


def test_a_marker_of_the_earlier_system_is_believed_and_of_no_known_recipe(folder):
    marker = Marker(OLD)
    assert intact(folder, marker)
    assert marker.recipe is None
    assert marker.answers(0)


def test_a_marker_is_intact_only_with_exactly_the_files_that_it_lists(folder):
    listed = artifact_of("a.bin", b"data")
    marker = Marker({"artifacts": [{"name": "a.bin", "size": listed.size, "sha256": listed.sha256}]})
    assert not intact(folder, marker)
    folder.store.put(folder.key("a.bin"), b"dat\x00")
    assert not intact(folder, marker)
    folder.store.put(folder.key("a.bin"), b"data")
    assert intact(folder, marker)


@pytest.mark.parametrize("listed", ["x", [1], [{}], [{"name": 7}], {"name": "a"}])
def test_nonsense_in_the_list_of_artifacts_kills_nobody(folder, listed):
    assert intact(folder, Marker({"artifacts": listed, "x": 1}))


def test_whose_a_marker_is():
    assert owner_of(Marker(OLD), "ldv1") is None
    assert owner_of(Marker(OLD), "ldv1-new") == "ldv1"
    assert owner_of(Marker({}), "ldv1-new") is None


def test_a_marker_takes_the_place_of_the_one_that_stood_at_the_claim(folder):
    write_marker(folder, {"n": 1}, standing=None, confirm=lambda: None)
    standing = folder.marker()
    write_marker(folder, {"n": 2}, standing=standing, confirm=lambda: None)
    assert folder.marker().content == {"n": 2}


@pytest.mark.parametrize("stood", [False, True])
def test_a_late_marker_never_replaces_a_successors(folder, stood):
    """Whoever lost the task meanwhile finds out when it is refused, and writes nothing."""
    standing = None
    if stood:
        write_marker(folder, {"n": 0}, standing=None, confirm=lambda: None)
        standing = folder.marker()
    calls = []

    def confirm():
        calls.append(1)
        if len(calls) == 1:  # the successor writes after our last look at the lease
            write_marker(folder, {"n": 2}, standing=standing, confirm=lambda: None)
        else:
            raise LeaseLost("taken over")

    with pytest.raises(LeaseLost):
        write_marker(folder, {"n": 1}, standing=standing, confirm=confirm)
    assert json.loads(folder.store.get(folder.key("success.json")).data) == {"n": 2}
