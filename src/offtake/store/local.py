"""Artifacts in a folder: written aside, synced, then given their name."""

import errno
import os
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from offtake.errors import Conflict, NotFound, StoreFailed, StoreFull
from offtake.model.ports import Chunks, StoredFile
from offtake.store.pieces import PIECE, joined

UNFINISHED = ".unfinished"
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
# What a disk keeps at its root for itself (ext4) is none of ours.
_FOREIGN = {UNFINISHED, "lost+found"}


class Folder:
    """A store in a local folder, which is made when first needed. Only its owner may read the files.

    What is being written lies in `.unfinished`, so a writer that was killed leaves its half there and nowhere else.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, name: str, chunks: Iterable[bytes], *, filename: str = "", media_type: str = "") -> int:  # noqa: ARG002
        """Stream the chunks into a new file and give its bytes; the file and its folders are synced."""
        size = 0
        with self._aside() as aside:
            for piece in joined(chunks):
                size += _write_all(aside, piece)
            self._give_name(aside, name, os.replace)
        return size

    def write_once(self, name: str, data: bytes) -> None:
        """Write a small file; Conflict if there is one of that name."""
        with self._aside() as aside:
            _write_all(aside, data)
            self._give_name(aside, name, os.link)  # a link, unlike a rename, replaces nothing

    def read(self, name: str, start: int = 0, end: int | None = None) -> Chunks:
        """The bytes from `start` up to `end`; NotFound is raised before this returns."""
        chunks = self._stream(name, start, end)
        next(chunks)
        return chunks

    def _stream(self, name: str, start: int, end: int | None) -> Chunks:
        with _told():
            try:
                file = self._path(name).open("rb", buffering=0)
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
                raise NotFound(f"The store has no file {name!r}.") from error
            with file:
                yield b""  # opened: what follows is for the reader
                file.seek(start)
                while piece := file.read(PIECE if end is None else min(PIECE, max(end - file.tell(), 0))):
                    yield piece

    def delete(self, names: Iterable[str]) -> None:
        """Delete files, and the folders that become empty."""
        for name in names:
            with _told():
                path = self._path(name)
                path.unlink(missing_ok=True)
                self._drop_empty(path.parent)

    def list(self, prefix: str = "") -> Iterator[StoredFile]:
        """Every finished file below the prefix."""
        folder = self._path(prefix.rstrip("/")) if prefix.strip("/") else self._root
        with _told():
            yield from self._walk(folder)

    def _walk(self, folder: Path) -> Generator[StoredFile, None, None]:
        try:
            entries = os.scandir(folder)
        except FileNotFoundError:
            return
        with entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if folder != self._root or entry.name not in _FOREIGN:
                        yield from self._walk(Path(entry.path))
                    continue
                with suppress(FileNotFoundError):  # deleted while we list
                    found = entry.stat()
                    name = Path(entry.path).relative_to(self._root).as_posix()
                    yield StoredFile(name, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def presign(self, name: str, seconds: int) -> str | None:  # noqa: ARG002
        """None: only this server reads the folder."""
        return None

    def sweep_unfinished(self, before: datetime) -> int:
        """Remove what was last written to before that instant and never finished."""
        swept = 0
        with _told(), suppress(FileNotFoundError):
            for path in (self._root / UNFINISHED).iterdir():
                with suppress(FileNotFoundError):  # finished this moment
                    if path.stat().st_mtime < before.timestamp():
                        path.unlink()
                        swept += 1
        return swept

    def ping(self) -> None:
        """Raise StoreFailed unless files can be read and written in the folder."""
        with _told():
            self._make(self._root / UNFINISHED)
            if not os.access(self._root, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "not ours")

    def _path(self, name: str) -> Path:
        """Where a file lies. A name that leads out of the folder is a bug, not a failure of the store."""
        parts = name.split("/")
        if parts[0] in _FOREIGN or any(part in ("", ".", "..") for part in parts):
            raise ValueError(f"{name!r} is no name of a stored file")
        return self._root.joinpath(*parts)

    @contextmanager
    def _aside(self) -> Iterator[FileIO]:
        """A new file to write to, gone afterwards unless it was given a name."""
        with _told():
            folder = self._root / UNFINISHED
            self._make(folder)
            file = FileIO(folder / uuid.uuid4().hex, "x", opener=_private)
        try:
            with file:
                yield file
        finally:
            with _told():
                Path(file.name).unlink(missing_ok=True)

    def _give_name(self, aside: FileIO, name: str, place: Callable[[str, Path], None]) -> None:
        """Make the file durable, then visible."""
        path = self._path(name)
        with _told():
            os.fsync(aside.fileno())
            while True:
                try:
                    self._make(path.parent)
                    place(aside.name, path)
                    break
                except FileExistsError as error:
                    raise Conflict(f"The store has a file {name!r} already.") from error
                except FileNotFoundError:
                    if not os.path.exists(aside.name):
                        raise
                    # Else a delete found the new folder empty and took it away.
            for folder in path.parents:
                with suppress(FileNotFoundError):  # somebody has deleted the file again, and its folder with it
                    _sync(folder)
                if folder == self._root:
                    return

    def _make(self, folder: Path) -> None:
        """Make what is missing of the folder, for its owner alone."""
        self._root.parent.mkdir(parents=True, exist_ok=True)
        made = self._root
        for part in ("", *folder.relative_to(self._root).parts):
            made /= part
            with suppress(FileExistsError):
                made.mkdir(mode=0o700)

    def _drop_empty(self, folder: Path) -> None:
        with suppress(OSError):  # not empty, or gone already
            while folder != self._root:
                folder.rmdir()
                folder = folder.parent


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _write_all(file: FileIO, piece: bytes) -> int:
    rest = memoryview(piece)
    with _told():
        while rest:
            rest = rest[file.write(rest) :]
    return len(piece)


def _sync(folder: Path) -> None:
    """A new name is durable only once its folder is synced."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _told() -> Iterator[None]:
    """Raise what the file system says as our errors; no path of this machine is told."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise StoreFull(
                "No room is left in the folder of artifacts.", hint="Free some space, or keep artifacts for less long."
            ) from error
        raise StoreFailed(
            f"The folder of artifacts refused: {os.strerror(error.errno or errno.EIO)}.",
            hint="Let the user the service runs as read and write the folder that `store` names.",
        ) from error
