"""Artifacts in a bucket: Amazon S3 and what speaks its language, Google Cloud Storage, Azure."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import chain, islice

import obstore
from obstore.store import AzureStore, GCSStore, S3Store

from offtake.model.attachment import content_disposition
from offtake.model.ports import Chunks, StoredFile
from offtake.store.pieces import PIECE, joined
from offtake.store.refusals import told

Driver = S3Store | GCSStore | AzureStore

# A file has at most 10,000 parts, so this allows 78 GiB; while it is written, about five of them are in memory.
PART = 8 * PIECE
_PARTS_AT_ONCE = 4
_READ = 4 * PIECE
_LISTED = 1000  # what S3 lists, and deletes, in one request


class Bucket:
    """A store in a bucket, below a prefix. `probe` is the same bucket for a caller in a hurry.

    An upload whose writer was killed stays in the bucket, hidden, until the bucket's own lifecycle rule removes it.
    """

    def __init__(self, driver: Driver, probe: Driver) -> None:
        self._driver = driver
        self._probe = probe

    def write(self, name: str, chunks: Iterable[bytes], *, filename: str = "", media_type: str = "") -> int:
        """Stream the chunks into a new file and give its bytes. A file smaller than a part is one request."""
        size = 0
        own: list[BaseException] = []

        def pieces() -> Iterator[bytes]:
            nonlocal size
            try:
                for piece in joined(chunks):
                    size += len(piece)
                    yield piece
            except Exception as error:
                own.append(error)
                raise

        rest = pieces()
        first = list(islice(rest, PART // PIECE))
        is_small = len(first) < PART // PIECE
        attributes = {"Content-Disposition": content_disposition(filename)} if filename else {}
        with told(name, own):
            obstore.put(
                self._driver,
                name,
                b"".join(first) if is_small else chain(first, rest),
                attributes=attributes | ({"Content-Type": media_type} if media_type else {}),
                use_multipart=not is_small,
                chunk_size=PART,
                max_concurrency=_PARTS_AT_ONCE,
            )
        return size

    def write_once(self, name: str, data: bytes) -> None:
        """Write a small file; Conflict if there is one of that name."""
        with told(name):
            obstore.put(self._driver, name, data, mode="create")

    def read(self, name: str, start: int = 0, end: int | None = None) -> Chunks:
        """The bytes from `start` up to `end`; NotFound is raised before this returns.

        Some megabytes are fetched at a time: a slow reader holds no connection to the bucket, and none times out.
        """
        with told(name):
            size = obstore.head(self._driver, name)["size"]
        return self._stream(name, start, size if end is None else min(end, size))

    def _stream(self, name: str, start: int, end: int) -> Chunks:
        while start < end:
            with told(name):
                data = bytes(obstore.get_range(self._driver, name, start=start, end=min(start + _READ, end)))
            for at in range(0, len(data), PIECE):
                yield data[at : at + PIECE]
            start += len(data)

    def delete(self, names: Iterable[str]) -> None:
        """Delete files, many with one request."""
        rest = iter(names)
        while some := list(islice(rest, _LISTED)):
            with told():
                try:
                    obstore.delete(self._driver, some)
                except FileNotFoundError:
                    self._delete_singly(some)

    def _delete_singly(self, names: Iterable[str]) -> None:
        """Where an absent file is a failure (Google, Azure), it must not keep the others alive."""
        for name in names:
            with suppress(FileNotFoundError):
                obstore.delete(self._driver, name)

    def list(self, prefix: str = "") -> Iterator[StoredFile]:
        """Every file below the prefix."""
        pages = obstore.list(self._driver, prefix or None, chunk_size=_LISTED)
        while True:
            with told():
                page = next(pages, None)
            if page is None:
                return
            for found in page:
                yield StoredFile(found["path"], found["size"], found["last_modified"])

    def presign(self, name: str, seconds: int) -> str | None:
        """A URL that fetches the file, under the name and type it was written with, without credentials."""
        with told():
            return obstore.sign(self._driver, "GET", name, timedelta(seconds=seconds))

    def sweep_unfinished(self, before: datetime) -> int:  # noqa: ARG002
        """0: uploads that were cut off are hidden, and removed by the bucket's lifecycle rule."""
        return 0

    def ping(self) -> None:
        """Raise StoreFailed unless the bucket lets us list it, within seconds."""
        with told():
            next(obstore.list(self._probe, chunk_size=1), None)
