"""How steady a detector is: hand-checked pages anew, as other scans of them might be, and the table of the model card.

    python bench/varied_pages.py TRUTH.jsonl IMAGES OUT [--only half,turned-180] [--model-path FILE] [--list]

Every page of the truth is made anew in each of these ways, its image written to OUT/WAY (kept for the next run),
its lines detected, and what is found taken back to the original page, where it is judged by the rules of
`bec ldv1 evaluate`:

    as it is         the page itself
    half, quarter    at 50 % and 25 % of its size (area averaging; nearest for bilevel pages)
    turned-90 …      turned by 90, 180, 270 degrees counter-clockwise
    askew-5 …        turned by 5, 7, 10 degrees, on a sheet large enough for its corners
    exposure-x0.5    every grey value halved, as an underexposed scan
    one-bit          thresholded by Otsu's method (IEEE Trans. SMC 9, 1979)
    worn-0, 1, 2     smaller (55 to 100 % of at most 3,000 px), turned (up to 1.6 degrees), sheared, blurred, noisy,
                     with another gamma and JPEG quality or, if it is bilevel, another threshold; one fixed seed
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self
from zlib import crc32

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bec_ldv1.evaluation.detect import Detector, model_detector
from bec_ldv1.evaluation.images import PageSource, find_images
from bec_ldv1.evaluation.pages import PageLines
from bec_ldv1.evaluation.readers import read_pages
from bec_ldv1.evaluation.report import EvaluationReport, SetScore, evaluate
from bec_ldv1.network.setup import cores, start_engine

LONGEST = 3000
Affine = NDArray[np.float64]
"""2 × 3: from a page's pixels to those of its variant."""


@attrs.frozen(eq=False)
class Scan:
    """A page's pixels: uint8 height × width; bilevel ones are 0 and 255."""

    plane: NDArray[np.uint8]
    bilevel: bool

    @classmethod
    def read(cls, source: PageSource) -> Self:
        """The scan of a page, wherever `find_images` found it."""
        with Image.open(io.BytesIO(source.read())) as image:
            return cls(np.asarray(image.convert("L")), image.mode == "1")


Way = Callable[[Scan, np.random.Generator], tuple[Scan, Affine, dict[str, object]]]
"""A scan to its variant, where its pixels went, and how Pillow is to save it."""

LOSSLESS: dict[str, object] = {"format": "PNG", "compress_level": 1}


def good_jpeg(scan: Scan) -> dict[str, object]:
    """As scans are stored: greys as a good JPEG, bilevel pages without loss."""
    return LOSSLESS if scan.bilevel else {"format": "JPEG", "quality": 90}


def smaller(share: float) -> Way:
    """The page at a share of its size."""

    def way(scan: Scan, rng: np.random.Generator) -> tuple[Scan, Affine, dict[str, object]]:
        height, width = scan.plane.shape
        size = max(1, round(width * share)), max(1, round(height * share))
        how = cv2.INTER_NEAREST if scan.bilevel else cv2.INTER_AREA
        plane = np.asarray(cv2.resize(scan.plane, size, interpolation=how), np.uint8)
        matrix = np.array([[size[0] / width, 0, 0], [0, size[1] / height, 0]])
        return Scan(plane, scan.bilevel), matrix, good_jpeg(scan)

    return way


def turned(quarters: int) -> Way:
    """The page turned counter-clockwise by so many quarters."""

    def way(scan: Scan, rng: np.random.Generator) -> tuple[Scan, Affine, dict[str, object]]:
        height, width = scan.plane.shape
        matrix = {
            1: np.array([[0.0, 1, 0], [-1, 0, width - 1]]),
            2: np.array([[-1.0, 0, width - 1], [0, -1, height - 1]]),
            3: np.array([[0.0, -1, height - 1], [1, 0, 0]]),
        }[quarters]
        plane = np.ascontiguousarray(np.rot90(scan.plane, quarters))
        return Scan(plane, scan.bilevel), matrix, good_jpeg(scan)

    return way


