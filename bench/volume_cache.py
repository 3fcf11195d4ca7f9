"""Detections of a volume's pages, kept on disk: scores are tried again without the network's time."""

from __future__ import annotations

import hashlib
import pickle
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import numpy as np

from bec_ldv1.network.engine import Engine
from bec_ldv1.page.detect import Detection, detect_page


def detections(paths: Sequence[Path], cache: Path, engine: Engine) -> Iterator[Detection]:
    """What the engine's model sees on each page; probabilities in steps of 1/255."""
    cache.mkdir(parents=True, exist_ok=True)
    for path in paths:
        data = path.read_bytes()
        known = f"{engine.model.sha256} {engine.preparation}".encode()
        kept = cache / f"{hashlib.sha256(known + data).hexdigest()[:32]}.pickle"
        if kept.exists():
            seen: Detection = pickle.loads(zlib.decompress(kept.read_bytes()))
        else:
            seen = detect_page(data, engine)
            seen = attrs.evolve(seen, probabilities=np.round(seen.probabilities * 255).astype(np.uint8))
            kept.write_bytes(zlib.compress(pickle.dumps(seen), 1))
        yield attrs.evolve(seen, probabilities=seen.probabilities.astype(np.float32) / 255)
