"""A real systemd, as the first process of a namespace of its own, that starts units on a machine without any state.

Root is needed, and a cgroup2 that may be written to. The machine's programs are there to read; ``/etc`` is a copy,
``/var/lib``, ``/var/log``, ``/opt`` are folders of the test's.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SYSTEMD = Path("/usr/lib/systemd/systemd")
_TARGETS = ("sysinit", "basic", "shutdown", "network-online", "multi-user", "lab")

_SCRIPT = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$LAB/root"
cd "$LAB/root"
for folder in usr dev sys; do mkdir $folder; mount --rbind /$folder $folder; done
for link in bin sbin lib lib64; do [ ! -e /$link ] || ln -s usr/$link $link; done
mkdir proc run tmp opt etc var var/lib var/log var/tmp root home
mount -t proc proc proc
mount -t tmpfs tmpfs run
for folder in etc opt var/lib var/log; do mount --bind "$LAB/$folder" $folder; done
umount -R -l sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 sys/fs/cgroup
exec chroot . env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_UNIT_PATH=/opt/units \\
    "$SYSTEMD" --system --log-target=console --log-level=info --unit=lab.target
"""


def why_not() -> str | None:
    """Why there can be none here, or None."""
    if os.geteuid() != 0:
        return "only root can start a systemd of its own"
    if not SYSTEMD.exists():
        return "there is no systemd here"
    group = _cgroups()
    if group is None:
        return "there is no cgroup2 here"
    try:
        ended = subprocess.run(
            ["unshare", "--pid", "--fork", "--mount", "--cgroup", "true"],
            capture_output=True,
            check=False,
            timeout=10,
        )
        probe = group / f"bec-{uuid.uuid4().hex}"
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        return f"no namespace or cgroup may be made here: {error}"
    return None if ended.returncode == 0 else "no namespace may be made here"


def _cgroups() -> Path | None:
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    return None


@contextmanager
def systemd(lab: Path, units: Mapping[str, str], *, wants: str, users: Mapping[str, int]) -> Iterator[Path]:
    """Start a systemd whose only units are ``units`` (and empty targets); it wants ``wants``. Yields its log."""
    for folder in ("root", "etc", "opt/units", "var/lib", "var/log"):
        (lab / folder).mkdir(parents=True, exist_ok=True)
    for name in ("nsswitch.conf", "ld.so.cache", "passwd", "group"):
        if Path("/etc", name).exists():
            shutil.copy(Path("/etc", name), lab / "etc" / name)
    for user, number in users.items():
        with (lab / "etc/passwd").open("a") as file:
            file.write(f"{user}:x:{number}:{number}::/var/lib/{user}:/usr/sbin/nologin\n")
        with (lab / "etc/group").open("a") as file:
            file.write(f"{user}:x:{number}:\n")
    for target in _TARGETS:
        (lab / f"opt/units/{target}.target").write_text(f"[Unit]\nDescription={target}\n")
    with (lab / "opt/units/lab.target").open("a") as file:
        file.write(f"Wants={wants}\n")
    for name, text in units.items():
        path = lab / "opt/units" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    mounted = _cgroups()
    assert mounted is not None
    group, log = mounted / f"bec-{uuid.uuid4().hex}", lab / "systemd.log"
    group.mkdir()
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["sh", "-c", f'echo $$ >{group}/cgroup.procs; exec unshare --pid --fork --kill-child --mount --cgroup'
             ' --uts --ipc sh -c "$SCRIPT"'],
            env={**os.environ, "SCRIPT": _SCRIPT, "LAB": str(lab), "SYSTEMD": str(SYSTEMD)},
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        yield log
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _remove(group)


def _remove(group: Path) -> None:
    """Remove a cgroup and those in it, once their processes are gone."""
    ends = time.monotonic() + 10
    while group.exists() and time.monotonic() < ends:
        for folder in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
            _try_to_remove(folder)
        _try_to_remove(group)
        time.sleep(0.05)


def _try_to_remove(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # a process of it is still ending
