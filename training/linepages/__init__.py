"""Rendered Tibetan pages with known text lines: what the model in the box is trained on."""
