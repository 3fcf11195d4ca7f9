"""The catalogue: titles and links are a stranger's text."""

from __future__ import annotations

from pathlib import Path

import pytest

from bec_core.catalogue import load_catalogue
from bec_core.errors import SettingsError
from bec_core.models import Work


def test_titles_and_links_by_work(tmp_path: Path) -> None:
    file = tmp_path / "works.csv"
    file.write_text(
        '\ufeffTitle,Work,link\n"Jewel, a <b>tree</b>\x1b[31m",W1,https://x.org/1\nOther,W2,\n\n',
        encoding="utf-8",
    )
    found = load_catalogue(file, "https://library.org/{work}?a=1")
    assert found.of("W1") == Work("Jewel, a <b>tree</b>\\x1b[31m", "https://x.org/1")
    assert found.of("W2") == Work("Other", "https://library.org/W2?a=1")
    assert found.of("W3 &/") == Work(None, "https://library.org/W3%20%26%2F?a=1")
    assert found.of("iiif-12345678:W2") == Work("Other", None), "another source's work is not in the library"
    assert found.titled("jeWEL") == ["W1"]
    assert not load_catalogue(None, None)
    assert load_catalogue(None, None).of("W1") == Work()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must name the columns"),
        ("W1,Title\n", "must name the columns"),
        ("work,title,link\nW1,T,javascript:alert(1)\n", "line 2: its link 'javascript:alert"),
        ("work,title,link\nW1,T,https://a@b/\n", "line 2: its link"),
        ('work,title,link\nW1,T,"https://a/""x"\n', "line 2: its link"),
        ("work,title\n,T\n", "line 2: it names no work"),
    ],
)
def test_what_is_no_catalogue_is_told(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "works.csv"
    file.write_text(text)
    with pytest.raises(SettingsError, match=said):
        load_catalogue(file, None)


def test_a_pattern_needs_a_place_for_the_work_and_a_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no \\{work\\}"):
        load_catalogue(None, "https://library.org/")
    with pytest.raises(SettingsError, match="no http or https URL"):
        load_catalogue(None, "javascript:{work}")
    with pytest.raises(SettingsError, match="can't be read"):
        load_catalogue(tmp_path / "none.csv", None)
