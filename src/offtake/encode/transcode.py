"""UTF-8 chunks in another character encoding."""

from contextlib import closing
from typing import Literal

from offtake.errors import InvalidFormat
from offtake.model.ports import Chunks

Encoding = Literal["utf-8", "utf-16", "windows-1252"]
CODECS = {"utf-16": "utf-16-le", "windows-1252": "cp1252"}
UTF_8_MARK = b"\xef\xbb\xbf"
UTF_16_MARK = b"\xff\xfe"


def transcode(chunks: Chunks, encoding: Encoding, bom: bool) -> Chunks:
    """The chunks, each of whole characters, in the encoding. utf-16 is little-endian and always has its BOM.

    Raises InvalidFormat at the first character the encoding does not have, telling which and in which line.
    """
    mark = {"utf-8": UTF_8_MARK if bom else b"", "utf-16": UTF_16_MARK}.get(encoding, b"")
    codec = CODECS.get(encoding)
    line = 1
    with closing(chunks):
        for chunk in chunks:
            yield mark + (chunk if codec is None else _encoded(chunk, codec, encoding, line))
            mark = b""
            line += chunk.count(b"\n") if codec else 0
        if mark:
            yield mark


def _encoded(chunk: bytes, codec: str, encoding: str, line: int) -> bytes:
    text = chunk.decode()
    try:
        return text.encode(codec)
    except UnicodeEncodeError as error:
        line += text.count("\n", 0, error.start)
        character = ord(text[error.start])
        raise InvalidFormat(
            f"Line {line} of the file holds U+{character:04X}, which {encoding} does not have.",
            hint="Use the encoding utf-8 or utf-16.",
            pointer="/options/encoding",
        ) from None
