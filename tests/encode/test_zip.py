"""Archives for sinks that cannot seek, read back by Python's zipfile and by unzip-like eyes."""

import io
import struct
import subprocess
import sys
import zipfile
import zlib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from offtake.encode.zip import BLOCK, LIMIT, PACKINGS, ZipStream, cut_blocks, dos_time, last_bytes

MOMENT = datetime(2026, 11, 21, 12, 0, 1, tzinfo=UTC)


def archive_of(entries: dict[str, list[bytes]], deflate: str = "fast", limit: int = LIMIT) -> bytes:
    with ZipStream(MOMENT, PACKINGS[deflate], limit=limit) as archive:
        content = [archive.add("first.txt", b"known whole")]
        for name, pieces in entries.items():
            content += archive.stream(name, iter(pieces))
        return b"".join(content) + archive.end()


def read_back(content: bytes) -> dict[str, bytes]:
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("deflate", ["fast", "small"])
@pytest.mark.parametrize("limit", [LIMIT, 100, 1])
def test_every_entry_comes_back(deflate: str, limit: int) -> None:
    large = bytes(range(256)) * (5 * BLOCK // 512)
    content = archive_of({"é.bin": [large], "empty": [], "tiny": [b"x"]}, deflate, limit)
    assert read_back(content) == {"first.txt": b"known whole", "é.bin": large, "empty": b"", "tiny": b"x"}


def test_zip64_stands_where_it_is_needed_and_only_there() -> None:
    entries = {"a": [b"x" * 300], "b": [b"y" * 300]}
    plain, large = archive_of(entries), archive_of(entries, limit=100)
    assert b"PK\x06\x06" not in plain
    assert b"PK\x06\x07" not in plain
    assert b"PK\x06\x06" in large
    versions = [info.extract_version for info in zipfile.ZipFile(io.BytesIO(large)).infolist()]
    assert versions == [20, 20, 45]
    assert [info.extract_version for info in zipfile.ZipFile(io.BytesIO(plain)).infolist()] == [20, 20, 20]


def test_local_headers_say_what_the_directory_says() -> None:
    content = archive_of({"a": [b"x" * 300]}, limit=30)
    for info in zipfile.ZipFile(io.BytesIO(content)).infolist():
        _, version, flags, method, stamp, crc, packed, size = struct.unpack_from(
            "<IHHHIIII", content, info.header_offset
        )
        assert (version, flags, method) == (info.extract_version, info.flag_bits, zipfile.ZIP_DEFLATED)
        assert stamp == dos_time(MOMENT)
        assert (crc, packed, size) in ((info.CRC, info.compress_size, info.file_size), (0, 0, 0))


def test_sizes_follow_an_entry_of_unknown_size() -> None:
    content = archive_of({"a": [b"hello"]})
    info = zipfile.ZipFile(io.BytesIO(content)).getinfo("a")
    end = info.header_offset + 30 + len("a") + info.compress_size
    assert struct.unpack_from("<IIII", content, end) == (0x08074B50, zlib.crc32(b"hello"), info.compress_size, 5)


def test_the_command_line_tests_it(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(archive_of({"a": [b"hello"]}, limit=10))
    done = subprocess.run(
        [sys.executable, "-m", "zipfile", "-t", str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "Done testing"


@examples(50)
@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(1, 40))
def test_cutting_into_blocks_loses_nothing(pieces: list[bytes], size: int) -> None:
    blocks = [b"".join(block) for block in cut_blocks(pieces, size)]
    assert b"".join(blocks) == b"".join(pieces)
    assert all(len(block) == size for block in blocks[:-1])
    assert all(0 < len(block) <= size for block in blocks)


@pytest.mark.parametrize("deflate", ["fast", "small"])
def test_how_pieces_are_cut_changes_no_byte(deflate: str) -> None:
    text = b"".join(b'<c r="A%d"><v>%d</v></c>' % (n, n * 7919 % 10_007) for n in range(120_000))
    whole = archive_of({"a": [text]}, deflate)
    cut = [text[start : start + 10_007] for start in range(0, len(text), 10_007)]
    assert archive_of({"a": cut}, deflate) == whole


def test_time_is_utc_within_what_dos_can_say() -> None:
    santiago = timezone(timedelta(hours=-3))
    assert dos_time(datetime(2026, 11, 21, 9, 0, 1, tzinfo=santiago)) == dos_time(MOMENT)
    assert dos_time(datetime(1970, 1, 1, tzinfo=UTC)) >> 25 == 0
    assert dos_time(datetime(2200, 1, 1, tzinfo=UTC)) >> 25 == 127


@examples(50)
@given(st.lists(st.binary(max_size=9), max_size=9), st.integers(1, 40))
def test_last_bytes_are_those_of_the_whole(pieces: list[bytes], size: int) -> None:
    assert last_bytes(pieces, size) == b"".join(pieces)[-size:]
