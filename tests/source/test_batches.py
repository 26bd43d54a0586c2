"""Batches have as many rows as are asked for, or as many bytes."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from offtake.source.batches import BATCH_BYTES, MOST_ROWS, ROWS_TO_BEGIN, cut_batches, make_batches
from sites import batch


@given(st.lists(st.integers(0, 9000), max_size=5), st.integers(50, 6000), st.integers(5000, 200_000))
@settings(max_examples=15)
def test_batches_have_as_many_rows_as_asked_or_as_many_bytes(sizes: list[int], rows: int, size: int) -> None:
    firsts = [sum(sizes[:index]) for index in range(len(sizes))]
    cut = list(cut_batches(map(batch, firsts, sizes), rows, size))
    assert [n for each in cut for n in each.column("n").to_pylist()] == list(range(sum(sizes)))
    assert all(each.num_rows == rows or each.nbytes >= size // 2 or each.num_rows == 1 for each in cut[:-1])
    assert all(each.num_rows <= rows for each in cut)


def test_fetched_rows_come_in_batches_of_two_megabytes_and_never_too_many() -> None:
    texts = ["x"] * 50_000 + ["x" * 10_000] * 10_000
    asked: list[int] = []

    def fetch(rows: int) -> Sequence[str]:
        asked.append(rows)
        taken = texts[:rows]
        del texts[:rows]
        return taken

    def make(rows: Sequence[Any]) -> pa.RecordBatch:
        return pa.record_batch([pa.array(rows)], names=["text"])

    assert sum(each.num_rows for each in make_batches(fetch, make)) == 60_000
    assert asked[:3] == [ROWS_TO_BEGIN, MOST_ROWS, MOST_ROWS]
    assert all(BATCH_BYTES * 0.9 < rows * 10_000 <= BATCH_BYTES for rows in asked[10:-2])
    assert len(asked) > 20
