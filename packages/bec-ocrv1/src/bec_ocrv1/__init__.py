"""Recognising the text of lines: an OCR job on the lines that a detector found."""
