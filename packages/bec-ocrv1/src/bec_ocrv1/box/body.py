"""Where letters' bodies stand in a line's image."""

from __future__ import annotations

from bec_ocrv1.box.prepare import Gray


class BodyFinder:
    """Finds the rows between which a line's plain letters stand."""

    def find(self, image: Gray) -> tuple[float, float]:
        """Return the rows of the bodies' top and bottom."""
        raise NotImplementedError
