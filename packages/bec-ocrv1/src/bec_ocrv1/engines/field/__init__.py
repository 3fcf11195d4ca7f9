"""Models of line recognition in the field's ONNX format."""
