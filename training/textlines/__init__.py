"""Rendered text lines with their truth, the network in torch, and its training."""
