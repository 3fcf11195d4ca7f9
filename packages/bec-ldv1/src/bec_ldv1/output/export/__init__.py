"""Finished volumes in the formats of other programs. ``docs/export.md`` says what each holds.

``read`` takes artifacts to pages, one module per format writes them, ``write`` puts the files in their places. Nothing
is imported here, so that the command line can list its commands without waiting for pyarrow.
"""
