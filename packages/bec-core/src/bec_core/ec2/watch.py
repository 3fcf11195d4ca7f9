"""Watching for the instance's end: one thread that asks every five seconds, and tells the worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from loguru import logger

from bec_core.ec2.crew import Crew
from bec_core.ec2.group import Group
from bec_core.ec2.imds import Imds, MetadataSilent
from bec_core.ec2.notices import Notice, NoticeKind, notices

EVERY_S = 5.0
IDLE_S = 60.0
"""For so long nothing must be at hand before the protection from scale-in is lifted."""


class InstanceWatch:
    """What an EC2 instance's worker does besides its work.

    Args:
        imds: the metadata service.
        folder: of this machine's, for the locks by which its workers act as one.
        group: makes the group's client once it is needed; None: there is no group to speak to. It may raise
            :class:`MetadataSilent`, since the instance's id is metadata too.
        drain_on_rebalance: whether a rebalance recommendation ends the worker, as an interruption does.
        every_s, idle_s: how often it asks; how long nothing is at hand before the protection is lifted.
    """

    def __init__(
        self,
        imds: Imds,
        folder: Path,
        *,
        group: Callable[[], Group] | None = None,
        drain_on_rebalance: bool = False,
        every_s: float = EVERY_S,
        idle_s: float = IDLE_S,
    ) -> None:
        self._imds = imds
        self._folder = folder
        self._make_group = group
        self._drain_on_rebalance = drain_on_rebalance
        self._group: Group | None = None
        self._every_s = every_s
        self._idle_s = idle_s
        self._busy: Callable[[], bool] = lambda: False
        self._on_notice: Callable[[Notice, bool], None] = lambda *_: None
        self._told: set[NoticeKind] = set()
        self._silent = False
        self._protected: bool | None = None  # a worker that was killed may have left it
        self._last_busy = time.monotonic()
        self._workers: Crew | None = None
        self._working: Crew | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bec-instance", daemon=True)

    def start(self, *, busy: Callable[[], bool], on_notice: Callable[[Notice, bool], None]) -> None:
        """Look once, so that no work is taken on an instance that goes, then go on looking.

        Args:
            busy: whether something is at hand.
            on_notice: called once for each kind of notice, also from the thread; and whether the worker is to end.

        Raises:
            SettingsError: there is a group, but no folder for the locks.
        """
        self._busy, self._on_notice = busy, on_notice
        if self._make_group is not None:
            self._workers, self._working = Crew(self._folder / "workers"), Crew(self._folder / "working")
            self._workers.join()
        self._look()
        self._thread.start()

    def close(self) -> None:
        """The worker has ended: the last one of the instance lifts its protection and lets it go."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._workers is None or self._working is None:
            return
        self._unprotect(self._working)
        with self._workers.leaving() as last:
            if last and NoticeKind.TERMINATION in self._told and (group := self._to_speak_to()):
                group.complete()
        self._workers.close()
        self._working.close()

    def _run(self) -> None:
        while not self._closing.wait(self._every_s):
            try:
                self._look()
                self._look_after_protection()
            except Exception:  # noqa: BLE001 - without this thread no notice would be seen any more
                logger.exception("watching the instance met something unforeseen")

    # -- notices --------------------------------------------------------------------------------------

    def _look(self) -> None:
        try:
            found = notices(self._imds)
        except MetadataSilent as silent:
            if not self._silent:
                logger.warning("notices of the instance's end can't be seen now: {}", silent)
            self._silent = True
            return
        if self._silent:
            logger.info("the instance's metadata service answers again")
        self._silent = False
        for notice in found:
            if notice.kind not in self._told:
                self._told.add(notice.kind)
                logger.warning("this instance: {}", notice.words)
                ends = notice.kind is not NoticeKind.REBALANCE or self._drain_on_rebalance
                self._on_notice(notice, ends)

    # -- protection from scale-in ---------------------------------------------------------------------

    def _look_after_protection(self) -> None:
        if self._working is None or (group := self._to_speak_to()) is None or not group.protects:
            return
        if self._busy():
            self._last_busy = time.monotonic()
            if self._protected is not True and NoticeKind.TERMINATION not in self._told:
                self._working.join()
                self._protected = group.protect(True) or None
        elif time.monotonic() - self._last_busy >= self._idle_s:
            self._unprotect(self._working)

    def _unprotect(self, working: Crew) -> None:
        """Lift the protection, unless another worker of the instance works."""
        group = self._to_speak_to()
        if self._protected is False or group is None or not group.protects:
            return
        self._protected = False
        with working.leaving() as last:
            if last:
                group.protect(False)

    def _to_speak_to(self) -> Group | None:
        if self._group is None and self._make_group is not None:
            try:
                self._group = self._make_group()
            except MetadataSilent as silent:
                logger.warning("the instance's group can't be told: {}", silent)
        return self._group
