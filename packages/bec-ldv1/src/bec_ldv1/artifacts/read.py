"""A volume's Parquet file to its pages."""

from __future__ import annotations

import attrs
import numpy as np

from bec_ldv1.artifacts.pages import PageLines, TextLine
from bec_ldv1.record.records import PageRecord, from_parquet


def read_lines(parquet: bytes) -> list[PageLines]:
    """The pages of a volume's Parquet file, one per page of the manifest, in its order.

    Files of the earlier system, which have only the contract's columns, are read too (see `PageLines.pieces_only`);
    columns that this version doesn't know are ignored.

    Raises:
        ValueError: the bytes are no Parquet file, or a column of the contract is missing.
    """
    return [page_of(record) for record in from_parquet(parquet)]


def page_of(record: PageRecord) -> PageLines:
    """The page of a record."""
    details = record.details
    boxes = record.contours_bboxes
    page = PageLines(
        image=record.img_file_name,
        source_etag=record.source_etag,
        ok=record.ok,
        error_stage=record.error_stage,
        error_type=record.error_type,
        error_message=record.error_message,
        rotation_angle=record.rotation_angle or 0.0,
        tps_points=record.tps_points,
        tps_alpha=record.tps_alpha,
        contours=tuple(record.contours or ()),
        contours_bboxes=np.empty((0, 4), np.int32) if boxes is None else boxes,
        lines=None if record.ok else (),
    )
    if details is None:
        return page
    return attrs.evolve(
        page,
        width=details.width,
        height=details.height,
        quarter_turns=details.quarter_turns,
        orientation=details.orientation,
        flags=details.flags,
        lines=tuple(TextLine(line.polygon, line.baseline, line.confidence) for line in details.lines),
    )
