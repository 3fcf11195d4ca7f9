"""How reports name volumes, and find what is recorded of their pages."""

import json
from typing import Any

import pytest
from attrs import frozen

from bec_core import (
    Page,
    Volume,
    VolumeRef,
    Work,
    error_messages,
    records_of,
    report_parts,
    volume_title,
    work_html,
)


@frozen
class Reported:
    """A volume of a report with nothing but its name and its errors file."""

    basename: str = "W1-I1-abcdef"
    errors: bytes | None = None

    def artifact(self, suffix: str) -> bytes:
        assert suffix == "-errors.jsonl"
        if self.errors is None:
            raise FileNotFoundError(suffix)
        return self.errors


def pages(*names: str) -> list[Page]:
    return [Page(index, name) for index, name in enumerate(names)]


@pytest.mark.parametrize(("ids", "title"), [(("W1", "I1"), "W1 · I1"), (("scans", "scans"), "scans")])
def test_a_volume_is_named_by_its_ids(ids: tuple[str, str], title: str) -> None:
    assert volume_title(Volume(VolumeRef(*ids), bytes(16), "abcdef", ())) == title


def test_a_work_is_its_title_and_its_link_and_both_stay_text() -> None:
    link = "https://example.org/1?a=1&b=2"
    assert work_html(Work('<b>"&', link)) == (
        '<div class="work"><bdi>&lt;b&gt;&quot;&amp;</bdi> <a href="https://example.org/1?a=1&amp;b=2" '
        'target="_blank" rel="noreferrer">in the catalogue</a></div>'
    )
    assert work_html(Work("བཀྲ་ཤིས།")) == '<div class="work"><bdi lang="bo">བཀྲ་ཤིས།</bdi></div>'
    assert "bdi" not in work_html(Work(None, link))
    assert work_html(Work()) == ""


def test_folders_are_safe_and_differ_in_any_case_of_letters() -> None:
    volumes: list[Any] = [Reported(name) for name in ("W1-I1-ab", "w1-i1-AB", "a b/c", "..", "W1-I1-ab")]
    assert report_parts(volumes, lambda _, folder: folder) == [
        "W1-I1-ab",
        "w1-i1-AB-2",
        "a_b_c",
        "volume",
        "W1-I1-ab-3",
    ]


def test_records_in_the_pages_order_are_taken_one_by_one() -> None:
    records = [("1.jpg", "a"), ("1.jpg", "b")]
    assert records_of(pages("1.jpg", "1.jpg"), records, lambda record: record[0]) == records


def test_other_records_are_found_by_name_and_a_missing_one_is_none() -> None:
    records = [("2.jpg", "b"), ("1.jpg", "a"), ("9.jpg", "c")]
    found = records_of(pages("1.jpg", "2.jpg", "3.jpg"), records, lambda record: record[0])
    assert found == [("1.jpg", "a"), ("2.jpg", "b"), None]


def test_messages_are_read_past_bad_lines() -> None:
    lines = [json.dumps({"img_filename": name, "message": f"{name} is torn"}) for name in ("1.jpg", "2.jpg")]
    volume: Any = Reported(errors="\n".join([lines[0], "{", "[]", '{"message": 1}', lines[1]]).encode())
    assert error_messages(volume) == {"1.jpg": "1.jpg is torn", "2.jpg": "2.jpg is torn"}


def test_a_lost_errors_file_means_no_messages() -> None:
    volume: Any = Reported()
    assert error_messages(volume) == {}
