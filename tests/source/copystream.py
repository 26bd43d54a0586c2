"""COPY's binary format, written by hand: what PostgreSQL would send, for tests of what reads it."""

import ctypes
import os
import struct
from collections.abc import Iterator, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from psycopg.pq import ConnStatus

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!II", 0, 0)
TRAILER = b"\xff\xff"
_GET = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.c_int)
_FREE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_LIBC = ctypes.CDLL(None)
_LIBC.malloc.restype, _LIBC.malloc.argtypes, _LIBC.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]


def row_message(*values: bytes | None) -> bytes:
    """One row: the number of values, then each with its length in front."""
    cells = (b"\xff\xff\xff\xff" if value is None else struct.pack("!i", len(value)) + value for value in values)
    return struct.pack("!h", len(values)) + b"".join(cells)


def numeric(groups: Sequence[int], weight: int, sign: int = 0, scale: int = 0, told: int | None = None) -> bytes:
    """A number as numeric_send writes it, its digits of base 10,000; `told` is how many it says there are."""
    count = len(groups) if told is None else told
    return struct.pack(f"!HhHH{len(groups)}H", count, weight, sign, scale, *groups)


def value_of(groups: Sequence[int], weight: int, sign: int) -> Decimal:
    """What number that is."""
    digits = "".join(f"{group:04d}" for group in groups) or "0"
    return Decimal((int(sign != 0), tuple(map(int, digits)), 4 * (weight - len(groups) + 1)))


class Server:
    """Stands where libpq and a connection stand: gives messages, each in memory of exactly its size.

    A number among the messages is what PQgetCopyData returns instead of a length; 0 says that nothing has arrived yet.
    """

    status = ConnStatus.OK
    pgconn_ptr = None

    def __init__(self, messages: Sequence[bytes | int]) -> None:
        self._messages: Iterator[bytes | int] = iter(messages)
        self.unfreed: set[int] = set()
        self.get_row, self.free_row = _GET(self._get), _FREE(self._free)
        self.socket, self._writes = os.pipe()
        os.write(self._writes, b"so that there is something to read")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        os.close(self.socket)
        os.close(self._writes)

    def consume_input(self) -> None:
        """More may have arrived now."""

    def get_result(self) -> None:
        """The COPY has ended well."""

    def _get(self, _connection: int | None, row: Any, _is_async: int) -> int:
        message = next(self._messages, -1)
        if isinstance(message, int):
            return message
        address = _LIBC.malloc(len(message))
        ctypes.memmove(address, message, len(message))
        row[0] = address
        self.unfreed.add(address)
        return len(message)

    def _free(self, row: int) -> None:
        self.unfreed.remove(row)
        _LIBC.free(row)
