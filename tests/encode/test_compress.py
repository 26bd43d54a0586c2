"""Compression, undone by the standard library and by another zstd."""

import gzip
from collections.abc import Generator

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offtake.encode.compress import compress
from offtake.errors import InvalidFormat


def chunks(*parts: bytes) -> Generator[bytes, None, None]:
    yield from parts


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_gzip_undone_is_what_went_in(parts: list[bytes]) -> None:
    assert gzip.decompress(b"".join(compress(chunks(*parts), "gzip"))) == b"".join(parts)


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_zstd_undone_is_what_went_in(parts: list[bytes]) -> None:
    packed = pa.BufferReader(b"".join(compress(chunks(*parts), "zstd")))
    assert pa.CompressedInputStream(packed, "zstd").read() == b"".join(parts)


def test_equal_input_gives_equal_bytes() -> None:
    assert b"".join(compress(chunks(b"a" * 999), "gzip")) == b"".join(compress(chunks(b"a" * 999), "gzip"))


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_closing_early_closes_what_is_behind(compression: str) -> None:
    closed = []

    def endless() -> Generator[bytes, None, None]:
        try:
            while True:
                yield bytes(range(256)) * 4096
        finally:
            closed.append(True)

    packed = compress(endless(), compression)
    next(packed)
    packed.close()
    assert closed == [True]


def test_an_unknown_compression_names_the_known_ones() -> None:
    with pytest.raises(InvalidFormat) as caught:
        compress(chunks(), "rar")
    assert "gzip" in caught.value.hint


def test_gzip_holds_no_time_and_small_is_smaller() -> None:
    rows = [b"".join(b"%d,name %d,%d\n" % (row, row % 7, row * row) for row in range(20_000))]
    fast = b"".join(compress(chunks(*rows), "gzip"))
    small = b"".join(compress(chunks(*rows), "gzip", "small"))
    assert fast[4:8] == small[4:8] == bytes(4)
    assert gzip.decompress(small) == gzip.decompress(fast) == rows[0]
    assert len(small) < len(fast)
