"""COPY … (FORMAT binary) -> Arrow arrays, by `copy.c` beside this file: rows go from libpq into Arrow's buffers.

Half the work of the CSV way for both sides: PostgreSQL writes no text and nobody parses any. The build hook compiles
it; where it could not, or where psycopg's libpq is out of reach, `available()` is False and PostgreSQL is read as CSV.
"""

import ctypes
import select
import sys
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg.pq
import pyarrow as pa

from offtake.errors import SourceFailed
from offtake.source.arrow_types import unfit
from offtake.source.copycsv import CopyFailed, finish_copy

LIBRARY = Path(__file__).with_name("libcopy.so")
BATCH_BYTES = 1 << 21  # measured: 1 MiB takes a third longer, 4 MiB gains nothing
_WAIT_MS = 1000
_LONG, _POINTER = ctypes.c_int64, ctypes.c_void_p
_WAIT, _FULL, _END, _BROKEN, _UNFIT, _MALFORMED, _NO_MEMORY = range(7)


class Kind(IntEnum):
    """How a value arrives, as in copy.c."""

    TEXT = 0
    BOOLEAN = 1
    INT2 = 2
    INT4 = 3
    INT8 = 4
    OID = 5
    DOUBLE = 6
    NUMERIC = 7
    DATE = 8
    TIME = 9
    INSTANT = 10
    UUID = 11


@dataclass(frozen=True)
class Slot:
    """One column of the COPY: its field's name, how its values arrive, the Arrow type they become."""

    name: str
    kind: Kind
    type: pa.DataType


class _Column(ctypes.Structure):
    _fields_ = (
        *((name, _LONG) for name in ("kind", "scale", "nulls", "used", "room")),
        *((name, _POINTER) for name in ("valid", "data", "offsets")),
    )


class _State(ctypes.Structure):
    _fields_ = tuple((name, _LONG) for name in ("begun", "unfit", "rows", "bytes"))


LAYOUT = ctypes.sizeof(_Column) * 1000 + ctypes.sizeof(_State)


@dataclass(frozen=True)
class Parts:
    """Our library, and PQgetCopyData and PQfreemem of the libpq that psycopg loaded."""

    ours: ctypes.CDLL
    get_row: Any
    free_row: Any


@lru_cache(maxsize=8)
def load(library: Path = LIBRARY) -> Parts | None:
    """Everything needed, or None. A symbol of psycopg's own module is looked up in the libpq it was linked to.

    psycopg without that module (its plain Python implementation) has no file to look in: None.
    """
    try:
        ours = ctypes.CDLL(str(library))
        ours.offtake_copy_layout.restype = ours.offtake_copy_begin.restype = ours.offtake_copy_take.restype = _LONG
        ours.offtake_copy_free.argtypes = [_POINTER]
        driver = ctypes.CDLL(sys.modules[psycopg.pq.PGconn.__module__].__file__)
        parts = Parts(ours, driver.PQgetCopyData, driver.PQfreemem)
    except (OSError, AttributeError, KeyError, TypeError):
        return None
    return parts if ours.offtake_copy_layout() == LAYOUT else None


def available() -> bool:
    """Whether PostgreSQL can be read in binary."""
    return load() is not None


class _Owner:
    """Keeps one buffer of C's until Arrow lets go of it."""

    def __init__(self, free: Any, address: int) -> None:
        self._free, self.address = free, address

    def __del__(self) -> None:
        self._free(self.address)


def copy_arrays(
    connection: psycopg.pq.abc.PGconn, slots: Sequence[Slot], *, is_utf8: bool, parts: Parts | None = None
) -> Generator[list[pa.Array], None, None]:
    """The rows of a started COPY, an array a column, about two megabytes at a time.

    Raises CopyFailed or psycopg's OperationalError, and SourceFailed naming the field whose value does not fit.
    """
    parts = parts or load()
    assert parts is not None
    readable = select.poll()
    readable.register(connection.socket, select.POLLIN)
    state = _State()
    told = _FULL
    while told != _END:
        batch = _Batch(parts, slots, state)
        told = batch.fill(connection, readable)
        arrays = batch.arrays(is_utf8=is_utf8)
        if told == _END:
            finish_copy(connection)
        if arrays and len(arrays[0]):
            yield arrays


