"""Tesseract as an engine, through its program: one process reads the lines of one page.

The program is asked before any volume whether it is there and knows the language. A process gets its lines as one TIFF
of several frames on its standard input, so that it loads its model once, and nothing is written to disk.
"""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from attrs import frozen
from PIL import Image

from bec_core import PageError, SettingsError
from bec_ocrv1.reading import GreyLine, Reading
from bec_ocrv1.text import characters, recorded

_PROGRAM = "tesseract"
_RAW_LINE = "13"  # "treat the image as a single text line": the lines are cut already
_SMALLEST, _FAINTEST = (
    6,
    24,
)  # px a side, and grey values between ink and paper: below, Tesseract invents a text
_ASK_S, _READ_S = 30, 600
_WORD = "5"  # the level of TSV rows that hold a word
_FOLDER = re.compile(r'"(.+)"')


@frozen
class Tesseract:
    """A `bec_ocrv1.reading.Recogniser`; holds no state, so any thread may call it.

    The confidence is the mean of Tesseract's own for its words, weighed by their characters.
    """

    languages: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        """The program, its version and language."""
        return f"tesseract {self.version} {self.languages}"

    @property
    def arithmetic(self) -> str:
        """The program's version: other versions of it read differently."""
        return f"tesseract {self.version}"

    def read(self, lines: Sequence[GreyLine]) -> list[Reading]:
        """The lines' texts, in their order.

        Raises:
            PageError: stage ``recognise``: the program failed on these lines, or did not end.
        """
        readings = [Reading("", 0.0)] * len(lines)
        asked = [index for index, line in enumerate(lines) if _legible(line)]
        if asked:
            output = self._call(_frames([lines[index] for index in asked]))
            for frame, reading in _readings(output).items():
                if frame <= len(asked):
                    readings[asked[frame - 1]] = reading
        return readings

    def close(self) -> None:
        """Nothing is held."""

    def _call(self, frames: bytes) -> str:
        # One thread a process: pages are read side by side, and Tesseract's threads only wait for each other then.
        command = ["env", "OMP_THREAD_LIMIT=1", _PROGRAM, "stdin", "stdout", "-l", self.languages]
        command += ["--psm", _RAW_LINE, "--dpi", "300", "tsv"]
        try:
            ended = subprocess.run(command, input=frames, capture_output=True, timeout=_READ_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PageError(f"{_PROGRAM} can't be run: {error}", stage="recognise", retryable=True) from error
        if ended.returncode:
            said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
            raise PageError(
                f"{_PROGRAM} ended with {ended.returncode}: {said[-1] if said else 'no message'}",
                stage="recognise",
                retryable=ended.returncode < 0,  # killed: for its memory, say
            )
        return ended.stdout.decode("utf-8", "replace")


def find_tesseract(languages: str) -> Tesseract:
    """The program on this machine.

    Raises:
        SettingsError: it is not there, or lacks a language; the message says what to install.
    """
    if shutil.which(_PROGRAM) is None:
        raise SettingsError(
            f"the job's config says model tesseract, and there is no program {_PROGRAM} here. {_install(languages)}"
        )
    head, *rows = _asked("--list-langs").splitlines() or [""]
    known = {row.strip() for row in rows}
    missing = [language for language in languages.split("+") if language not in known]
    if missing:
        raise SettingsError(
            f"{_PROGRAM} has no language {', '.join(missing)} here (it has {', '.join(sorted(known)) or 'none'}). "
            f"{_install('+'.join(missing))}"
        )
    version = _asked("--version").split()[1:2] or ["?"]
    return Tesseract(languages, version[0], _sha256(head, languages))


def _asked(option: str) -> str:
    """What the program says of itself; older versions say it on their standard error."""
    try:
        ended = subprocess.run(
            [_PROGRAM, option], capture_output=True, text=True, timeout=_ASK_S, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SettingsError(f"{_PROGRAM} {option} can't be run: {error}") from error
    if ended.returncode:
        raise SettingsError(f"{_PROGRAM} {option} ended with {ended.returncode}: {ended.stderr.strip()}")
    return ended.stdout or ended.stderr


def _sha256(head: str, languages: str) -> str:
    """Of the languages' files, in the folder that the first row of ``--list-langs`` names."""
    found = _FOLDER.search(head)
    if found is None:
        raise SettingsError(
            f"{_PROGRAM} does not say where its languages lie ({head!r}). {_install(languages)}"
        )
    digest = hashlib.sha256()
    for language in languages.split("+"):
        path = Path(found[1]) / f"{language}.traineddata"
        try:
            digest.update(path.read_bytes())
        except OSError as error:
            raise SettingsError(f"{_PROGRAM}'s language file {path} can't be read: {error}") from error
    return digest.hexdigest()


def _install(languages: str) -> str:
    """What to install, for the systems that most machines run."""
    packages = " ".join(f"tesseract-ocr-{name.lower().replace('_', '-')}" for name in languages.split("+"))
    return (
        f"On Debian and Ubuntu: apt install tesseract-ocr {packages}; elsewhere install Tesseract 5 and put "
        f"{' and '.join(f'{name}.traineddata' for name in languages.split('+'))} into its tessdata folder"
    )


def _legible(line: GreyLine) -> bool:
    """Whether there can be anything to read."""
    return min(line.shape) >= _SMALLEST and int(line.max()) - int(line.min()) >= _FAINTEST


def _frames(lines: Sequence[GreyLine]) -> bytes:
    """The lines as frames of one TIFF."""
    first, *others = (Image.fromarray(np.ascontiguousarray(line)) for line in lines)
    file = io.BytesIO()
    first.save(file, "TIFF", save_all=True, append_images=others)
    return file.getvalue()


def _readings(tsv: str) -> dict[int, Reading]:
    """The frames' texts by their number, from 1; a frame without a word is left out."""
    words: dict[int, list[tuple[str, float]]] = {}
    for row in tsv.splitlines():
        cells = row.split("\t")
        if cells[0] == _WORD and len(cells) == 12:
            words.setdefault(int(cells[1]), []).append((cells[11], float(cells[10]) / 100))
    return {frame: _reading(found) for frame, found in words.items()}


def _reading(words: Sequence[tuple[str, float]]) -> Reading:
    weights = [characters(word) for word, _ in words]
    total = sum(weights)
    if not total:
        return Reading("", 0.0)
    mean = sum(weight * sure for weight, (_, sure) in zip(weights, words, strict=True)) / total
    return Reading(recorded(" ".join(word for word, _ in words)), min(1.0, max(0.0, mean)))
