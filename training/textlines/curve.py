"""A run's error rates as a picture, drawn without a plotting library."""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageDraw

SIZE, MARGIN = (900, 460), 55
COLOURS = ("#222222", "#c0392b", "#2471a3", "#1e8449", "#b7950b")
TICKS = (0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


def draw_curve(rows: list[dict[str, float]], path: Path) -> None:
    """Draw every error rate of the rows over the steps, on a logarithmic scale from .02 to 1."""
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    width, height = SIZE[0] - 2 * MARGIN, SIZE[1] - 2 * MARGIN
    end = max(row["step"] for row in rows)

    def at(step: float, value: float) -> tuple[float, float]:
        share = math.log(min(max(value, TICKS[0]), 1.0) / TICKS[0]) / math.log(1 / TICKS[0])
        return MARGIN + width * step / end, MARGIN + height * (1 - share)

    for tick in TICKS:
        draw.line([at(0, tick), at(end, tick)], fill="#e5e5e5")
        draw.text((MARGIN - 30, at(0, tick)[1] - 6), f"{tick:.2f}", fill="black")
    draw.text(
        (MARGIN, SIZE[1] - 35), f"0 to {end:.0f} steps ({rows[-1]['minutes']:.0f} minutes)", fill="black"
    )
    names = [name for name in rows[-1] if name not in {"step", "minutes", "loss"}]
    for number, (name, colour) in enumerate(zip(names, COLOURS, strict=False)):
        draw.line([at(row["step"], row[name]) for row in rows if name in row], fill=colour, width=2)
        draw.text((MARGIN + 10 + 190 * number, 15), f"{name} {rows[-1][name]:.4f}", fill=colour)
    image.save(path)
