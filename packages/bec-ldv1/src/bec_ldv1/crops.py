"""One straightened image per line, for recognising its text.

A line's course (its baseline, through the middle of the letters' bodies) becomes a level row of its image:
every column is read from the page along the course's normal, one page pixel per pixel. So nothing is stretched, and
letters that stand on a bent line stand upright.
"""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from bec_ldv1.contours import Points
from bec_ldv1.decode import DecodedPage, Plane, decode
from bec_ldv1.errors import PageProblem
from bec_ldv1.export.names import file_stems
from bec_ldv1.export.pages import ExportError, ExportPage, ExportVolume
from bec_ldv1.image_folders import images_of
from bec_ldv1.orientation import to_upright

_PAPER = 90.0
"""Percentile of a crop's grey values that is taken for paper: ink rarely covers half of a line."""

_END = 50  # px at a course's end that say where it is heading
_EDGE_STEP, _COURSE_STEP = 48, 4  # px between the places that are compared to measure a line's height


@attrs.frozen(eq=False)
class Course:
    """Where the pixels of a line's image come from.

    Attributes:
        middle: the course, one point x, y per column, a pixel apart.
        normals: unit vectors across it, downwards; one per column.
        above, below: rows over and under the course.
    """

    middle: Points
    normals: Points
    above: int
    below: int

    def maps(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """For every pixel of the line's image the page's x and y: two planes, rows × columns."""
        rows = np.arange(-self.above, self.below + 1)[:, None]
        x = self.middle[:, 0] + rows * self.normals[:, 0]
        y = self.middle[:, 1] + rows * self.normals[:, 1]
        return x.astype(np.float32), y.astype(np.float32)


def course_of(polygon: Points, baseline: Points) -> Course:
    """The course of a line on an upright page; both arguments n × 2 (x, y).

    The baseline is smoothed over about the line's height, so that its small steps don't make letters tremble, and
    goes on straight at both ends as far as the outline does.
    """
    points = _spaced(baseline.astype(np.float64))
    outline = polygon.astype(np.float64)
    height = _reach(outline, points, _normals(points))
    points = _extended(_smoothed(points, max(3, round(height))), outline)
    points = _spaced(points)
    normals = _normals(points)
    offsets = _offsets(outline, points, normals)
    return Course(points, normals, max(1, int(np.ceil(-offsets.min()))), max(1, int(np.ceil(offsets.max()))))


def cut_line(plane: Plane, polygon: Points, baseline: Points, *, mask: bool = True) -> Plane:
    """A line's image.

    Args:
        plane: the upright page, uint8, height × width.
        polygon: the line's outline on it, n × 2 (x, y).
        baseline: its course, from the left to the right.
        mask: paint what lies outside the outline in the colour of the paper around the letters; else the image
            shows whatever of the neighbouring lines comes into its rectangle.

    Returns:
        uint8; as wide as the line is long, as high as its outline reaches above and below its course.
    """
    map_x, map_y = course_of(polygon, baseline).maps()
    seen = cv2.remap(plane, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    image = np.asarray(seen, np.uint8)
    if not mask:
        return image
    outline = np.rint(polygon).astype(np.int32)
    corner = outline.min(axis=0)
    width, height = (outline.max(axis=0) - corner + 1).tolist()
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [outline - corner], 1)
    at = (map_x - np.float32(corner[0]), map_y - np.float32(corner[1]))
    within = np.asarray(cv2.remap(inside, *at, cv2.INTER_NEAREST)).astype(bool)
    if within.any():
        image[~within] = np.uint8(np.percentile(image[within], _PAPER))
    return image


def write_crops(volume: ExportVolume, images: Path, out: Path, *, mask: bool = True) -> tuple[int, list[str]]:
    """Write every line of a volume as ``out/{volume}/{page}_{line:03}.png``, and ``lines.jsonl`` beside them.

    Each row of ``lines.jsonl`` has ``crop``, ``image``, ``line`` (from 1), ``size`` [width, height] of the crop,
    and ``polygon``, ``baseline``, ``confidence`` as in the export.

    Returns:
        How many images were written, and a sentence for each page that could not be cut.

    Raises:
        ExportError: no folder below ``images`` holds the volume's pages, or several do.
        OSError: a file can't be written.
    """
    pages = [page for page in volume.pages if page.lines]
    if not pages:
        return 0, []
    source = images_of(volume.name, [page.image for page in pages], images)
    folder = out / volume.name
    folder.mkdir(parents=True, exist_ok=True)
    rows, problems = [], []
    stems = dict(zip(map(id, volume.pages), file_stems([page.image for page in volume.pages]), strict=True))
    for page in pages:
        try:
            crops = cut_page(page, (source / page.image).read_bytes(), mask=mask)
        except (PageProblem, ExportError, OSError) as error:
            problems.append(f"{volume.name}, {page.image}: {error}")
            continue
        for number, crop in enumerate(crops, start=1):
            name = f"{stems[id(page)]}_{number:03}.png"
            Image.fromarray(crop).save(folder / name)
            rows.append(_row(name, page, number, crop))
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "lines.jsonl").write_text(text, encoding="utf-8", errors="replace")
    return len(rows), problems


