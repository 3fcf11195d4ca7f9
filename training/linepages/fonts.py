"""The fonts that pages are rendered with: installed at training time, none shipped.

Point sizes say little: two fonts at one size can differ by half in the height of their letters. A `Face` knows the
height of its letters' bodies, so that the renderer can ask for letters of a height in pixels.
"""

from __future__ import annotations

import statistics
from functools import cache
from pathlib import Path

import attrs
import numpy as np
from PIL import ImageFont, features

FONT_ROOT = Path("/usr/share/fonts")
BODY_LETTERS = "བམཔའ"
"""Letters without anything above their headline or below their body."""

TIBETAN_FILES: dict[str, dict[str, str]] = {
    "fonts-ddc-uchen": {"DDC_Uchen.ttf": "uchen"},
    "fonts-dzongkha": {"Jomolhari-alpha3c-0605331.ttf": "uchen"},
    "fonts-noto-core": {"NotoSerifTibetan-Regular.ttf": "uchen", "NotoSerifTibetan-Bold.ttf": "uchen"},
    "fonts-tibetan-machine": {"TibetanMachineUni.ttf": "uchen"},
    "fonts-monlam": {
        **{f"Monlam Uni OuChan{number}.ttf": "uchen" for number in range(1, 6)},
        "Monlam Uni Sans Serif.ttf": "uchen",
        "Monlam Uni Chouk.ttf": "umeh",
        "Monlam Uni ChoukMatik.ttf": "umeh",
        "Monlam Uni Dutsa1.ttf": "umeh",
        "Monlam Uni Dutsa2.ttf": "umeh",
        "Monlam Uni PayTsik.ttf": "umeh",
        "Monlam Uni TikTong.ttf": "umeh",
        "Monlam Uni Tikrang.ttf": "umeh",
    },
    "fonts-sambhota-tsugring": {"fonts-sambhota-tsugring.otf": "umeh"},
    "fonts-sambhota-yigchung": {"TibetanSambhotaYigchung.ttf": "umeh"},
}
"""Debian package → font file → script style."""

OTHER_FILES: dict[str, dict[str, str]] = {
    "fonts-dejavu-core": {
        "DejaVuSans.ttf": "latin",
        "DejaVuSans-Bold.ttf": "latin",
        "DejaVuSerif.ttf": "latin",
        "DejaVuSerif-Bold.ttf": "latin",
    },
    "fonts-liberation": {
        f"Liberation{family}-{cut}.ttf": "latin"
        for family in ("Serif", "Sans")
        for cut in ("Regular", "Bold", "Italic", "BoldItalic")
    },
    "fonts-urw-base35": {
        **{f"NimbusRoman-{cut}.otf": "latin" for cut in ("Regular", "Bold", "Italic", "BoldItalic")},
        **{f"NimbusSans-{cut}.otf": "latin" for cut in ("Regular", "Bold", "Italic", "BoldItalic")},
        **{f"C059-{cut}.otf": "latin" for cut in ("Roman", "Bold", "Italic")},
        **{f"NimbusMonoPS-{cut}.otf": "latin" for cut in ("Regular", "Bold")},
    },
    "fonts-noto-core": {
        "NotoSans-BoldItalic.ttf": "latin",
        "NotoSerif-Italic.ttf": "latin",
        "NotoSerifDevanagari-Bold.ttf": "indic",
        "NotoSansDevanagari-Bold.ttf": "indic",
    },
}
"""Latin letters for forms and labels; Devanagari stands in for the Lantsa of title pages."""


class FontsMissingError(RuntimeError):
    """Fonts that rendering needs are not installed; the message says what to install."""


@attrs.frozen
class Face:
    """One font file and the measures of its plain letters, in em below the baseline (above is negative)."""

    path: Path
    style: str
    body_top: float
    body_bottom: float

    @property
    def body(self) -> float:
        """Height of a plain letter's body, in em."""
        return self.body_bottom - self.body_top

    def at_body(self, pixels: float) -> ImageFont.FreeTypeFont:
        """Return the font at the size that makes plain letters `pixels` high."""
        return open_font(self.path, round(pixels / self.body, 1))


def open_font(path: Path, size: float) -> ImageFont.FreeTypeFont:
    """Open a font file for RAQM layout: Tibetan stacks fall apart without shaping.

    Raises:
        FontsMissingError: Pillow was built without RAQM.
    """
    if not features.check("raqm"):
        raise FontsMissingError("Pillow has no RAQM here: install Pillow's own wheel (pip install pillow)")
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.RAQM)


def missing_packages(root: Path = FONT_ROOT) -> list[str]:
    """Return the Debian packages of which a font file is not below `root`."""
    present = {path.name for path in root.rglob("*") if path.suffix.lower() in {".ttf", ".otf"}}
    wanted = [*TIBETAN_FILES.items(), *OTHER_FILES.items()]
    return sorted({package for package, files in wanted if not set(files) <= present})


def measure(path: Path, style: str) -> Face:
    """Measure a font's letter bodies: the median over plain letters."""
    letters = BODY_LETTERS if style in {"uchen", "umeh"} else "xzvu" if style == "latin" else "मनय"
    font = open_font(path, 200)
    boxes = [font.getbbox(letter, anchor="ls") for letter in letters]
    return Face(
        path=path,
        style=style,
        body_top=statistics.median(box[1] for box in boxes) / 200,
        body_bottom=statistics.median(box[3] for box in boxes) / 200,
    )


def latin_family(rng: np.random.Generator) -> list[Face]:
    """Draw one typeface's cuts (regular, bold, italic …): a form is printed in few of them."""
    faces = load_faces()["latin"]
    drawn = faces[int(rng.integers(len(faces)))]
    return [face for face in faces if face.path.name.split("-")[0] == drawn.path.name.split("-")[0]]


@cache
def load_faces(root: Path = FONT_ROOT) -> dict[str, list[Face]]:
    """Return all faces by style (uchen, umeh, latin, indic).

    Raises:
        FontsMissingError: names the packages to install.
    """
    lacking = missing_packages(root)
    if lacking:
        raise FontsMissingError(
            "fonts are missing; install them with: apt-get install -y " + " ".join(lacking)
        )
    found = {path.name: path for path in sorted(root.rglob("*"))}
    faces: dict[str, list[Face]] = {}
    for files in [*TIBETAN_FILES.values(), *OTHER_FILES.values()]:
        for name, style in files.items():
            faces.setdefault(style, []).append(measure(found[name], style))
    return faces
