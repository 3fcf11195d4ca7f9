"""File names for what is written out are safe, and no two alike."""

from bec_ldv1.artifacts.writing.names import file_stems


def test_file_names_are_safe_and_differ():
    images = ["1.jpg", "1.tif", "A.jpg", "a.jpg", "../../etc/x.png", "..", "b?*\x00.jpg", "c.d.jpg", "1.tif"]
    stems = file_stems(images)
    assert stems == ["1.jpg", "1.tif", "A.jpg", "a.jpg~2", "x", "page", "b___", "c.d", "1.tif~2"]
    assert len({stem.casefold() for stem in stems}) == len(images)


def test_long_file_names_fit_into_a_directory_entry(tmp_path):
    images = [f"{'བོད' * 60}{number}.jpg" for number in (1, 2)]
    stems = file_stems(images)
    assert len(set(stems)) == 2
    for stem in stems:
        (tmp_path / f"{stem}_001.jsonl").touch()
