"""What every store promises, tried on each kind there is a server for."""

import hashlib
import itertools
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from offtake.errors import Cancelled, Conflict, NotFound, SourceFailed
from offtake.model.ports import Store, StoreSpec
from offtake.store import open_store
from servers import Seaweed

MB = 1_000_000
PREFIXES = itertools.count()


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A new, empty store of each kind."""
    if request.param == "folder":
        return open_store(StoreSpec(str(tmp_path / "artifacts")))
    seaweed: Seaweed = request.getfixturevalue("seaweed")
    return open_store(seaweed.spec(f"every/{next(PREFIXES)}"))


def names(store: Store, prefix: str = "") -> set[str]:
    """Every file below the prefix."""
    return {found.name for found in store.list(prefix)}


def odd_chunks(size: int) -> Iterator[bytes]:
    """So many bytes in chunks of odd sizes, from nothing to megabytes; the same ones each time."""
    draw = random.Random(size)
    block = draw.randbytes(MB)
    while size:
        chunk = (block * 3)[: min(size, draw.choice((0, 1, 17, 4096, 65_537, 999_983, 2_750_159)))]
        size -= len(chunk)
        yield chunk


@pytest.mark.parametrize("size", [0, 1, 8 << 20, 30 * MB])
def test_a_file_comes_back_as_it_was_written(store: Store, size: int) -> None:
    written = hashlib.sha256(b"".join(odd_chunks(size))).digest()
    assert store.write("job/1-a", odd_chunks(size)) == size
    read = hashlib.sha256()
    for chunk in store.read("job/1-a"):
        assert 0 < len(chunk) <= 1 << 20
        read.update(chunk)
    assert read.digest() == written
    [found] = store.list()
    assert (found.name, found.bytes) == ("job/1-a", size)
    assert abs(found.modified_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_one_huge_chunk_is_a_file_like_any_other(store: Store) -> None:
    data = random.Random(1).randbytes(20 * MB)
    assert store.write("job/1-a", [data]) == len(data)
    assert b"".join(store.read("job/1-a")) == data


@pytest.mark.parametrize("written", [0, 1, 30 * MB])
@pytest.mark.parametrize(
    "failure",
    [
        lambda: SourceFailed("The database broke off."),
        lambda: Cancelled("Stopped on request."),
        lambda: FileNotFoundError("the source's own"),
        lambda: ValueError("a bug"),
        lambda: KeyboardInterrupt(),
    ],
)
def test_a_failure_of_the_chunks_comes_out_as_itself_and_leaves_nothing(
    store: Store, written: int, failure: Callable[[], BaseException]
) -> None:
    raised = failure()

    def chunks() -> Iterator[bytes]:
        yield from odd_chunks(written)
        raise raised

    with pytest.raises(type(raised)) as caught:
        store.write("job/1-a", chunks())
    assert caught.value is raised
    assert names(store) == set()
    assert store.sweep_unfinished(datetime.now(UTC) + timedelta(days=1)) == 0


def test_nothing_is_visible_before_the_file_is_whole(store: Store) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(12):
            yield b"x" * MB
        seen.append(names(store))

    seen: list[set[str]] = []
    store.write("job/1-a", chunks())
    assert seen == [set()]
    assert names(store) == {"job/1-a"}


def test_what_is_written_once_stays(store: Store) -> None:
    store.write_once("job/1-a.manifest.json", b"first")
    with pytest.raises(Conflict):
        store.write_once("job/1-a.manifest.json", b"second")
    assert b"".join(store.read("job/1-a.manifest.json")) == b"first"


def test_of_many_writers_of_one_manifest_exactly_one_wins(store: Store) -> None:
    outcomes: list[str] = []

    def write(mine: bytes) -> None:
        try:
            store.write_once("job/m", mine)
            outcomes.append(mine.decode())
        except Conflict:
            pass

    threads = [threading.Thread(target=write, args=(str(n).encode(),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [b"".join(store.read("job/m")).decode()] == outcomes


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, None), (0, 0), (0, 1), (5, 5), (7, 9_999_999), (MB, None), (9_999_999, None), (10 * MB, None), (0, 99 * MB)],
)
def test_a_range_gives_its_bytes_and_no_others(store: Store, start: int, end: int | None) -> None:
    data = b"".join(odd_chunks(10 * MB))
    store.write("job/1-a", [data])
    assert b"".join(store.read("job/1-a", start, end)) == data[start:end]


def test_a_read_may_be_given_up_at_any_time(store: Store) -> None:
    store.write("job/1-a", odd_chunks(10 * MB))
    with closing(store.read("job/1-a")):
        pass
    with closing(store.read("job/1-a")) as chunks:
        next(chunks)
    store.delete(["job/1-a"])
    assert names(store) == set()


@pytest.mark.parametrize("name", ["job/none", "none/1-a", "job"])
def test_a_file_that_is_not_there_is_told_before_the_first_byte(store: Store, name: str) -> None:
    store.write("job/1-a", [b"x"])
    with pytest.raises(NotFound):
        store.read(name)


def test_deleting_takes_files_that_are_there_and_forgives_the_others(store: Store) -> None:
    for name in ("job/1-a", "job/1-a.manifest.json", "other/1-b"):
        store.write(name, [b"x"])
    store.delete(iter(["job/1-a", "job/none", "none/at-all", "job/1-a.manifest.json", "job/1-a"]))
    store.delete([])
    assert names(store) == {"other/1-b"}


def test_listing_gives_what_lies_below_a_folder_and_nothing_beside_it(store: Store) -> None:
    for name in ("job/1-a", "job/2-b", "jobs/1-c", "job-2/1-d"):
        store.write(name, [b"x"])
    assert names(store) == {"job/1-a", "job/2-b", "jobs/1-c", "job-2/1-d"}
    assert names(store, "job/") == {"job/1-a", "job/2-b"}
    assert names(store, "none/") == set()


def test_files_may_be_deleted_while_they_are_listed(store: Store) -> None:
    for number in range(30):
        store.write(f"job{number}/1-a", [b"x"])
    listed = set()
    for found in store.list():
        store.delete([found.name])
        listed.add(found.name)
    assert listed == {f"job{number}/1-a" for number in range(30)}
    assert names(store) == set()


def test_an_empty_store_answers(store: Store) -> None:
    store.ping()
    assert names(store) == set()
    assert store.sweep_unfinished(datetime.now(UTC)) == 0