class _Batch:
    """The buffers of one batch, filled by C, then handed to Arrow one by one."""

    def __init__(self, parts: Parts, slots: Sequence[Slot], state: _State) -> None:
        self._parts, self._slots, self._state = parts, slots, state
        state.rows = state.bytes = 0
        scales = (slot.type.scale if slot.kind is Kind.NUMERIC else 0 for slot in slots)
        columns = (_Column(kind=slot.kind, scale=scale) for slot, scale in zip(slots, scales, strict=True))
        self._columns = (_Column * len(slots))(*columns)
        if not parts.ours.offtake_copy_begin(self._columns, _LONG(len(slots))):
            raise _no_memory()

    def fill(self, connection: psycopg.pq.abc.PGconn, readable: select.poll) -> int:
        """Take rows until the batch is full or the COPY ends; which of the two."""
        parts, state = self._parts, self._state
        arguments = (
            _POINTER(connection.pgconn_ptr),  # type: ignore[attr-defined]  # psycopg's protocol leaves it out
            parts.get_row,
            parts.free_row,
            ctypes.byref(state),
            self._columns,
            _LONG(len(self._slots)),
            _LONG(BATCH_BYTES),
        )
        try:
            while (told := parts.ours.offtake_copy_take(*arguments)) == _WAIT:
                if readable.poll(_WAIT_MS):
                    connection.consume_input()
            if told not in (_FULL, _END):
                raise self._failure(told)
        except BaseException:
            self._free()
            raise
        return int(told)

    def _failure(self, told: int) -> Exception:
        if told == _UNFIT:
            slot = self._slots[self._state.unfit]
            return unfit(slot.name, slot.type)
        if told == _BROKEN:
            return CopyFailed("08006")
        if told == _NO_MEMORY:
            return _no_memory()
        return SourceFailed("The database sent rows that cannot be read.", hint="Is it PostgreSQL 12 or newer?")

    def _free(self) -> None:
        for column in self._columns:
            for address in (column.valid, column.data, column.offsets):
                self._parts.ours.offtake_copy_free(address)

    def arrays(self, *, is_utf8: bool) -> list[pa.Array]:
        """The columns; from here on Arrow owns the buffers."""
        rows = self._state.rows
        arrays = [self._array(*pair, rows) for pair in zip(self._slots, self._columns, strict=True)]
        if not is_utf8:
            _check_utf8(array for array, slot in zip(arrays, self._slots, strict=True) if slot.kind is Kind.TEXT)
        return arrays

    def _array(self, slot: Slot, column: _Column, rows: int) -> pa.Array:
        valid = self._buffer(column.valid, (rows + 7) // 8)
        if column.offsets:
            buffers = [valid, self._buffer(column.offsets, 4 * (rows + 1)), self._buffer(column.data, column.used)]
        elif slot.kind is Kind.BOOLEAN:
            buffers = [valid, self._buffer(column.data, (rows + 7) // 8)]
        else:
            buffers = [valid, self._buffer(column.data, rows * slot.type.bit_width // 8)]
        if not column.nulls:
            buffers[0] = None
        return pa.Array.from_buffers(slot.type, rows, buffers, column.nulls)

    def _buffer(self, address: int, size: int) -> pa.Buffer:
        return pa.foreign_buffer(address, size, _Owner(self._parts.ours.offtake_copy_free, address))


def _no_memory() -> SourceFailed:
    return SourceFailed("There is not enough memory for the rows of this source.", hint="Try again later.")


def _check_utf8(arrays: Iterable[pa.Array]) -> None:
    """For databases that do not check it themselves (SQL_ASCII)."""
    try:
        for array in arrays:
            array.validate(full=True)
    except pa.ArrowInvalid as error:
        raise SourceFailed(
            "The database sent text that is not UTF-8.", hint="Convert the database's encoding, or cast the column."
        ) from error
