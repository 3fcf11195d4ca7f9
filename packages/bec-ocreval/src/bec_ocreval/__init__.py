"""The job ``ocreval``: how good recognised text is, with ground truth or without."""
