"""How a page lay on the glass, in words."""

TURNED = {
    0: "",
    1: "scanned turned by 90° clockwise",
    2: "scanned upside down",
    3: "scanned turned by 90° counter-clockwise",
}
"""By the quarter turns, counter-clockwise, that bring it upright."""
