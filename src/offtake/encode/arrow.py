"""Arrow IPC files (the format with a footer: one that was cut off cannot be taken for whole)."""

from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa

from offtake.encode.columnar import Sink, finite_batch, labelled_schema
from offtake.model.ports import Chunks, Format, RowStream


@dataclass(frozen=True)
class ArrowOptions:
    """Nothing to choose."""


def encode_arrow(stream: RowStream, _options: ArrowOptions) -> Chunks:
    """What each batch comes to, the footer last."""
    schema, sink = labelled_schema(stream), Sink()
    with closing(stream), pa.ipc.new_file(sink, schema) as writer:
        for batch in stream:
            writer.write_batch(finite_batch(batch, schema))
            yield from sink.take()
    yield from sink.take()


ARROW = Format("arrow", "application/vnd.apache.arrow.file", "arrow", ArrowOptions, encode_arrow, machine=True)
