"""Where the clone is."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
PACKAGES = (
    "bec-core", "bec-cli", "bec-ldv1", "bec-ocrv1", "bec-ocreval", "bec-iiif", "bec-pdf", "bec-serve",
)  # fmt: skip
