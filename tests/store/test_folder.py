"""What only a folder does: whose files they are, what a full disk and a killed writer leave."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from offtake.errors import StoreFailed, StoreFull
from offtake.model.ports import Store, StoreSpec
from offtake.store import open_store

MB = 1_000_000
WRITER = """
import sys
from offtake.model.ports import StoreSpec
from offtake.store import open_store

def endless():
    for number in range(10**9):
        yield b"x" * 1_000_000
        if number == 5:
            print("half written", flush=True)

open_store(StoreSpec(sys.argv[1])).write("job/1-a", endless())
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that is not there yet."""
    return tmp_path / "var" / "artifacts"


@pytest.fixture
def store(root: Path) -> Store:
    """A store in that folder."""
    return open_store(StoreSpec(str(root)))


def files(root: Path) -> list[Path]:
    """Every file in the folder, finished or not."""
    return [path for path in root.rglob("*") if path.is_file()]


def test_only_the_owner_reads_what_is_stored(store: Store, root: Path) -> None:
    store.write("job/1-a", [b"x"])
    store.write_once("job/1-a.manifest.json", b"{}")
    for path in (root, root / "job"):
        assert path.stat().st_mode & 0o777 == 0o700
    for path in files(root):
        assert path.stat().st_mode & 0o777 == 0o600


def test_an_empty_folder_goes_with_its_last_file(store: Store, root: Path) -> None:
    store.write("job/1-a", [b"x"])
    store.write("job/1-b", [b"x"])
    store.delete(["job/1-a"])
    assert (root / "job").exists()
    store.delete(["job/1-b"])
    assert not (root / "job").exists()
    store.ping()


def test_a_write_meets_a_delete_that_takes_its_folder_away(store: Store) -> None:
    def churn(name: str) -> None:
        try:
            for _ in range(200):
                store.write(name, [b"x"])
                store.delete([name])
        except Exception as error:
            failures.append(error)

    failures: list[Exception] = []
    threads = [threading.Thread(target=churn, args=(f"job/{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list(store.list()) == []


def test_a_killed_writer_leaves_only_what_the_sweep_removes(store: Store, root: Path) -> None:
    store.write("other/1-b", [b"x"])
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    with writer.stdout:
        writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    assert len(files(root)) == 2
    assert [found.name for found in store.list()] == ["other/1-b"]
    assert store.sweep_unfinished(datetime.now(UTC) - timedelta(minutes=1)) == 0
    assert store.sweep_unfinished(datetime.now(UTC) + timedelta(minutes=1)) == 1
    assert files(root) == [root / "other/1-b"]


def test_a_full_disk_is_told_as_such_and_nothing_of_the_file_stays(small_disk: Path) -> None:
    store = open_store(StoreSpec(str(small_disk)))
    store.write("job/1-a", [b"x" * MB])
    with pytest.raises(StoreFull):
        store.write("job/2-b", (b"x" * 100_000 for _ in range(100)))
    with pytest.raises(StoreFull):
        store.write_once("job/m", b"x" * 5 * MB)
    assert files(small_disk) == [small_disk / "job/1-a"]
    assert store.write("job/3-c", [b"x" * MB]) == MB


def test_a_folder_that_cannot_be_is_a_failure_that_names_no_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = open_store(StoreSpec(str(tmp_path / "file")))
    for call in (store.ping, lambda: store.write("job/1-a", [b"x"]), lambda: list(store.list())):
        with pytest.raises(StoreFailed) as caught:
            call()
        assert str(tmp_path) not in f"{caught.value.detail} {caught.value.hint}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everywhere")
def test_a_folder_we_may_not_write_to_is_a_failure(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreFailed):
        open_store(StoreSpec(str(tmp_path))).ping()


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "job/../../outside", "job//x", ".unfinished/x", ""])
def test_no_name_leads_out_of_the_folder(store: Store, root: Path, name: str) -> None:
    for call in (lambda: store.write(name, [b"x"]), lambda: store.read(name), lambda: store.delete([name])):
        with pytest.raises(ValueError, match="no name of a stored file"):
            call()
    assert files(root.parent) == []


def test_what_a_disk_keeps_at_its_root_is_none_of_ours(store: Store, root: Path) -> None:
    (root / "lost+found").mkdir(parents=True)
    (root / "lost+found" / "#1").write_bytes(b"x")
    assert list(store.list()) == []


def test_a_folder_has_no_urls(store: Store) -> None:
    store.write("job/1-a", [b"x"])
    assert store.presign("job/1-a", 60) is None
