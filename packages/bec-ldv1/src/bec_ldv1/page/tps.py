"""The thin-plate spline that straightens bowed lines: numerics 8.

The spline maps a point of the *output* (the straightened page) to the point of the *input* (the bowed page)
that is sampled there: it is fitted from the control points' outputs to their inputs. So warping the image and
mapping points of the straightened page back are direct; the other direction is solved by Newton's method.

Kernel r² log r with a polynomial of degree 1; `alpha` is added to the kernel matrix's diagonal
(Bookstein 1989, "Principal warps"; the regularisation of Wahba 1990, "Spline models for observational data").
"""

import attrs
import numpy as np
import numpy.typing as npt

from bec_ldv1.errors import PageProblem
from bec_ldv1.page.contours import Points

ALPHA = 0.5
_ITERATIONS = 30
_TOLERANCE = 1e-3
_LOOKS = 8
_FLAT = 1e-6  # a place whose surroundings the spline presses to a line has no step
_TINY = np.float32(1e-30)
_STRIP = 16  # rows evaluated at a time, so that they stay in the cache


@attrs.frozen(eq=False)
class ControlPoints:
    """Where points of the bowed page lie on the straightened one; both points × 2, each x, y, in px."""

    inputs: Points
    outputs: Points

    def scaled(self, scale: tuple[float, float]) -> "ControlPoints":
        """The same in other pixels: x and y multiplied by their factors."""
        return ControlPoints(self.inputs * np.asarray(scale), self.outputs * np.asarray(scale))

    def rows(self) -> npt.NDArray[np.float32]:
        """As the records hold them: one row `in_y, in_x, out_y, out_x` per point."""
        return np.hstack((self.inputs[:, ::-1], self.outputs[:, ::-1])).astype(np.float32)

    @classmethod
    def from_rows(cls, rows: npt.NDArray[np.float32]) -> "ControlPoints":
        """Read what `rows` wrote."""
        table = np.asarray(rows, dtype=np.float64).reshape(-1, 4)
        return cls(table[:, 1::-1].copy(), table[:, 3:1:-1].copy())


@attrs.frozen(eq=False)
class Spline:
    """A fitted spline, output to input.

    Attributes:
        nodes: the control points' outputs, n × 2.
        weights: the kernel's weights, n × 2.
        affine: constant, x and y coefficients, 3 × 2.
    """

    nodes: Points
    weights: Points
    affine: Points

    @classmethod
    def fit(cls, points: ControlPoints, alpha: float = ALPHA) -> "Spline":
        """Solve for the spline.

        Raises:
            PageProblem: the control points lie on one line or coincide, so that no spline exists.
        """
        nodes, count = points.outputs, len(points.outputs)
        polynomial = np.column_stack((np.ones(count), nodes))
        system = np.zeros((count + 3, count + 3))
        system[:count, :count] = _kernel(nodes, nodes) + alpha * np.eye(count)
        system[:count, count:] = polynomial
        system[count:, :count] = polynomial.T
        wanted = np.vstack((points.inputs, np.zeros((3, 2))))
        try:
            solution = np.linalg.solve(system, wanted).astype(np.float64)
        except np.linalg.LinAlgError as error:
            raise PageProblem("the curve's control points admit no spline", stage="rectify") from error
        return cls(nodes, solution[:count], solution[count:])

    def to_input(self, points: Points) -> Points:
        """Where points x, y of the straightened page lie on the bowed one."""
        bent = _kernel(points, self.nodes) @ self.weights
        return np.asarray(bent + self.affine[0] + points @ self.affine[1:], dtype=np.float64)

    def to_output(self, points: Points) -> Points:
        """Where points x, y of the bowed page lie on the straightened one (solved to 1/1000 px).

        Raises:
            PageProblem: the spline folds over itself there, so that there is no single answer.
        """
        guess = points.astype(np.float64, copy=True)
        for _ in range(_ITERATIONS):
            missing = points - self.to_input(guess)
            if not missing.size or np.abs(missing).max() < _TOLERANCE:
                if self._folds_between(points, guess):
                    break
                return guess
            slopes = self._slopes(guess)
            steep = np.abs(np.linalg.det(slopes)) > _FLAT
            step = np.zeros_like(guess)
            step[steep] = np.linalg.solve(slopes[steep], missing[steep][..., None])[..., 0]
            guess += step
        raise PageProblem("the page is bowed too strongly to map points onto it", stage="rectify")

    def _folds_between(self, points: Points, places: Points) -> bool:
        """Whether the page lies with its back up somewhere on the way from a point to its place."""
        way = [points + share * (places - points) for share in np.linspace(0, 1, _LOOKS)]
        return bool((np.linalg.det(self._slopes(np.vstack(way))) <= 0).any())

    def _slopes(self, points: Points) -> Points:
        """How `to_input` changes around points: points × 2 × 2, rows its x and y, columns by x and y."""
        apart = points[:, None] - self.nodes[None]
        squared = (apart**2).sum(axis=-1)
        kernel = apart * (np.log(np.maximum(squared, _TINY)) + 1)[..., None]
        bent = np.einsum("pna,nb->pba", kernel, self.weights)
        return np.asarray(bent + self.affine[1:].T, dtype=np.float64)

    def input_maps(
        self, width: int, height: int, left: int = 0, top: int = 0
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """For every pixel of the straightened page the x and y to sample: two planes, height × width.

        ``left`` and ``top`` are where the first pixel lies.
        """
        columns = np.arange(left, left + width, dtype=np.float32)
        rows = np.arange(top, top + height, dtype=np.float32)[:, None]
        constant, by_x, by_y = self.affine.astype(np.float32)
        halves = self.weights.astype(np.float32) / 2
        apart = [((columns - x) ** 2, (rows - y) ** 2) for x, y in self.nodes.astype(np.float32)]
        map_x = np.empty((height, width), dtype=np.float32)
        map_y = np.empty((height, width), dtype=np.float32)
        for first in range(0, height, _STRIP):
            strip = slice(first, first + _STRIP)
            x = constant[0] + by_x[0] * columns + by_y[0] * rows[strip]
            y = constant[1] + by_x[1] * columns + by_y[1] * rows[strip]
            for (squared_x, squared_y), (half_x, half_y) in zip(apart, halves, strict=True):
                squared = squared_x + squared_y[strip]
                kernel = squared * np.log(np.maximum(squared, _TINY))
                x += half_x * kernel
                y += half_y * kernel
            map_x[strip], map_y[strip] = x, y
        return map_x, map_y


def _kernel(points: Points, nodes: Points) -> Points:
    """r² log r between every point and every node, 0 at 0: points × nodes."""
    squared = ((points[:, None] - nodes[None]) ** 2).sum(axis=-1)
    return np.asarray(squared * np.log(np.maximum(squared, _TINY)) / 2, dtype=np.float64)
