"""Artifacts for a job's inputs, to check it on: of an earlier run, or made by the input's own job type."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from bec_core.archive import folder_sources
from bec_core.artifacts import MARKER_NAME
from bec_core.errors import BecError
from bec_core.job import Input, JobType
from bec_core.models import VolumeRef
from bec_core.plugins import load_plugins
from bec_core.testing.local import Inputs, LocalTask, local_worker


class NoInput(BecError):
    """There are no artifacts for an input; the message says what can be done."""


@frozen
class EarlierRun:
    """What an earlier run left of one volume.

    Attributes:
        files: its artifacts, by suffix, and its marker by its name.
        source: where the volume's pages are, as its marker says.
    """

    files: Mapping[str, bytes]
    source: str

    @classmethod
    def read(cls, folder: Path) -> EarlierRun:
        """The first finished volume below ``folder``.

        Raises:
            NoInput: there is none.
        """
        marker_path = min(folder.rglob(MARKER_NAME), default=None)
        if marker_path is None:
            raise NoInput(f"{folder} holds no finished volume: there is no {MARKER_NAME} in it")
        try:
            marker = json.loads(marker_path.read_bytes())
            begins = f"{marker['volume']['w_id']}-{marker['volume']['i_id']}-{marker['version']}"
            names = [str(one["name"]) for one in marker["artifacts"]]
            source = str(marker["source"])
        except (ValueError, KeyError, TypeError) as error:
            raise NoInput(f"{marker_path} is no marker: {type(error).__name__}: {error}") from error
        files = {
            name.removeprefix(begins): (marker_path.parent / name).read_bytes()
            for name in names
            if name.startswith(begins) and (marker_path.parent / name).is_file()
        }
        return cls({**files, MARKER_NAME: marker_path.read_bytes()}, source)

    def pages(self) -> dict[str, bytes]:
        """The pages that it was made of.

        Raises:
            NoInput: they are in no folder of this machine.
        """
        if not self.source.startswith("file://"):
            raise NoInput(f"say where its pages are (--pages): the run read them from {self.source}")
        return pages_in(self.source)


def pages_in(folder: Path | str) -> dict[str, bytes]:
    """The page images of a folder (or its URL), by name.

    Raises:
        NoInput: there is no such folder, or no page in it.
    """
    sources = folder_sources()
    try:
        uri = folder if isinstance(folder, str) else folder.resolve().as_uri()
        volume = sources.resolve(VolumeRef("W1TEST", "I0001", uri))
        return {page.filename: sources.read_page(volume, page).data for page in volume.pages}
    except BecError as error:
        raise NoInput(f"the pages in {folder} can't be read: {error}") from error


class InputMaker:
    """Gives a job's inputs for a folder of pages; what was made once for some pages is kept.

    Args:
        job_type: the job.
        installed: the job types that may make an input.
        given: what there is of earlier runs, by input.
        environment: what the makers read of the environment.

    Raises:
        NoInput: no installed job type makes one of its inputs.
    """

    def __init__(
        self,
        job_type: JobType,
        installed: Sequence[JobType],
        given: Mapping[str, EarlierRun],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._environment = dict(environment or {})
        others = [one for one in installed if one.name != job_type.name]  # so that no chain is without end
        self._job_type = job_type
        self._given = given
        self._made: dict[str, Inputs] = {}
        self._makers = {
            one.name: (maker, InputMaker(maker, others, {}, environment))
            for one in job_type.inputs
            if one.name not in given
            for maker in [_maker_of(one, others)]
        }

    @property
    def makers(self) -> dict[str, str]:
        """Which job type makes which input."""
        return {name: maker.name for name, (maker, _) in self._makers.items()}

    def __call__(self, folder: Path) -> Inputs:
        """The inputs' artifacts for these pages.

        Raises:
            NoInput: a job type that should make one failed.
        """
        key = _hash_of(folder)
        if key not in self._made:
            found: dict[tuple[str, str], Any] = {}
            for name, earlier in self._given.items():
                found.update({(name, suffix): data for suffix, data in earlier.files.items()})
            for name, (maker, before) in self._makers.items():
                made = _run(name, maker, folder, before(folder), self._environment)
                found.update({(name, suffix): data for suffix, data in made.items()})
            self._made[key] = found
        return self._made[key]


def inputs_of(job_type: JobType) -> InputMaker:
    """The inputs of a job, made by their own job types, which must be installed: for a plugin's tests.

    Raises:
        NoInput: one of them is not.
    """
    return InputMaker(job_type, list(load_plugins().job_types.values()), {})


def _maker_of(one: Input, installed: Sequence[JobType]) -> JobType:
    """The installed job type that makes an input; of several of a family, the one that needs least itself."""
    fit = [maker for maker in installed if one.takes(maker)]
    if not fit:
        raise NoInput(
            f"no installed plugin makes its input {one.name!r} ({one.wanted}): install one, or give an earlier"
            f" run's artifacts: --input {one.name}=FOLDER"
        )
    return min(fit, key=lambda maker: (len(maker.inputs), maker.name))


def _run(
    name: str, maker: JobType, folder: Path, inputs: Inputs, environment: Mapping[str, str]
) -> dict[str, bytes]:
    try:
        # built anew each time, so that it leaves no thread for the job's own when threads are counted
        with local_worker(maker, environment=environment) as worker:
            outcome = LocalTask(maker, folder, inputs=inputs).run(worker)
    except (Exception, SystemExit) as error:
        raise NoInput(
            f"its input {name!r} can't be made: {maker.name} raised {type(error).__name__}: {error}; give an earlier"
            f" run's artifacts: --input {name}=FOLDER"
        ) from error
    files = {
        file.removeprefix(outcome.basename): data
        for file, data in outcome.files.items()
        if file.startswith(outcome.basename)
    }
    return {**files, MARKER_NAME: json.dumps(outcome.marker).encode()}


def _hash_of(folder: Path) -> str:
    sha = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        sha.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return sha.hexdigest()
