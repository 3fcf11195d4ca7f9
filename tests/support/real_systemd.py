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
from dataclasses import dataclass, field
from pathlib import Path

import psutil

SYSTEMD = Path("/usr/lib/systemd/systemd")
_TARGETS = ("sysinit", "basic", "shutdown", "network-online", "multi-user", "lab")
_UNIT_PATH = "/etc/systemd/system:/opt/units"

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
echo "$BINDS" | while read -r from to; do [ -z "$to" ] || { mkdir -p ".$to"; mount -o bind,ro "$from" ".$to"; }; done
umount -R -l sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 sys/fs/cgroup
exec chroot . env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_UNIT_PATH=$UNIT_PATH \\
    "$SYSTEMD" --system --log-target=console --log-level=info --unit=lab.target
"""


@dataclass
class Machine:
    """A systemd that runs; paths are below ``lab``."""

    lab: Path
    unshare: int
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.lab / "systemd.log"

    def said(self) -> str:
        """What systemd has said so far."""
        return self.log.read_text(errors="replace")

    def run(self, *command: str, ok: bool = True) -> str:
        """What a command says that root calls on this machine."""
        first = psutil.Process(self.unshare).children()[0].pid
        ended = subprocess.run(
            ["nsenter", "-t", str(first), "-m", "-p", "-u", "-i", "-r", "-w", *command],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        assert not ok or ended.returncode == 0, f"{command}: {ended.stdout}\n{self.said()}"
        return ended.stdout

    def systemctl(self, *arguments: str, ok: bool = True) -> str:
        """What ``systemctl`` says."""
        return self.run("systemctl", "--no-pager", *arguments, ok=ok)

    def property(self, unit: str, name: str) -> str:
        """A property of a unit, as systemd has it now."""
        return self.systemctl("show", "--value", f"--property={name}", unit).strip()

    def wait_for_start(self) -> None:
        """Wait until systemd answers."""
        ends = time.monotonic() + 20
        while time.monotonic() < ends and not self._answers():
            time.sleep(0.1)
        assert self._answers(), self.said()

    def _answers(self) -> bool:
        if not psutil.Process(self.unshare).children():
            return False
        return "active" in self.systemctl("is-active", "lab.target", ok=False).split()


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
def systemd(
    lab: Path, units: Mapping[str, str], *, binds: Mapping[Path, str] | None = None
) -> Iterator[Machine]:
    """Start a systemd whose only units are ``units`` (and empty targets).

    ``binds``: more of this machine's folders, to be read there.
    """
    for folder in ("root", "etc/systemd/system", "opt/units", "var/lib", "var/log"):
        (lab / folder).mkdir(parents=True, exist_ok=True)
    for name in ("nsswitch.conf", "ld.so.cache", "passwd", "group", "machine-id"):
        if Path("/etc", name).exists():
            shutil.copy(Path("/etc", name), lab / "etc" / name)
    for target in _TARGETS:
        (lab / f"opt/units/{target}.target").write_text(f"[Unit]\nDescription={target}\n")
    for name, text in units.items():
        path = lab / "opt/units" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    mounted = _cgroups()
    assert mounted is not None
    group = mounted / f"bec-{uuid.uuid4().hex}"
    group.mkdir()
    with (lab / "systemd.log").open("wb") as out:
        process = subprocess.Popen(
            ["sh", "-c", f'echo $$ >{group}/cgroup.procs; exec unshare --pid --fork --kill-child --mount --cgroup'
             ' --uts --ipc sh -c "$SCRIPT"'],
            env={
                **os.environ, "SCRIPT": _SCRIPT, "LAB": str(lab), "SYSTEMD": str(SYSTEMD), "UNIT_PATH": _UNIT_PATH,
                "BINDS": "\n".join(f"{here} {there}" for here, there in (binds or {}).items()),
            },
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        machine = Machine(lab, process.pid)
        machine.wait_for_start()
        yield machine
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
