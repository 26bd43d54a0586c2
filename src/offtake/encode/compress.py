"""Bytes packed on their way: gzip (RFC 1952, by isal) and zstd (RFC 8878). The same bytes in, the same bytes out."""

import zlib
from collections.abc import Callable
from contextlib import closing
from typing import Literal, Protocol

import zstandard
from isal import isal_zlib

from offtake.errors import InvalidFormat
from offtake.model.ports import Chunks
from offtake.query.nearest import did_you_mean

Deflate = Literal["fast", "small"]
GZIP_CONTAINER = 31  # window bits that make deflate write gzip's header, its time left at 0
ZSTD_LEVEL = 3
COMPRESSIONS = ("none", "gzip", "zstd")


class _Packer(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def _gzip(deflate: Deflate) -> _Packer:
    if deflate == "small":
        return zlib.compressobj(6, zlib.DEFLATED, GZIP_CONTAINER)
    packer: _Packer = isal_zlib.compressobj(1, isal_zlib.DEFLATED, GZIP_CONTAINER)
    return packer


def _zstd(_deflate: Deflate) -> _Packer:
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compressobj()


PACKERS: dict[str, Callable[[Deflate], _Packer]] = {"gzip": _gzip, "zstd": _zstd}


def compress(chunks: Chunks, compression: str, deflate: Deflate = "fast") -> Chunks:
    """The same bytes packed. `deflate` small makes gzip a little smaller and many times slower.

    Raises InvalidFormat for a compression nobody knows, at once and not with the first chunk.
    """
    if compression == "none":
        return chunks
    if compression not in PACKERS:
        hint = did_you_mean(compression, COMPRESSIONS, "Compressions")
        raise InvalidFormat(f"There is no compression {compression!r}.", hint=hint, pointer="/compression")
    return _packed(chunks, PACKERS[compression](deflate))


def _packed(chunks: Chunks, packer: _Packer) -> Chunks:
    with closing(chunks):
        for chunk in chunks:
            if packed := packer.compress(chunk):
                yield packed
        yield packer.flush()
