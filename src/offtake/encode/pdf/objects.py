"""The PDF file itself, written as it grows: numbered objects, streams, cross-references (ISO 32000-1 §7.3, §7.5)."""

from collections.abc import Iterable
from datetime import UTC, datetime

from isal import isal_zlib

HEAD = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
LEVEL = 1  # isal: a page's content shrinks five times at 700 MB/s


def text_string(text: str) -> bytes:
    """A text string for people: UTF-16 with a byte order mark, in hexadecimal (§7.9.2.2)."""
    return b"<FEFF" + text.encode("utf-16-be", "replace").hex().upper().encode() + b">"


def date_string(instant: datetime) -> bytes:
    """A date in UTC (§7.9.4)."""
    return instant.astimezone(UTC).strftime("(D:%Y%m%d%H%M%SZ)").encode()


class Objects:
    """Gives out object numbers and remembers where each object began: 8 bytes an object is all that grows."""

    def __init__(self) -> None:
        self._offsets: list[int] = [0]
        self._position = len(HEAD)

    def reserve(self) -> int:
        """A number for an object that is written later."""
        self._offsets.append(0)
        return len(self._offsets) - 1

    def write(self, number: int, body: bytes) -> bytes:
        """The object's bytes; they must go into the file next."""
        data = b"%d 0 obj\n%s\nendobj\n" % (number, body)
        self._offsets[number] = self._position
        self._position += len(data)
        return data

    def stream(self, number: int, content: bytes, entries: bytes = b"") -> bytes:
        """A compressed stream object with further dictionary entries."""
        packed = isal_zlib.compress(content, LEVEL)
        head = b"<</Length %d/Filter/FlateDecode%s>>\nstream\n" % (len(packed), entries)
        return self.write(number, head + packed + b"\nendstream")

    def trailer(self, root: int, info: int) -> bytes:
        """The cross-reference table and the file's last lines."""
        rows = b"".join(b"%010d 00000 n \n" % offset for offset in self._offsets[1:])
        size = len(self._offsets)
        table = b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, rows)
        end = b"trailer\n<</Size %d/Root %d 0 R/Info %d 0 R>>\nstartxref\n%d\n%%%%EOF\n"
        return table + end % (size, root, info, self._position)


def references(numbers: Iterable[int]) -> bytes:
    """`[1 0 R 2 0 R …]`"""
    return b"[" + b" ".join(b"%d 0 R" % number for number in numbers) + b"]"
