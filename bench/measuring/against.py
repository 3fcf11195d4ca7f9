"""Pair by pair against another commit: both take turns, so that whatever else the machine does meets both."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from measuring.command import Run, environment_of, run

FIGURES: dict[str, Callable[[Run], float]] = {
    "pages/s": lambda one: one.pages_per_s,
    "wall clock, start to end": lambda one: one.wall_s,
    "processor time, start to end": lambda one: one.cpu_s,
    "peak memory": lambda one: one.peak_mib,
}


@contextmanager
def checked_out(repository: Path, revision: str) -> Iterator[Path]:
    """A temporary worktree of the repository at this revision.

    Raises:
        SystemExit: git can't make it; its message.
    """
    with tempfile.TemporaryDirectory(prefix="bec-against-") as folder:
        tree = Path(folder) / "tree"
        Path(folder).chmod(0o755)
        _git(repository, "worktree", "add", "--detach", "--quiet", str(tree), revision)
        try:
            yield tree
        finally:
            _git(repository, "worktree", "remove", "--force", str(tree))


def _git(repository: Path, *what: str) -> None:
    done = subprocess.run(["git", "-C", repository, *what], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"git {what[0]} {what[1]} failed: {done.stderr.strip()!a}")


def in_pairs(
    here: Path, there: Path, volume: Path, pairs: int, job: str = "ldv1", config: str = ""
) -> list[tuple[Run, Run]]:
    """So many pairs of runs, of this tree and of that one, each pair in the other order than the one before."""
    trees = here, there
    environments = [environment_of(tree) for tree in trees]
    found = []
    for number in range(pairs):
        order = (0, 1) if number % 2 == 0 else (1, 0)
        runs = {side: run(volume, environments[side], job, config) for side in order}
        found.append((runs[0], runs[1]))
    return found


def ratios(pairs: Sequence[tuple[Run, Run]]) -> dict[str, tuple[float, float, float]]:
    """This tree's figures over that one's: the median of the pairs, the lowest, the highest."""
    found = {}
    for name, figure in FIGURES.items():
        each = [figure(mine) / figure(other) for mine, other in pairs]
        found[name] = statistics.median(each), min(each), max(each)
    return found