def cut_page(page: ExportPage, data: bytes, *, mask: bool = True) -> list[Plane]:
    """The images of a page's lines, in reading order.

    Args:
        page: with lines in pixels of the image as it is stored.
        data: the image file.
        mask: see `cut_line`.

    Raises:
        PageProblem: the image can't be decoded.
        ExportError: the image has not the size that is recorded, so that it is another one.
    """
    image = decode(data)
    stored = (image.height, image.width) if image.orientation >= 5 else (image.width, image.height)
    if stored != (page.width, page.height):
        raise ExportError(
            f"the image is {stored[0]} × {stored[1]} px, the recorded one was {page.width} × {page.height} px"
        )
    return [
        cut_line(image.plane, _upright(line.polygon, image), _upright(line.baseline, image), mask=mask)
        for line in page.lines
    ]


def _upright(points: npt.NDArray[np.int32], image: DecodedPage) -> Points:
    return to_upright(points.astype(np.float64), image.orientation, image.width, image.height)


def _row(name: str, page: ExportPage, number: int, crop: Plane) -> dict[str, object]:
    line = page.lines[number - 1]
    return {
        "crop": name,
        "image": page.image,
        "line": number,
        "size": [crop.shape[1], crop.shape[0]],
        "confidence": round(line.confidence, 4),
        "polygon": line.polygon.tolist(),
        "baseline": line.baseline.tolist(),
    }


def _spaced(points: Points) -> Points:
    """The polyline's points a pixel apart, at least two."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate(([0.0], np.cumsum(steps)))
    if along[-1] < 1:  # all at one place: a course needs a direction
        return np.asarray(points[0] + np.array([[0.0, 0.0], [1.0, 0.0]]))
    wanted = np.linspace(0, along[-1], int(np.ceil(along[-1])) + 1)
    return np.column_stack([np.interp(wanted, along, points[:, axis]) for axis in (0, 1)])


def _smoothed(points: Points, width: int) -> Points:
    """The mean of `width` neighbours of each point; beyond an end the course goes on point-symmetrically."""
    half = min(width // 2, len(points) - 1)
    if half < 1:
        return points
    before = 2 * points[0] - points[half:0:-1]
    after = 2 * points[-1] - points[-2 : -half - 2 : -1]
    sums = np.cumsum(np.vstack((np.zeros((1, 2)), before, points, after)), axis=0)
    return np.asarray((sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1), dtype=np.float64)


def _normals(points: Points) -> Points:
    """Unit vectors across a polyline: to the right hand of its direction, which is down on a page."""
    tangents = np.gradient(points, axis=0)
    tangents /= np.maximum(np.hypot(*tangents.T), 1e-9)[:, None]
    return np.column_stack((-tangents[:, 1], tangents[:, 0]))


def _extended(points: Points, outline: Points) -> Points:
    """The course with straight ends that reach as far as the outline."""
    return _reaching(_reaching(points, outline)[::-1], outline)[::-1]


def _reaching(points: Points, outline: Points) -> Points:
    """The course, going on straight after its last point as far as the outline does."""
    end, inner = points[-1], points[-1 - min(len(points) - 1, _END)]
    direction = (end - inner) / max(1e-9, float(np.hypot(*(end - inner))))
    beyond = float(((outline - end) @ direction).max())
    return points if beyond <= 0 else np.vstack((points, end + beyond * direction))


def _offsets(outline: Points, points: Points, normals: Points) -> npt.NDArray[np.float64]:
    """How far below its nearest place on the course each of many points of the outline lies."""
    edge = np.vstack((outline, _spaced(np.vstack((outline, outline[:1])))[::_EDGE_STEP]))
    places, across = points[::_COURSE_STEP], normals[::_COURSE_STEP]
    nearest = np.array([int(np.argmin(((places - corner) ** 2).sum(axis=1))) for corner in edge])
    return np.asarray(((edge - places[nearest]) * across[nearest]).sum(axis=1), dtype=np.float64)


def _reach(outline: Points, points: Points, normals: Points) -> float:
    offsets = _offsets(outline, points, normals)
    return float(offsets.max() - offsets.min())
