"""A training curve as a picture, drawn without a plotting library."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

SIZE = (900, 420)
MARGIN = 50
COLOURS = {"loss": "#888888", "held_out_loss": "#c0392b", "held_out_f1": "#2471a3"}


def draw_curve(rows: list[dict[str, float]], path: Path) -> None:
    """Draw loss, held-out loss and held-out F1 (all on a scale of 0 to 1) over minutes."""
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    width, height = SIZE[0] - 2 * MARGIN, SIZE[1] - 2 * MARGIN
    end = max(row["minutes"] for row in rows) or 1.0
    for tenth in range(11):
        y = MARGIN + height * (1 - tenth / 10)
        draw.line([(MARGIN, y), (MARGIN + width, y)], fill="#e5e5e5")
        draw.text((MARGIN - 30, y - 6), f"{tenth / 10:.1f}", fill="black")
    draw.text((MARGIN, SIZE[1] - 30), f"0 to {end:.1f} minutes", fill="black")
    for number, (name, colour) in enumerate(COLOURS.items()):
        points = [
            (MARGIN + width * row["minutes"] / end, MARGIN + height * (1 - min(max(row[name], 0.0), 1.0)))
            for row in rows
        ]
        draw.line(points, fill=colour, width=2)
        draw.text((MARGIN + 10 + 150 * number, 15), f"{name} {rows[-1][name]:.3f}", fill=colour)
    image.save(path)
