"""ZIP archives written front to back, for sinks that cannot seek (PKWARE APPNOTE 6.3.10).

An entry of unknown size has its sizes after it (data descriptor, §4.3.9); so it must stay under 4 GiB, and whoever
writes one that could grow beyond splits it. The archive itself may be of any size: ZIP64 is written where, and only
where, an offset needs it. Entries are packed in blocks that do not wait for each other, away from the thread that makes
them.
"""

import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from os import cpu_count
from types import TracebackType

from isal import isal_zlib

BLOCK = 1 << 20  # bytes packed at a time
WINDOW = 1 << 15  # how far back deflate looks (RFC 1951 §2)
STORED = 0xFFFF  # the longest block that deflate leaves as it is
LIMIT = 0xFFFFFFFF  # offsets and sizes from here on need ZIP64
END_OF_ENTRY = b"\x03\x00"  # an empty last block (RFC 1951 §3.2.6): every block before it ends in a sync flush

Buffer = bytes | memoryview


@dataclass(frozen=True)
class Packed:
    """One block, packed: CRC-32 and size of what went in, and what came out."""

    crc: int
    size: int
    data: bytes


def pack_fast(pieces: Sequence[Buffer], window: bytes) -> Packed:
    """Deflate with isal level 1: about 800 MB/s of sheet XML, files a tenth larger than zlib's level 6."""
    block = b"".join(pieces)
    packer = isal_zlib.compressobj(1, isal_zlib.DEFLATED, -15, 8, 0, window)
    return Packed(isal_zlib.crc32(block), len(block), packer.compress(block) + packer.flush(isal_zlib.Z_SYNC_FLUSH))


def pack_small(pieces: Sequence[Buffer], window: bytes) -> Packed:
    """Deflate with zlib level 6: about 60 MB/s a thread."""
    block = b"".join(pieces)
    packer = zlib.compressobj(6, zlib.DEFLATED, -15, 8, zlib.Z_DEFAULT_STRATEGY, window)
    return Packed(isal_zlib.crc32(block), len(block), packer.compress(block) + packer.flush(zlib.Z_SYNC_FLUSH))


def pack_stored(pieces: Sequence[Buffer], _window: bytes) -> Packed:
    """Leave the bytes as they are, in deflate's own way (RFC 1951 §3.2.4): for what is packed already.

    Unlike ZIP's method 0 it says where the entry ends, so that readers who cannot seek find the next one.
    """
    block = b"".join(pieces)
    starts = range(0, len(block), STORED)
    data = b"".join(_stored(block[start : start + STORED]) for start in starts)
    return Packed(isal_zlib.crc32(block), len(block), data)


def _stored(some: bytes) -> bytes:
    return struct.pack("<BHH", 0, len(some), len(some) ^ 0xFFFF) + some


@dataclass(frozen=True)
class Packing:
    """How to pack, and in how many threads. `pack` is given a block in pieces and what stood before it."""

    pack: Callable[[Sequence[Buffer], bytes], Packed]
    threads: int


PACKINGS = {
    "fast": Packing(pack_fast, 1),  # as fast as one thread makes rows
    "small": Packing(pack_small, min(4, cpu_count() or 1)),
    "stored": Packing(pack_stored, 1),
}


@dataclass(frozen=True)
class Entry:
    """A finished entry as the central directory lists it."""

    name: bytes
    flags: int
    crc: int
    packed_size: int
    size: int
    offset: int


