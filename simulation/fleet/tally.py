"""What is counted, by minutes where its pace matters."""

from __future__ import annotations

from collections import Counter, defaultdict

from attrs import define, field

MINUTE_S = 60.0


@define
class Tally:
    """Counts of a whole run."""

    minutes: dict[str, Counter[int]] = field(factory=lambda: defaultdict(Counter))
    totals: Counter[str] = field(factory=Counter)
    peaks: dict[str, int] = field(factory=dict)
    sums: dict[str, float] = field(factory=lambda: defaultdict(float))

    def count(self, what: str, at_s: float, number: int = 1) -> None:
        """Something happened at this moment."""
        self.minutes[what][int(at_s // MINUTE_S)] += number
        self.totals[what] += number

    def periodic(self, what: str, began_s: float, ended_s: float, every_s: float) -> int:
        """Something happened every so often between two moments, for the first time after one period; how often."""
        times = int((ended_s - began_s) // every_s)
        if every_s >= MINUTE_S:
            for n in range(1, times + 1):
                self.count(what, began_s + n * every_s)
            return times
        counted, minute = 0, int(began_s // MINUTE_S)
        while counted < times:  # minute by minute: there may be millions
            so_far = min(times, int(((minute + 1) * MINUTE_S - began_s) // every_s))
            self.minutes[what][minute] += so_far - counted
            counted, minute = so_far, minute + 1
        self.totals[what] += times
        return times

    def peak(self, what: str, value: int) -> None:
        """Something is as high as this now."""
        self.peaks[what] = max(self.peaks.get(what, 0), value)

    def add(self, what: str, value: float) -> None:
        """Add up an amount."""
        self.sums[what] += value

    def per_s(self, what: str) -> tuple[float, float]:
        """How often a second: on average over the minutes from the first to the last, and in the busiest minute."""
        found = self.minutes[what]
        if not found:
            return 0.0, 0.0
        span = (max(found) - min(found) + 1) * MINUTE_S
        return self.totals[what] / span, max(found.values()) / MINUTE_S
