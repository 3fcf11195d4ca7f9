"""Which operating-system account the server runs as, and what that account can reach."""

from __future__ import annotations

import ctypes
import os
import pwd
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from attrs import frozen

from bec_core.errors import DatabaseUnavailable

# PostgreSQL refuses to run as root, so root lends the server to this account.
UNPRIVILEGED = "nobody"

# The server's programs get this and nothing else: a PGPORT, LC_ALL or LD_PRELOAD of the user's shell
# would change what they do.
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


@frozen
class Account:
    """The account that owns the data and runs the server.

    ``switch`` is true when this process is root and must change to the account to run a program as it.
    """

    uid: int
    gid: int
    name: str
    switch: bool

    def run(
        self, command: Sequence[str | Path], *, cwd: Path, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as this account in ``cwd`` for at most ``timeout`` seconds, whatever its exit status.

        It is in a session of its own, so that a Ctrl-C in the terminal doesn't reach it or what it starts.
        Raises OSError when it can't be started and subprocess.TimeoutExpired.
        """
        return subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            start_new_session=True,
            user=self.uid if self.switch else None,
            group=self.gid if self.switch else None,
            extra_groups=[] if self.switch else None,
        )

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Let this thread, and no other, use files with the account's rights alone.

        What root does in folders of another account could else be led astray by links planted there.
        """
        if not self.switch:
            yield
            return
        with _files_as(self.uid, self.gid):
            yield

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Within :meth:`acting`: use files with this process's own rights again, to read what is its own."""
        if not self.switch:
            yield
            return
        with _files_as(os.geteuid(), os.getegid()):
            yield

    def unpack(self, write: Callable[[IO[bytes]], None], folder: Path) -> None:
        """Let the account unpack a tar archive, which ``write`` writes, in ``folder``.

        Raises OSError when it can't.
        """
        process = subprocess.Popen(
            ["tar", "-xf", "-"],
            cwd=folder,
            env=_ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=self.uid if self.switch else None,
            group=self.gid if self.switch else None,
            extra_groups=[] if self.switch else None,
        )
        assert process.stdin is not None
        try:
            with process.stdin as stream:
                write(stream)
        finally:
            status = process.wait()
        if status:
            raise OSError(status, f"tar ended with status {status}", str(folder))

    def first_blocked(self, path: Path) -> Path | None:
        """The first directory on the way to (and with) ``path`` that the account can't enter, or None.

        The kernel is asked, as the account, so that access lists count too.
        """
        if not self.switch:
            return None
        steps = [*reversed(path.parents), path]
        script = 'for d in "$@"; do test -x "$d" || { printf %s "$d"; exit 1; }; done'
        result = self.run(["/bin/sh", "-c", script, "sh", *steps], cwd=Path("/"), timeout=10)
        return Path(result.stdout) if result.returncode else None


def server_account(root: Path) -> Account:
    """The account for the server whose files are (or will be) in ``root``.

    It is this process's own, or for root the owner of ``root``, or ``nobody`` when ``root`` isn't there yet.
    Raises DatabaseUnavailable when the account isn't known to the system or ``root`` is root's.
    """
    uid = os.geteuid()
    if uid != 0:
        return _known(uid, switch=False)
    try:
        owner = root.lstat().st_uid
    except FileNotFoundError:
        try:
            return _known(pwd.getpwnam(UNPRIVILEGED).pw_uid, switch=True)
        except KeyError:
            raise DatabaseUnavailable(
                f"PostgreSQL can't run as root, and this system has no account named {UNPRIVILEGED!r} to "
                "run it as: run bec as a normal user, or set BEC_SQL_* to use a server of your own."
            ) from None
    if owner == 0:
        raise DatabaseUnavailable(
            f"PostgreSQL can't run as root, but {root} belongs to root: give it to an account that shall run "
            f"the server (chown -R {UNPRIVILEGED} {root}), or set BEC_HOME to another folder."
        )
    return _known(owner, switch=True)


@contextmanager
def _files_as(uid: int, gid: int) -> Iterator[None]:
    """Give this thread another identity towards the file system (Linux's own call; the process keeps its)."""
    if not sys.platform.startswith("linux"):
        raise DatabaseUnavailable(
            "On this system root can't lend the embedded PostgreSQL to another account: run bec as a normal user, "
            "or set BEC_SQL_* to use a server of your own."
        )
    kernel = ctypes.CDLL(None)
    old_gid = kernel.setfsgid(gid)
    old_uid = kernel.setfsuid(uid)
    try:
        if kernel.setfsuid(-1) != uid or kernel.setfsgid(-1) != gid:
            raise DatabaseUnavailable(
                f"This process may not act as the account {uid} (a container without CAP_SETUID?): run bec as a "
                "normal user, or set BEC_SQL_* to use a server of your own."
            )
        yield
    finally:
        kernel.setfsuid(old_uid)
        kernel.setfsgid(old_gid)


def _known(uid: int, *, switch: bool) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise DatabaseUnavailable(
            f"PostgreSQL needs a named account, and the user id {uid} has no entry in the password database: "
            "run bec as a named user, or set BEC_SQL_* to use a server of your own."
        ) from None
    return Account(uid=uid, gid=entry.pw_gid, name=entry.pw_name, switch=switch)