IDENTITY = np.array([[1.0, 0, 0], [0, 1, 0]])


def askew(degrees: float) -> Way:
    """The page turned by so many degrees counter-clockwise, on a sheet large enough for its corners."""

    def way(scan: Scan, rng: np.random.Generator) -> tuple[Scan, Affine, dict[str, object]]:
        height, width = scan.plane.shape
        cosine, sine = np.cos(np.deg2rad(degrees)), abs(np.sin(np.deg2rad(degrees)))
        size = int(width * cosine + height * sine), int(height * cosine + width * sine)
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
        matrix[:, 2] += [(size[0] - width) / 2, (size[1] - height) / 2]
        ground = 255 if scan.bilevel else int(np.median(scan.plane))
        moved = cv2.warpAffine(scan.plane, matrix, size, flags=cv2.INTER_LINEAR, borderValue=(ground,))
        plane = np.where(moved > 128, 255, 0) if scan.bilevel else np.asarray(moved)
        return Scan(plane.astype(np.uint8), scan.bilevel), np.asarray(matrix, np.float64), good_jpeg(scan)

    return way


def exposed(factor: float) -> Way:
    """The page with every value multiplied."""

    def way(scan: Scan, rng: np.random.Generator) -> tuple[Scan, Affine, dict[str, object]]:
        dark = Scan(np.asarray(np.rint(scan.plane * factor), np.uint8), False)
        return dark, IDENTITY, good_jpeg(dark)

    return way


def one_bit(scan: Scan, rng: np.random.Generator) -> tuple[Scan, Affine, dict[str, object]]:
    """The page in black and white."""
    if scan.bilevel:
        return scan, IDENTITY, LOSSLESS
    _, plane = cv2.threshold(scan.plane, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return Scan(np.asarray(plane, np.uint8), True), IDENTITY, LOSSLESS


def worn(scan: Scan, rng: np.random.Generator) -> tuple[Scan, Affine, dict[str, object]]:
    """The page as a poorer scan."""
    plane = scan.plane
    matrix, size = _moved(plane, rng)
    how = cv2.INTER_AREA if size[0] < 0.7 * plane.shape[1] else cv2.INTER_LINEAR
    ground = 255 if scan.bilevel else int(np.median(plane))
    moved = cv2.warpAffine(plane, matrix, size, flags=how, borderValue=(ground,))
    grey = 255 * (np.asarray(moved, np.float32) / 255) ** rng.uniform(0.75, 1.35)
    if rng.random() < 0.5:
        grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.4, 0.9)))
    grey += rng.normal(0, rng.uniform(1, 6), grey.shape)
    result = np.clip(grey, 0, 255).astype(np.uint8)
    if scan.bilevel:
        level = rng.uniform(100, 170)
        return Scan(np.where(result > level, 255, 0).astype(np.uint8), True), matrix, LOSSLESS
    return Scan(result, False), matrix, {"format": "JPEG", "quality": int(rng.integers(30, 85))}


def _moved(plane: NDArray[np.uint8], rng: np.random.Generator) -> tuple[Affine, tuple[int, int]]:
    """A random affine map of the page about its centre, and the new page's width and height."""
    scale = min(1, LONGEST / max(plane.shape)) * rng.uniform(0.55, 1.0)
    angle, shear = np.deg2rad(rng.uniform(-1.6, 1.6)), rng.uniform(-0.02, 0.02)
    height, width = plane.shape
    size = int(width * scale), int(height * scale)
    matrix = np.array(
        [
            [np.cos(angle) * scale, (shear - np.sin(angle)) * scale, 0],
            [np.sin(angle) * scale, np.cos(angle) * scale, 0],
        ]
    )
    centre = matrix[:, :2] @ [width / 2, height / 2]
    matrix[:, 2] = [size[0] / 2 - centre[0], size[1] / 2 - centre[1]]
    return matrix, size


