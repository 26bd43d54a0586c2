"""What COPY … (FORMAT csv) sends -> Arrow record batches.

libpq hands rows over one by one; a block of whole rows is gathered from them and parsed at once. So no cell is ever
split, however large, and nothing but our own thread is ever inside libpq (a streaming CSV reader's read-ahead is).
"""

import select
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from psycopg import OperationalError, pq

from offtake.errors import SourceFailed

BLOCK_BYTES = 1 << 20  # measured: 256 KiB and 4 MiB are both slower
_WAIT_MS = 1000


@dataclass(frozen=True)
class Cells:
    """One column of the CSV: the type Arrow's parser reads it as, and what makes the wanted array of text.

    `from_text` is used where `parsed` is only text, and where the parser met text it cannot read as `parsed`.
    """

    parsed: pa.DataType
    from_text: Callable[[pa.Array], pa.Array]
    is_text: bool = False


class CopyFailed(Exception):
    """COPY ended with an error of the server's; `sqlstate` is its code (PostgreSQL, appendix A)."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


def start_copy(connection: pq.abc.PGconn, query: bytes) -> None:
    """Send the COPY and wait until the server begins. Raises CopyFailed."""
    result = connection.exec_(query)
    if result.status != pq.ExecStatus.COPY_OUT:
        raise CopyFailed(_sqlstate(result))


def copy_blocks(connection: pq.abc.PGconn) -> Generator[bytearray, None, None]:
    """The rows of a started COPY in blocks of whole rows. Raises CopyFailed or psycopg's OperationalError."""
    take = connection.get_copy_data
    readable = select.poll()
    readable.register(connection.socket, select.POLLIN)
    block = bytearray()  # growing one buffer costs half of joining a list of rows
    full = BLOCK_BYTES
    while True:
        size, row = take(1)
        if size > 0:
            block += row
            if len(block) >= full:
                if _is_whole(block):
                    yield block
                    block, full = bytearray(), BLOCK_BYTES
                else:
                    full = len(block) + BLOCK_BYTES
        elif size == 0:
            if readable.poll(_WAIT_MS):
                connection.consume_input()
        else:
            break
    finish_copy(connection)
    if block:
        yield block


def _is_whole(block: bytearray) -> bool:
    """Whether the block ends with a row: PostgreSQL sends whole rows, but the protocol does not promise it."""
    return block.endswith(b"\n") and block.count(b'"') % 2 == 0


def finish_copy(connection: pq.abc.PGconn) -> None:
    """Take the server's last word on a COPY. Raises CopyFailed if it failed, OperationalError if nobody is there."""
    while (result := connection.get_result()) is not None:
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise CopyFailed(_sqlstate(result))
    if connection.status != pq.ConnStatus.OK:
        raise OperationalError("the connection was lost")


def _sqlstate(result: pq.abc.PGresult) -> str:
    return (result.error_field(pq.DiagnosticField.SQLSTATE) or b"08006").decode()


@dataclass
class CsvParser:
    """Blocks -> record batches. A column in which Arrow's parser met what it cannot read comes as text from then on."""

    columns: Sequence[Cells]
    schema: pa.Schema
    as_text: set[int] = field(default_factory=set)

    def parse(self, block: bytearray) -> pa.RecordBatch:
        """The block's rows. Raises SourceFailed naming the field whose value does not fit."""
        try:
            table = self._read(block, self.as_text)
        except pa.ArrowInvalid:
            table = self._read_again(block)
        arrays = []
        for index, cells in enumerate(self.columns):
            array = table.column(index).combine_chunks()
            if cells.is_text or index in self.as_text:
                array = cells.from_text(array)
            arrays.append(array)
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _read_again(self, block: bytearray) -> pa.Table:
        """The block with every column as text that does not read as its type."""
        everything = set(range(len(self.columns)))
        try:
            table = self._read(block, everything)
        except pa.ArrowInvalid as error:
            raise SourceFailed(
                "The database sent text that is not UTF-8.", hint="Convert the database's encoding, or cast the column."
            ) from error
        for index, cells in enumerate(self.columns):
            if index not in self.as_text and not _reads_as(table.column(index), cells.parsed):
                self.as_text.add(index)
        return self._read(block, self.as_text)

    def _read(self, block: bytearray, as_text: set[int]) -> pa.Table:
        names = [str(index) for index in range(len(self.columns))]
        types = {
            name: pa.string() if index in as_text else self.columns[index].parsed for index, name in enumerate(names)
        }
        return pyarrow.csv.read_csv(
            pa.py_buffer(block),
            read_options=pyarrow.csv.ReadOptions(column_names=names, block_size=len(block) + 1),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=types,
                null_values=[""],
                true_values=["t"],
                false_values=["f"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )


def _reads_as(texts: pa.ChunkedArray, wanted: pa.DataType) -> bool:
    """Whether the CSV parser reads every one of the texts as the type."""
    if pa.types.is_boolean(wanted):
        return not pc.any(pc.invert(pc.is_in(texts.drop_null(), pa.array(["t", "f"])))).as_py()
    try:
        pc.cast(texts, wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True
