"""What Parquet and Arrow files share: the schema with its labels, the values they cannot hold, a sink of chunks."""

import pyarrow as pa
import pyarrow.compute as pc

from offtake.model.ports import Chunks, RowStream

LARGEST = {pa.date32(): 2**31 - 1, pa.timestamp("us", "UTC"): 2**63 - 1}


class Sink:
    """A file for pyarrow to write to; `take` gives what was written since."""

    def __init__(self) -> None:
        self.closed = False
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep the bytes until they are taken."""
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> Chunks:
        """Everything written since the last time, piece by piece, none of which is held once it was given away."""
        self._parts.reverse()
        while self._parts:
            yield self._parts.pop()

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """pyarrow says that it is done."""
        self.closed = True


def labelled_schema(stream: RowStream) -> pa.Schema:
    """The stream's schema; each field says its `label`, `description` and `type` as clients see it."""
    fields = []
    for column, field in zip(stream.columns, stream.schema, strict=True):
        told = {
            "label": column.label or column.field.label or column.name,
            "description": column.field.description,
            "type": str(column.type),
        }
        fields.append(field.with_metadata({key: value for key, value in told.items() if value}))
    return pa.schema(fields)


def finite_batch(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch under that schema, infinite dates and instants as null: neither format has such values."""
    return pa.RecordBatch.from_arrays([_finite(column) for column in batch.columns], schema=schema)


def _finite(column: pa.Array) -> pa.Array:
    largest = LARGEST.get(column.type)
    if largest is None:
        return column
    numbers = column.view(pa.int32() if column.type == pa.date32() else pa.int64())
    is_infinite = pc.or_(pc.greater_equal(numbers, largest), pc.less_equal(numbers, -largest))
    if not pc.any(is_infinite).as_py():
        return column
    return pc.if_else(is_infinite, pa.scalar(None, column.type), column)