WAYS: dict[str, Way | None] = {
    "as-it-is": None,
    "half": smaller(0.5),
    "quarter": smaller(0.25),
    "turned-90": turned(1),
    "turned-180": turned(2),
    "turned-270": turned(3),
    "askew-5": askew(5),
    "askew-7": askew(7),
    "askew-10": askew(10),
    "exposure-x0.5": exposed(0.5),
    "one-bit": one_bit,
    "worn-0": worn,
    "worn-1": worn,
    "worn-2": worn,
}


def variant(source: PageSource, folder: Path, name: str, way: Way) -> tuple[bytes, Affine]:
    """The image file of one page's variant, made now or at an earlier run, and where its pixels went."""
    target, place = folder / f"{source.place.name}.img", folder / f"{source.place.name}.npy"
    if place.exists():
        return target.read_bytes(), np.load(place)
    rng = np.random.default_rng(crc32(f"{name} {source.place.name}".encode()))
    made, matrix, options = way(Scan.read(source), rng)
    image = Image.fromarray(made.plane)
    out = io.BytesIO()
    (image.convert("1", dither=Image.Dither.NONE) if made.bilevel else image).save(out, **options)  # type: ignore[arg-type]
    target.write_bytes(out.getvalue())
    np.save(place, matrix)
    return out.getvalue(), matrix


def judged(
    truth: Sequence[PageLines],
    images: dict[str, PageSource],
    out: Path,
    name: str,
    detect: Detector,
) -> EvaluationReport:
    """Detect all pages of one way and judge them on the originals."""
    way, folder = WAYS[name], out / name
    folder.mkdir(parents=True, exist_ok=True)

    def found(page: PageLines) -> PageLines:
        source = images[page.name]
        data, matrix = (source.read(), IDENTITY) if way is None else variant(source, folder, name, way)
        back = np.asarray(cv2.invertAffineTransform(matrix))
        lines = [polygon @ back[:, :2].T + back[:, 2] for polygon in detect(data).lines]
        return PageLines(page.image, page.size, tuple(line.astype(np.float32) for line in lines))

    with ThreadPoolExecutor(cores() + 1) as pool:
        return evaluate(pool.map(found, truth), truth)


def row(label: str, score: SetScore, blank: int) -> str:
    """A row of the table."""
    f1 = "–" if score.f1 is None else f"{score.f1:.3f}"
    share = score.exact_share or 0.0
    return f"| {label} | {score.pages} | {100 * share:.1f} % | {f1} | {blank} |"


def rows(name: str, report: EvaluationReport, *, by_script: bool) -> Iterator[str]:
    """The table's rows for one way: all pages, then each script."""
    blank = sum(page.counted for page in report.pages if page.truth_lines == 0)
    for score in report.sets:
        if score.name == "all":
            yield row(name, score, blank)
        elif by_script:
            yield row(f"{name}, {score.name}", score, blank)


def main() -> None:
    """Make the variants, judge them, print the table."""
    Image.MAX_IMAGE_PIXELS = None
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("truth", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", help="ways, separated by commas")
    parser.add_argument("--model-path", type=Path)
    parser.add_argument("--scripts", action="store_true", help="a row for each script, too")
    parser.add_argument("--list", action="store_true", help="name the pages that are not perfect")
    options = parser.parse_args()
    truth = read_pages(options.truth)
    images = find_images(truth, options.images)
    print(
        "| pages | number | exact line count | centre-line F1 | lines on pages without |\n|---|---|---|---|---|"
    )
    with start_engine(options.model_path) as engine:
        detect = model_detector(engine)
        for name in options.only.split(",") if options.only else WAYS:
            report = judged(truth, images, options.out, name, detect)
            print("\n".join(rows(name, report, by_script=options.scripts)), flush=True)
            if options.list:
                print(report.to_text().partition("pages that are not perfect")[2], flush=True)


if __name__ == "__main__":
    main()
