"""Pages to try a job on."""

from importlib import resources


def sample_pages() -> dict[str, bytes]:
    """Two small pages with Tibetan text, of the sample volumes: grey JPEG and bilevel TIFF."""
    folder = resources.files("bec_core.testing") / "pages"
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir(), key=lambda path: path.name)}
