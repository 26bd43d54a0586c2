"""One read cut into numbered parts, each a whole file of its own, in one zip that is streamed like any file."""

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

import pyarrow as pa

from offtake.encode.compress import compress
from offtake.encode.zip import PACKINGS, ZipStream
from offtake.engine.export import Account, count_chunks, open_rows
from offtake.errors import InvalidRequest
from offtake.model.export import Plan
from offtake.model.job import Part
from offtake.model.ports import Chunks, Format, RowStream, Source, Stop

ZIP = "application/zip"
LARGEST_PART = 3_500_000_000  # bytes; with the rows under way, still less than the 4 GiB that every zip reader takes
MOST_PARTS = 10_000
PIECE_ROWS = 8192  # rows that an encoder is given at a time where bytes are counted,
PIECES = 128  # or so many of a part's bytes: it encodes a few pieces ahead of what has come out


@dataclass(frozen=True)
class Cut:
    """Where a part ends: after so many rows, or with the rows that take it past so many bytes. None = there is no such.

    However it is cut, a part ends before it has 4 GiB.
    """

    rows: int | None = None
    bytes: int | None = None

    def __post_init__(self) -> None:
        """Raise InvalidRequest for a part of nothing, or of more than a zip's entry should have."""
        for name, given, most in (("part_rows", self.rows, None), ("part_bytes", self.bytes, LARGEST_PART)):
            if given is not None and given < 1:
                raise InvalidRequest(f"{name} is less than 1.", hint="Leave it out for one file.", pointer=f"/{name}")
            if given is not None and most is not None and given > most:
                raise InvalidRequest(f"{name} is more than {most}.", hint="Ask for less.", pointer=f"/{name}")


def export_parts(
    source: Source,
    plan: Plan,
    format: Format,
    options: Any = None,
    *,
    cut: Cut,
    name_part: Callable[[int], str],
    compression: str = "none",
    stop: Stop | None = None,
    on_rows: Callable[[int], None] | None = None,
    account: Account | None = None,
) -> Chunks:
    """The bytes of a zip of parts, of one read of one snapshot; no rows at all are one part without any.

    `name_part` names the parts, counted from 1. With a `compression` each of them is packed, else the zip packs them.
    Otherwise as `export_chunks`; raises InvalidRequest once there are more than 10,000 parts.
    """
    options = options or format.options()
    deflate = getattr(options, "deflate", "fast")
    packing = PACKINGS[deflate if compression == "none" else "stored"]
    encode = partial(_encode, format, options, compression, deflate)
    with (
        open_rows(source, plan, stop or Stop(), on_rows=on_rows, account=account) as rows,
        ZipStream(rows.snapshot_at, packing) as archive,
        closing(_parts(Feed(rows, cut), encode, name_part, archive, account)) as parts,
    ):
        yield from parts if account is None else count_chunks(parts, account)


def _encode(format: Format, options: Any, compression: str, deflate: Any, rows: RowStream) -> Chunks:
    return compress(format.encode(rows, options), compression, deflate)


class Feed:
    """The rows that no part has taken yet, handed out in pieces."""

    def __init__(self, rows: RowStream, cut: Cut) -> None:
        self._rows = rows
        self.cut = cut
        self._rest: pa.RecordBatch | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no row is left; fetches the next batch to know."""
        while self._rest is None or not self._rest.num_rows:
            self._rest = next(self._rows.batches, None)
            if self._rest is None:
                return True
        return False

    def open_part(self, tally: "Tally") -> RowStream:
        """The rows of the next part, which ends by the rows and bytes in its tally."""
        return replace(self._rows, batches=self._pieces(tally), total=None)

    def _pieces(self, tally: "Tally") -> Generator[pa.RecordBatch, None, None]:
        most = self.cut.bytes or LARGEST_PART
        while tally.size < most and tally.rows != self.cut.rows and not self.is_empty:
            piece = self._take(None if self.cut.rows is None else self.cut.rows - tally.rows)
            tally.rows += piece.num_rows
            yield piece

    def _take(self, most: int | None) -> pa.RecordBatch:
        """The next rows, at least one."""
        rest = self._rest
        assert rest is not None
        rows = rest.num_rows if most is None else min(most, rest.num_rows)
        if self.cut.bytes is not None:
            of_bytes = self.cut.bytes // PIECES * rest.num_rows // max(1, rest.nbytes)
            rows = max(1, min(rows, PIECE_ROWS, of_bytes))
        self._rest = rest.slice(rows)
        return rest.slice(0, rows)


@dataclass
class Tally:
    """What a part has come to so far; `digest` None = nobody will ask for it."""

    digest: Any
    rows: int = 0
    size: int = 0

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same chunks, counted and hashed as they pass."""
        for chunk in chunks:
            self.size += len(chunk)
            if self.digest is not None:
                self.digest.update(chunk)
            yield chunk


def _parts(
    feed: Feed,
    encode: Callable[[RowStream], Chunks],
    name_part: Callable[[int], str],
    archive: ZipStream,
    account: Account | None,
) -> Chunks:
    """Part after part until no row is left, at least one; then the zip's directory."""
    number = 0
    while not number or not feed.is_empty:
        number += 1
        if number > MOST_PARTS:
            pointer = "/part_rows" if feed.cut.rows else "/part_bytes"
            raise InvalidRequest(
                f"These are more than {MOST_PARTS:,} parts.", hint="Ask for larger parts.", pointer=pointer
            )
        name, tally = name_part(number), Tally(hashlib.sha256() if account else None)
        with closing(encode(feed.open_part(tally))) as chunks:
            first = next(chunks, b"")  # what it cannot encode is said before the entry has begun
            yield from archive.stream(name, tally.watch(chain((first,), chunks)))
        if account is not None:
            account.parts.append(Part(name, tally.rows, tally.size, tally.digest.hexdigest()))
    yield archive.end()
