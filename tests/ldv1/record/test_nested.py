"""Lists between numpy and Arrow, with nulls."""

from __future__ import annotations

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
import pytest

from bec_ldv1.record.nested import lists, spans

KIND = pa.list_(pa.int16())


@pytest.mark.parametrize("lengths", [[2, 0, 3], [None, 2, None, 0, 3], [None, None], [], [None] * 70 + [1]])
def test_a_null_is_a_null_and_no_empty_list(lengths: list[int | None]) -> None:
    items = list(range(sum(length or 0 for length in lengths)))
    column = lists(lengths, pa.array(items, pa.int16()), KIND)
    column.validate(full=True)
    rest = iter(items)
    expected = [None if length is None else [next(rest) for _ in range(length)] for length in lengths]
    assert column.to_pylist() == expected
    assert [span and items[span] for span in spans(column)] == expected


@pytest.mark.parametrize("first", [1, 7, 8, 9])
def test_spans_of_a_slice_are_its_own(first: int) -> None:
    lengths = [None if number % 3 == 0 else number % 4 for number in range(20)]
    values = pa.array(np.arange(sum(length or 0 for length in lengths)), pa.int16())
    column = lists(lengths, values, KIND)[first:]
    items = column.values.to_pylist()
    assert [span if span is None else items[span] for span in spans(column)] == column.to_pylist()
