"""Rows to files: the one loop every export runs through, whoever asked for it and wherever it goes."""

import hashlib
import os
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from offtake.encode.compress import compress
from offtake.engine.ahead import read_ahead
from offtake.engine.transform import expand, first_rows, show_as
from offtake.errors import NoRows, StoreFull
from offtake.model.export import Plan
from offtake.model.job import Part
from offtake.model.ports import About, Chunks, Format, RowStream, Source, Stop
from offtake.query.shown import filter_text

NO_SPACE = (28, 122)  # ENOSPC, EDQUOT


@dataclass
class Account:
    """What an export has come to so far. Whoever made it may look at any time; whole once the chunks have ended."""

    rows: int = 0
    bytes: int = 0
    stream: RowStream | None = None
    digest: Any = field(default_factory=hashlib.sha256)
    parts: list[Part] = field(default_factory=list)

    def count_rows(self, rows: int) -> None:
        """A batch of so many rows passed."""
        self.rows += rows


def export_chunks(
    source: Source,
    plan: Plan,
    format: Format,
    options: Any = None,
    *,
    compression: str = "none",
    stop: Stop | None = None,
    on_rows: Callable[[int], None] | None = None,
    account: Account | None = None,
    at_most: int | None = None,
) -> Chunks:
    """The bytes of one file. Nothing runs until the first chunk is pulled; closing it ends the read.

    `options` is an instance of `format.options` (None = its defaults); `on_rows` is told the size of every batch;
    `account`, if given, is filled as the export goes, for a manifest; `at_most` ends the file after so many rows.
    Raises what `Source.read` raises, before the first chunk whenever the failure comes before the first batch.
    """
    with (
        open_rows(source, plan, stop or Stop(), on_rows=on_rows, account=account, at_most=at_most) as rows,
        closing(format.encode(rows, options or format.options())) as encoded,
    ):
        chunks = compress(encoded, compression, getattr(options, "deflate", "fast"))
        yield from chunks if account is None else count_chunks(chunks, account)


@contextmanager
def open_rows(
    source: Source,
    plan: Plan,
    stop: Stop,
    *,
    on_rows: Callable[[int], None] | None = None,
    account: Account | None = None,
    at_most: int | None = None,
) -> Iterator[RowStream]:
    """The rows as they are to be encoded, read ahead, the first batch already there; leaving the block ends the read.

    Raises what `Source.read` raises, what it takes to get the first batch, and NoRows if the plan allows no empty file.
    """
    stream = source.read(plan, stop)
    with closing(replace(stream, batches=read_ahead(stream.batches, stop), about=_about(plan))) as ahead:
        rows = show_as(expand(ahead, plan.expansion) if plan.expansion else ahead)
        rows = rows if at_most is None else first_rows(rows, at_most)
        rows = replace(rows, batches=_prime(rows, _counters(on_rows, account), plan.allow_empty))
        if account is not None:
            account.stream = rows
        yield rows


def _about(plan: Plan) -> About:
    dataset = plan.dataset
    return About(dataset.label or dataset.name, dataset.name, filter_text(plan.where), plan.asked_by)


def _counters(on_rows: Callable[[int], None] | None, account: Account | None) -> tuple[Callable[[int], None], ...]:
    return tuple(count for count in (on_rows, account and account.count_rows) if count)


def count_chunks(chunks: Chunks, account: Account) -> Chunks:
    """The same chunks, counted and hashed as they pass."""
    for chunk in chunks:
        account.bytes += len(chunk)
        account.digest.update(chunk)
        yield chunk


def _prime(
    stream: RowStream, counters: tuple[Callable[[int], None], ...], allow_empty: bool
) -> Generator[pa.RecordBatch, None, None]:
    """The same batches, the first already fetched: a header sent before it would turn a dead database into a 200."""
    first = next(stream.batches, None)
    while not allow_empty and not (first is not None and first.num_rows):
        if first is None:
            raise NoRows("No row matches.", hint="Widen the filter or the range.")
        first = next(stream.batches, None)

    def batches() -> Generator[pa.RecordBatch, None, None]:
        batch = first
        while batch is not None:
            for count in counters:
                count(batch.num_rows)
            yield batch
            batch = next(stream.batches, None)

    return batches()


def write_file(chunks: Chunks, path: Path) -> int:
    """Write the chunks to `path` and give their number of bytes. Half a file is never visible under that name.

    Written aside, synced, then renamed; any failure, Ctrl-C included, removes what was written. StoreFull if no room.
    A link is followed. A pipe or device is no file to replace: it gets the bytes as they come.
    """
    if path.exists() and not path.is_file():
        with closing(chunks), path.open("wb") as pipe:
            return sum(pipe.write(chunk) for chunk in chunks)
    path = Path(os.path.realpath(path))
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    size = 0
    try:
        with closing(chunks), aside.open("xb") as file:
            for chunk in chunks:
                size += file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        if error.errno in NO_SPACE:
            raise StoreFull(
                f"No room is left for {path.name}.", hint="Free some space or choose another folder."
            ) from error
        raise
    finally:
        aside.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return size


def _sync_folder(folder: Path) -> None:
    """A rename is durable only once the folder is synced."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
