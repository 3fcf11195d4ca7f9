"""Measure how well detected lines fit hand-made ones. ``docs/evaluation.md`` has the definitions.

``report.evaluate`` compares, ``readers.read_pages`` reads files. Nothing is imported here, so that the command
line can list its commands without waiting for OpenCV.
"""
