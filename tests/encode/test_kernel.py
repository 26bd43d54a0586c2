"""The compiled kernel against its oracle, and under the sanitizers."""

import pytest
from drawn_rows import Drawn, drawn_rows
from hypothesis import given, settings

from offtake.encode import kernel, oracle
from offtake.encode.nested import prepare_any
from offtake.encode.rows import Tally

compiled = pytest.mark.skipif(not kernel.available(), reason="The kernel was not compiled: no C compiler at install.")


def both(drawn: Drawn) -> tuple[tuple[bytes, Tally], tuple[bytes, Tally]]:
    columns = [prepare_any(drawn.batch.column(cell.column), cell.writer) for cell in drawn.template.cells]
    rows = drawn.batch.num_rows
    fast, plain = Tally(), Tally()
    chunks = [chunk for chunk, _ in kernel.render_chunks(columns, rows, drawn.template, drawn.row, fast)]
    expected = b"".join(oracle.render_rows(columns, rows, drawn.template, drawn.row, plain))
    return (b"".join(chunks), fast), (expected, plain)


@compiled
@settings(max_examples=300)
@given(drawn_rows())
def test_the_kernel_writes_what_the_oracle_writes(drawn: Drawn) -> None:
    fast, plain = both(drawn)
    assert fast == plain