class ZipStream:
    """An archive in the making: `add` and `stream` give the bytes of entries, `end` those of the directory.

    Leaving the `with` block ends its threads, whatever happened. `modified` becomes every entry's time.
    """

    def __init__(self, modified: datetime, packing: Packing, *, limit: int = LIMIT) -> None:
        self._stamp = dos_time(modified)
        self._packing = packing
        self._limit = limit
        self._size = 0
        self._entries: list[Entry] = []
        self._pool = ThreadPoolExecutor(packing.threads, thread_name_prefix="deflate")

    def __enter__(self) -> "ZipStream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def add(self, name: str, content: bytes) -> bytes:
        """One entry that is known whole: its sizes stand before it, so even naive readers see it."""
        packed = self._packing.pack([content], b"")
        entry = Entry(
            name.encode(), _name_flag(name), packed.crc, len(packed.data) + len(END_OF_ENTRY), packed.size, self._size
        )
        return self._count(self._local_header(entry) + packed.data + END_OF_ENTRY, entry)

    def stream(self, name: str, pieces: Iterable[Buffer]) -> Iterator[bytes]:
        """One entry of less than 4 GiB, packed while its pieces are made. How they are cut changes no byte."""
        flags = _name_flag(name) | 0x08  # sizes come after it
        offset = self._size
        yield self._count(self._local_header(Entry(name.encode(), flags, 0, 0, 0, offset)))
        crc = size = packed_size = 0
        for packed in self._pack(pieces):
            crc = isal_zlib.crc32_combine(crc, packed.crc, packed.size)
            size += packed.size
            packed_size += len(packed.data)
            yield self._count(packed.data)
        packed_size += len(END_OF_ENTRY)
        if max(size, packed_size) >= LIMIT:
            raise OverflowError(f"{name} has {size} bytes; an entry of unknown size must stay under 4 GiB.")
        descriptor = struct.pack("<IIII", 0x08074B50, crc, packed_size, size)
        yield self._count(END_OF_ENTRY + descriptor, Entry(name.encode(), flags, crc, packed_size, size, offset))

    def end(self) -> bytes:
        """The central directory (§4.3.12) and its end records."""
        start, number = self._size, len(self._entries)
        directory = b"".join(self._directory_header(entry) for entry in self._entries)
        end = start + len(directory)
        records = b""
        if max(start, len(directory)) >= self._limit or number >= 0xFFFF:
            records = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, number, number, len(directory), start)
            records += struct.pack("<IIQI", 0x07064B50, 0, end, 1)
        few, small, near = min(number, 0xFFFF), self._short(len(directory)), self._short(start)
        return directory + records + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, few, few, small, near, 0)

    def _pack(self, pieces: Iterable[Buffer]) -> Iterator[Packed]:
        """The blocks in order, packed by the pool; at most two wait for a thread at any time."""
        waiting: deque[Future[Packed]] = deque()
        window = b""
        for block in cut_blocks(pieces, BLOCK):
            waiting.append(self._pool.submit(self._packing.pack, block, window))
            window = last_bytes(block, WINDOW)
            while len(waiting) > self._packing.threads + 2 or (waiting and waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _count(self, content: bytes, finished: Entry | None = None) -> bytes:
        self._size += len(content)
        if finished is not None:
            self._entries.append(finished)
        return content

    def _short(self, number: int) -> int:
        """The number in 32 bits, or what says that the ZIP64 field has it."""
        return number if number < self._limit else LIMIT

    def _version(self, entry: Entry) -> int:
        """4.5 for an entry that only ZIP64 reaches, else 2.0: Excel wants the same in both headers."""
        return 45 if entry.offset >= self._limit else 20

    def _local_header(self, entry: Entry) -> bytes:
        sizes = (entry.crc, entry.packed_size, entry.size, len(entry.name), 0)
        return (
            struct.pack("<IHHHIIIIHH", 0x04034B50, self._version(entry), entry.flags, 8, self._stamp, *sizes)
            + entry.name
        )

    def _directory_header(self, entry: Entry) -> bytes:
        version, offset = self._version(entry), self._short(entry.offset)
        extra = struct.pack("<HHQ", 1, 8, entry.offset) if offset != entry.offset else b""
        head = struct.pack("<IHHHHI", 0x02014B50, version, version, entry.flags, 8, self._stamp)
        sizes = (entry.crc, entry.packed_size, entry.size, len(entry.name), len(extra))
        return head + struct.pack("<IIIHHHHHII", *sizes, 0, 0, 0, 0, offset) + entry.name + extra


def cut_blocks(pieces: Iterable[Buffer], size: int) -> Iterator[list[memoryview]]:
    """The same bytes in blocks of that size, each of one piece or more; only the last block may be shorter."""
    block: list[memoryview] = []
    missing = size
    for piece in pieces:
        rest = memoryview(piece)
        while len(rest) >= missing:
            yield [*block, rest[:missing]]
            rest = rest[missing:]
            block, missing = [], size
        if len(rest):
            block.append(rest)
            missing -= len(rest)
    if block:
        yield block


def last_bytes(pieces: Sequence[Buffer], size: int) -> bytes:
    """The end of what the pieces hold together."""
    ends: list[Buffer] = []
    for piece in reversed(pieces):
        ends.append(piece[-size:])
        size -= len(ends[-1])
        if not size:
            break
    return b"".join(reversed(ends))


def _name_flag(name: str) -> int:
    """What marks a name as UTF-8, if ASCII does not do (§4.4.4)."""
    return 0 if name.isascii() else 0x800


def dos_time(moment: datetime) -> int:
    """MS-DOS date and time in one number (§4.4.6): 1980 to 2107, two seconds exact."""
    utc = moment.astimezone(UTC)
    year = min(max(utc.year, 1980), 2107)
    return (year - 1980) << 25 | utc.month << 21 | utc.day << 16 | utc.hour << 11 | utc.minute << 5 | utc.second >> 1
