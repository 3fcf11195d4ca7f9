"""A line's course: the curve that becomes a level row of the line's image.

Every column of that image is read from the page along the course's normal, one page pixel per pixel. So nothing is
stretched, and letters that stand on a bent line stand upright.
"""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from bec_ldv1.page.contours import Points

_END = 50  # px at a course's end that say where it is heading
_EDGE_STEP, _COURSE_STEP = 48, 4  # px between the places that are compared to measure a line's height …
_PLACES = 512  # … or more on long courses, of which no more places are compared


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
        rows = np.arange(-self.above, self.below + 1, dtype=np.float32)[:, None]
        middle, normals = self.middle.astype(np.float32), self.normals.astype(np.float32)
        return middle[:, 0] + rows * normals[:, 0], middle[:, 1] + rows * normals[:, 1]

    def extended(self, before: int, after: int, rows: int = 0) -> Course:
        """The course with so many more columns straight on at its beginning and end, and rows above and below."""
        middle = _continued(_continued(self.middle, after)[::-1], before)[::-1]
        normals = np.pad(self.normals, ((before, after), (0, 0)), mode="edge")
        return Course(middle, normals, self.above + rows, self.below + rows)

    def last(self, columns: int) -> Course:
        """The course's last columns."""
        return Course(self.middle[-columns:], self.normals[-columns:], self.above, self.below)

    def reversed(self) -> Course:
        """The course from its end to its beginning, its upper side still above: its images are mirrored."""
        return Course(self.middle[::-1], self.normals[::-1], self.above, self.below)


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


def _spaced(points: Points, step: int = 1) -> Points:
    """The polyline's points so many pixels apart, at least two."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate(([0.0], np.cumsum(steps)))
    if along[-1] < 1:  # all at one place: a course needs a direction
        return np.asarray(points[0] + np.array([[0.0, 0.0], [1.0, 0.0]]))
    wanted = np.linspace(0, along[-1], int(np.ceil(along[-1] / step)) + 1)
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
    beyond = float(((outline - points[-1]) @ _heading(points)).max())
    return points if beyond <= 0 else np.vstack((points, points[-1] + beyond * _heading(points)))


def _continued(points: Points, count: int) -> Points:
    """The course with more points behind its last one, a pixel apart, straight on."""
    return np.vstack((points, points[-1] + np.arange(1, count + 1)[:, None] * _heading(points)))


def _heading(points: Points) -> Points:
    """The direction in which a course ends."""
    way = points[-1] - points[-1 - min(len(points) - 1, _END)]
    return np.asarray(way / max(1e-9, float(np.hypot(*way))), dtype=np.float64)


def _offsets(outline: Points, points: Points, normals: Points) -> npt.NDArray[np.float64]:
    """How far below its nearest place on the course each of many points of the outline lies."""
    edge = np.vstack((outline, _spaced(np.vstack((outline, outline[:1])), _EDGE_STEP)))
    step = max(_COURSE_STEP, len(points) // _PLACES)
    places, across = points[::step], normals[::step]
    # The squared distances, but for a part that is the same for all places.
    nearest = ((places**2).sum(axis=1) - 2 * edge @ places.T).argmin(axis=1)
    return np.asarray(((edge - places[nearest]) * across[nearest]).sum(axis=1), dtype=np.float64)


def _reach(outline: Points, points: Points, normals: Points) -> float:
    offsets = _offsets(outline, points, normals)
    return float(offsets.max() - offsets.min())
