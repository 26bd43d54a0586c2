"""Chunks of any size, made into pieces worth a system call or a message."""

from collections.abc import Iterable, Iterator

PIECE = 1 << 20


def joined(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of at least PIECE, the last aside."""
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size >= PIECE:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)
