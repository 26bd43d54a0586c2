"""How large batches are: rows may be of any length, so memory is bounded by bytes."""

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

import pyarrow as pa

BATCH_BYTES = 1 << 21
MOST_ROWS = 8192
ROWS_TO_BEGIN = 256  # before anybody knows how long they are


def make_batches(
    fetch: Callable[[int], Sequence[Any]], make: Callable[[Sequence[Any]], pa.RecordBatch]
) -> Generator[pa.RecordBatch, None, None]:
    """What `make` makes of the rows that `fetch(n)` gives, n at a time: two megabytes if they are like those before."""
    at_once = ROWS_TO_BEGIN
    while rows := fetch(at_once):
        batch = make(rows)
        yield batch
        at_once = max(1, min(MOST_ROWS, BATCH_BYTES * batch.num_rows // max(1, batch.nbytes)))


def cut_batches(batches: Iterable[pa.RecordBatch], rows: int, size: int) -> Generator[pa.RecordBatch, None, None]:
    """The same rows in batches of so many, the last aside; of fewer where they would have more than `size` bytes."""
    held: list[pa.RecordBatch] = []
    held_rows = held_bytes = 0
    for batch in batches:
        while batch.num_rows:
            fitting = (size - held_bytes) * batch.num_rows // max(1, batch.nbytes)
            taken = batch.slice(0, max(1, min(rows - held_rows, fitting)))
            batch = batch.slice(taken.num_rows)
            held.append(taken)
            held_rows += taken.num_rows
            held_bytes += taken.nbytes
            if held_rows == rows or held_bytes >= size:
                yield pa.concat_batches(held)
                held, held_rows, held_bytes = [], 0, 0
    if held:
        yield pa.concat_batches(held)
