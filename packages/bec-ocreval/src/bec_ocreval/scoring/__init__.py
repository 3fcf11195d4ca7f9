"""Error rates: what is compared, how it is counted. ``docs/ocr-evaluation.md`` has the definitions."""
