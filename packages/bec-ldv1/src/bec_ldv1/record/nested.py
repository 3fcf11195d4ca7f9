"""Lists of points between numpy and Arrow: whole columns at a time, without a Python object per point."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types

Array = npt.NDArray[np.generic]


def lists(lengths: Iterable[int | None], values: pa.Array, kind: pa.DataType) -> pa.Array:
    """A column of lists of type ``kind`` out of their items, one list after the other; a length None is a null."""
    known = list(lengths)
    offsets = np.zeros(len(known) + 1, np.int32)
    np.cumsum([length or 0 for length in known], out=offsets[1:])
    # A null offset makes its list null. A mask would say the same, and import pyarrow.compute (0.1 s) to invert it.
    null = np.array([*(length is None for length in known), False], np.bool_)
    return pa.ListArray.from_arrays(pa.array(offsets, mask=null), values, type=kind)


def structs(rows: Sequence[Array], kind: pa.StructType) -> pa.Array:
    """A column of structs out of arrays, n × fields each, one after the other."""
    table = _together(rows, kind.num_fields)
    fields = [kind.field(position) for position in range(kind.num_fields)]
    columns = [
        pa.array(np.ascontiguousarray(table[:, position], field.type.to_pandas_dtype()))
        for position, field in enumerate(fields)
    ]
    return pa.StructArray.from_arrays(columns, fields=fields)


def struct_lists(rows: Sequence[Array], kind: pa.ListType) -> pa.Array:
    """A column with a list of structs for each array, n × fields: a column of outlines."""
    return lists(map(len, rows), structs(rows, kind.value_type), kind)


def rows_of_structs(column: pa.Array) -> Array:
    """The structs as an array, n × fields.

    Raises:
        ValueError: a field is null.
    """
    fields = [column.field(position).to_numpy() for position in range(column.type.num_fields)]
    return np.stack(fields, axis=1)


def spans(column: pa.Array) -> list[slice | None]:
    """Where each list's items are among ``column.values``; None for a null."""
    offsets = column.offsets.to_numpy().tolist()
    return [
        slice(first, last) if known else None
        for known, first, last in zip(_known(column), offsets[:-1], offsets[1:], strict=True)
    ]


def _known(column: pa.Array) -> list[bool]:
    """Which items are not null, read off the bitmap; is_valid() says the same, and imports pyarrow.compute."""
    bitmap = column.buffers()[0]
    if bitmap is None:
        return [True] * len(column)
    known = pa.Array.from_buffers(pa.bool_(), len(column), [None, bitmap], offset=column.offset)
    found: list[bool] = known.to_numpy(zero_copy_only=False).tolist()
    return found


def _together(rows: Sequence[Array], width: int) -> Array:
    parts = [row.reshape(-1, width) for row in rows if len(row)]
    return np.concatenate(parts) if parts else np.empty((0, width), np.int16)
