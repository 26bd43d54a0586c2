"""Compression around any format: gzip (RFC 1952) by isal, zstd (RFC 8878). Equal input gives equal bytes."""

import struct
import zlib
from contextlib import closing

import zstandard
from isal import isal_zlib

from offtake.errors import InvalidRequest
from offtake.model.ports import Chunks

GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # no file name, no time: the same rows, the same bytes
GZIP_LEVEL = 1  # isal: 410 MB/s, 2.8 times smaller on CSV
ZSTD_LEVEL = 1
COMPRESSIONS = ("none", "gzip", "zstd")


def compress(chunks: Chunks, compression: str) -> Chunks:
    """The chunks, compressed; closing the result closes them. Raises InvalidRequest for an unknown compression."""
    if compression == "none":
        return chunks
    if compression == "gzip":
        return _gzip(chunks)
    if compression == "zstd":
        return _zstd(chunks)
    raise InvalidRequest(
        f"There is no compression {compression!r}.", hint=f"Known: {', '.join(COMPRESSIONS)}.", pointer="/compression"
    )


def _gzip(chunks: Chunks) -> Chunks:
    packer = isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS)
    check, size, head = 0, 0, GZIP_HEAD
    with closing(chunks):
        for chunk in chunks:
            check, size = zlib.crc32(chunk, check), size + len(chunk)
            if packed := head + packer.compress(chunk):
                yield packed
                head = b""
    yield head + packer.flush() + struct.pack("<II", check, size & 0xFFFFFFFF)


def _zstd(chunks: Chunks) -> Chunks:
    packer = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compressobj()
    with closing(chunks):
        for chunk in chunks:
            if packed := packer.compress(chunk):
                yield packed
    yield packer.flush()
