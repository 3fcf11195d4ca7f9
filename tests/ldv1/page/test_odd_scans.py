"""Odd scans of the sample pages, through decoding, the model in the box and the record: what people reported."""

import io
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from bec_ldv1.network.engine import Engine
from bec_ldv1.network.setup import start_engine
from bec_ldv1.page.detect import detect_page
from bec_ldv1.page.flags import Flag
from bec_ldv1.page.tiles import cut
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.make import page_record
from support.sample_pages import BOOK, PECHA, sample

LEAF, CENTRES, _ = sample(PECHA)
PAGE, _, _ = sample(BOOK)
LINES_OF_LEAF, LINES_OF_PAGE = len(CENTRES), len(sample(BOOK)[1])


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with start_engine() as engine:
        yield engine


def seen(engine: Engine, data: bytes) -> PageDetails:
    details = page_record("1", "", detect_page(data, engine)).details
    assert details is not None
    return details


def saved(plane: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(plane).save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


@pytest.mark.parametrize("exposure", [1.2, 0.7, 0.5, 0.38])
def test_dark_and_light_scans_are_read(engine: Engine, exposure: float) -> None:
    plane = np.clip(np.rint(LEAF * exposure), 0, 255).astype(np.uint8)
    details = seen(engine, saved(plane, "JPEG", quality=85))
    assert len(details.lines) == LINES_OF_LEAF
    assert Flag.BLANK not in details.flags


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_turned_pages_are_read_and_said_to_be_turned(engine: Engine, quarters: int) -> None:
    for plane, lines in ((LEAF, LINES_OF_LEAF), (PAGE, LINES_OF_PAGE)):
        stored = np.ascontiguousarray(np.rot90(plane, quarters))
        details = seen(engine, saved(stored))
        assert (details.width, details.height) == (stored.shape[1], stored.shape[0])
        assert details.quarter_turns == (-quarters) % 4
        assert Flag.TURNED in details.flags
        assert len(details.lines) == lines


def test_lines_of_a_turned_page_lie_where_the_stored_pixels_are(engine: Engine) -> None:
    upright, turned = (seen(engine, saved(p)) for p in (LEAF, np.ascontiguousarray(np.rot90(LEAF, 2))))
    height, width = LEAF.shape
    for one, other in zip(upright.lines, turned.lines, strict=True):
        there = np.array([width - 1, height - 1]) - other.polygon
        assert there.min(axis=0) == pytest.approx(one.polygon.min(axis=0), abs=6)
        assert there.max(axis=0) == pytest.approx(one.polygon.max(axis=0), abs=6)


@pytest.mark.parametrize("share", [0.5, 0.25])
def test_small_copies_are_enlarged_and_read(engine: Engine, share: float) -> None:
    small = np.asarray(cv2.resize(LEAF, None, fx=share, fy=share, interpolation=cv2.INTER_AREA))
    assert len(seen(engine, saved(small)).lines) == LINES_OF_LEAF


def test_one_bit_and_pale_on_black(engine: Engine) -> None:
    _, bilevel = cv2.threshold(LEAF, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    assert len(seen(engine, saved(np.asarray(bilevel))).lines) == LINES_OF_LEAF
    assert len(seen(engine, saved(255 - LEAF)).lines) == LINES_OF_LEAF


def test_two_columns_a_line_pitch_apart(engine: Engine) -> None:
    rows = np.flatnonzero((PAGE < 128).any(axis=1))
    columns = np.flatnonzero((PAGE < 128).any(axis=0))
    text = PAGE[:, columns[0] : columns[-1] + 1]
    pitch = round((rows[-1] - rows[0]) / LINES_OF_PAGE)
    gutter, margin = (
        np.full((PAGE.shape[0], pitch), 255, np.uint8),
        np.full((PAGE.shape[0], 120), 255, np.uint8),
    )
    details = seen(engine, saved(np.hstack([margin, text, gutter, text, margin])))
    assert len(details.lines) == 2 * LINES_OF_PAGE
    middle = details.width / 2
    assert all(line.polygon[:, 0].max() < middle + pitch for line in details.lines[:LINES_OF_PAGE])


def deep(bits: int) -> bytes:
    return saved((LEAF.astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16), "TIFF")


def transparent() -> bytes:
    colour = np.repeat(LEAF[..., None], 4, axis=2)
    colour[..., 3] = 0
    return saved(colour)


def oriented() -> bytes:
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory[274] = 6
    return saved(np.ascontiguousarray(np.rot90(LEAF)), "TIFF", tiffinfo=directory)


@pytest.mark.parametrize(
    ("made", "flags"),
    [
        (lambda: deep(12), set()),
        (lambda: deep(16), set()),
        (transparent, {Flag.TRANSPARENT}),
        (oriented, set()),
    ],
    ids=["12 bits in 16", "16 bits", "all transparent", "a TIFF with an orientation"],
)
def test_files_that_decoders_read_wrongly(
    engine: Engine, made: Callable[[], bytes], flags: set[Flag]
) -> None:
    details = seen(engine, made())
    assert len(details.lines) == LINES_OF_LEAF
    assert details.flags == flags
    assert details.quarter_turns == 0


def askew(plane: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """The page turned counter-clockwise on a sheet that its corners touch, and the way back, 2 × 3."""
    height, width = plane.shape
    cosine, sine = np.cos(np.deg2rad(degrees)), abs(np.sin(np.deg2rad(degrees)))
    size = round(width * cosine + height * sine), round(height * cosine + width * sine)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    matrix[:, 2] += [(size[0] - width) / 2, (size[1] - height) / 2]
    ground = (int(np.median(plane)),)
    return np.asarray(cv2.warpAffine(plane, matrix, size, borderValue=ground)), np.asarray(
        cv2.invertAffineTransform(matrix)
    )


@pytest.mark.parametrize(("degrees", "quarters"), [(7, 0), (-10, 0), (10, 1), (-10, 2)])
def test_a_leaf_that_lies_askew(engine: Engine, degrees: float, quarters: int) -> None:
    skewed, back = askew(LEAF, degrees)
    stored = np.ascontiguousarray(np.rot90(skewed, quarters))
    details = seen(engine, saved(stored))
    assert len(details.lines) == LINES_OF_LEAF
    assert Flag.ROTATED in details.flags
    assert details.quarter_turns == (-quarters) % 4
    upright = seen(engine, saved(LEAF))
    for line, same in zip(details.lines, upright.lines, strict=True):
        height, width = skewed.shape
        points = line.polygon.astype(float)
        x, y = points[:, 0], points[:, 1]
        on_sheet = {
            0: (x, y),
            1: (width - 1 - y, x),
            2: (width - 1 - x, height - 1 - y),
            3: (y, height - 1 - x),
        }[quarters]
        there = np.column_stack(on_sheet) @ back[:, :2].T + back[:, 2]
        assert there.min(axis=0) == pytest.approx(same.polygon.min(axis=0), abs=25)
        assert there.max(axis=0) == pytest.approx(same.polygon.max(axis=0), abs=25)


def test_the_record_of_an_askew_leaf_has_its_pieces_level_where_its_lines_are(engine: Engine) -> None:
    skewed, _ = askew(LEAF, 10)
    detection = detect_page(saved(skewed), engine)
    assert detection.ink.shape == pytest.approx(
        LEAF.shape, abs=2
    )  # as large as the leaf is seen that lies straight
    record = page_record("1", "", detection)
    assert record.rotation_angle == pytest.approx(-10, abs=0.7)
    assert record.contours is not None
    assert record.details is not None
    height, width = skewed.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), record.rotation_angle, 1.0)
    level = [line.polygon @ turn[:, :2].T + turn[:, 2] for line in record.details.lines]
    assert len(record.contours) == LINES_OF_LEAF
    for piece in record.contours:
        assert np.ptp(piece[:, 1]) < 60  # level: askew it would be 180
        middle = piece.mean(axis=0).tolist()
        assert any(cv2.pointPolygonTest(line.astype(np.float32), middle, False) >= 0 for line in level)


def test_a_leaf_in_the_corners_of_an_askew_scan_keeps_its_line_ends(engine: Engine) -> None:
    """The scan's frame cuts the leaf's own corners off, close to the first and last line's ends."""
    skewed, back = askew(LEAF, 8)
    upright = [line.polygon for line in seen(engine, saved(LEAF)).lines]
    there = cv2.invertAffineTransform(back)
    rows = (np.vstack(upright) @ there[:, :2].T + there[:, 2])[:, 1]
    top, bottom = int(rows.min()) - 5, int(rows.max()) + 5
    details = seen(engine, saved(np.ascontiguousarray(skewed[top:bottom])))
    assert len(details.lines) == LINES_OF_LEAF
    for line, same in zip(details.lines, upright, strict=True):
        found = (line.polygon + np.array([0, top])) @ back[:, :2].T + back[:, 2]
        assert found[:, 0].min() == pytest.approx(same[:, 0].min(), abs=25)
        assert found[:, 0].max() == pytest.approx(same[:, 0].max(), abs=25)


class Counting:
    """The engine, and how many tiles it was shown."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.postprocess, self.preparation, self.tiles = engine.postprocess, engine.preparation, 0

    def infer(self, ink: np.ndarray) -> np.ndarray:
        self.tiles += len(cut(ink))
        return self._engine.infer(ink)


def test_upright_and_blank_pages_are_not_looked_at_level(engine: Engine) -> None:
    read = Counting(engine)
    assert page_record("1", "", detect_page(saved(PAGE), read)).rotation_angle is None
    assert read.tiles == 4
    grain = np.random.default_rng(1).normal(200, 3, (700, 900)).astype(np.uint8)
    for plane in (grain, np.full((700, 900), 255, np.uint8)):
        blank = Counting(engine)
        details = page_record("1", "", detect_page(saved(plane), blank)).details
        assert details is not None
        assert Flag.BLANK in details.flags
        assert blank.tiles == 2 * 6 + 2 * 4  # as it is, and turned by three quarters
