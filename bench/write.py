"""One writer in one process: `python -m bench.write WRITER ROWS.ipc OUT`; prints its seconds, warmed up on 100 rows.

`offtake:FORMAT[:LOCALE[:deflate]]` is ours, through `export_chunks` like any export; other names are in `peers.PEERS`.
"""

import sys
import time
from collections.abc import Generator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa

from bench.peers import PEERS, ZONE


def _column_types() -> dict[str, object]:
    from offtake.model.dataset import FieldType

    return {
        "int64": FieldType.INTEGER,
        "int32": FieldType.INTEGER,
        "string": FieldType.STRING,
        "bool": FieldType.BOOLEAN,
        "double": FieldType.NUMBER,
        "date32[day]": FieldType.DATE,
        "timestamp[us, tz=UTC]": FieldType.DATETIME,
    }


def write_ours(wish: str, source: Path, out: Path) -> None:
    """Encode the stream by one of our formats, straight from the Arrow file."""
    from offtake.encode import FORMATS, parse_options
    from offtake.model.dataset import Field, FieldType
    from offtake.model.export import Column, Reader
    from offtake.model.ports import RowStream

    name, locale, deflate = [*wish.split(":"), "", ""][:3]
    types = _column_types()
    with pa.OSFile(str(source)) as file, out.open("wb") as sink:
        rows = pa.ipc.open_stream(file)
        schema = pa.schema([(f.name, pa.int64() if f.type == pa.int32() else f.type) for f in rows.schema])

        def batches() -> Generator[pa.RecordBatch, None, None]:
            for batch in rows:
                yield batch.cast(schema)

        columns = tuple(
            Column(Field(f.name, types.get(str(f.type), FieldType.DECIMAL), f.name, f.name)) for f in rows.schema
        )
        reader = Reader(locale or None, ZONE if locale else None)
        stream = RowStream(columns, schema, batches(), datetime(2026, 5, 1, tzinfo=UTC), reader)
        format = FORMATS[name]
        options = parse_options(format, {"deflate": deflate} if deflate else {})
        for chunk in format.encode(stream, options):
            sink.write(chunk)


def main(writer: str, source: str, out: str) -> None:
    """Run it and print the seconds."""
    write = PEERS.get(writer) or partial(write_ours, writer.removeprefix("offtake:"))
    warm = Path(f"{out}.warm")
    write(Path(f"{source}.warm"), warm)  # imports and first-call costs: the service pays them once, not per export
    warm.unlink()
    begin = time.perf_counter()
    write(Path(source), Path(out))
    print(time.perf_counter() - begin)


if __name__ == "__main__":
    main(*sys.argv[1:])
