"""ocrv1."""
