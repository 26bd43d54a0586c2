"""What only buckets do: credentials, presigned URLs, servers that are away."""

import itertools
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from offtake.errors import InvalidConfig, NotFound, OfftakeError, SourceFailed, StoreFailed, StoreFull
from offtake.model.attachment import content_disposition
from offtake.model.ports import Store, StoreSpec
from offtake.store import open_store
from proxy import FaultProxy, run_proxy
from servers import Seaweed, free_port

MB = 1_000_000
PREFIXES = itertools.count()


@pytest.fixture
def spec(seaweed: Seaweed) -> StoreSpec:
    """An empty place in a bucket."""
    return seaweed.spec(f"buckets/{next(PREFIXES)}")


@pytest.fixture
def proxy(seaweed: Seaweed) -> Iterator[FaultProxy]:
    """What stands between the store of `behind` and the server."""
    with run_proxy(seaweed.port) as proxy:
        yield proxy


@pytest.fixture
def behind(seaweed: Seaweed, proxy: FaultProxy) -> Store:
    """A store that reaches its server through `proxy`."""
    return open_store(seaweed.spec(f"behind/{next(PREFIXES)}", endpoint=f"http://127.0.0.1:{proxy.port}"))


def megabytes(count: int) -> Iterator[bytes]:
    """So many megabytes."""
    for _ in range(count):
        yield b"x" * MB


@contextmanager
def answering(status: int, body: str) -> Iterator[int]:
    """The port of a server that answers nothing else, whatever it is asked."""

    class Answer(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def every_call(store: Store) -> Iterator[OfftakeError]:
    """What each call of the store raises."""
    calls = (
        lambda: store.write("job/1-a", [b"small"]),
        lambda: store.write("job/1-a", megabytes(10)),
        lambda: store.write_once("job/m", b"small"),
        lambda: store.read("job/1-a"),
        lambda: store.delete(["job/1-a"]),
        lambda: next(iter(store.list())),
        lambda: store.ping(),
    )
    for call in calls:
        with pytest.raises(OfftakeError) as caught:
            call()
        yield caught.value


@pytest.mark.parametrize("wrong", [{"access_key_id": "nobody"}, {"secret_access_key": "wr0ng-s3cret"}])
def test_wrong_credentials_are_called_wrong_at_once_and_told_to_nobody(spec: StoreSpec, wrong: dict[str, str]) -> None:
    began = time.monotonic()
    known = {"access_key_id": spec.access_key_id, "secret_access_key": spec.secret_access_key} | wrong
    store = open_store(StoreSpec(spec.url, spec.endpoint, allow_http=True, **known))
    for error in every_call(store):
        assert isinstance(error, StoreFailed)
        assert error.detail.startswith("The bucket refused our credentials")
        assert error.__cause__ is None
        assert error.__suppress_context__
        for secret in (*known.values(), "http", "127.0.0.1"):
            assert secret not in f"{error.detail} {error.hint}"
    assert time.monotonic() - began < 20  # each that is tried again takes six


def test_a_bucket_that_is_not_there_is_named_as_the_trouble(seaweed: Seaweed) -> None:
    store = open_store(seaweed.spec(url="s3://elsewhere/prefix"))
    with pytest.raises(StoreFailed, match="bucket"):
        store.ping()
    with pytest.raises(StoreFailed, match="bucket"):
        store.write("job/1-a", megabytes(1))


@pytest.mark.parametrize(
    ("status", "code"), [pytest.param(507, "XMinioStorageFull", marks=pytest.mark.slow), (403, "QuotaExceeded")]
)
def test_a_bucket_without_room_is_full(seaweed: Seaweed, status: int, code: str) -> None:
    with answering(status, f"<Error><Code>{code}</Code><Message>No room.</Message></Error>") as port:
        store = open_store(seaweed.spec(endpoint=f"http://127.0.0.1:{port}"))
        with pytest.raises(StoreFull, match=code):
            store.write_once("job/m", b"x")


def test_credentials_that_are_nowhere_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StoreFailed, match="No credentials") as caught:
        open_store(StoreSpec("s3://bucket")).ping()
    assert "access_key_id" in caught.value.hint


@pytest.mark.slow
def test_a_server_that_is_away_fails_in_seconds_and_pings_fail_at_once(seaweed: Seaweed) -> None:
    store = open_store(seaweed.spec(endpoint=f"http://127.0.0.1:{free_port()}"))
    began = time.monotonic()
    with pytest.raises(StoreFailed, match="cannot be reached") as caught:
        store.ping()
    assert time.monotonic() - began < 5
    assert "endpoint" in caught.value.hint
    with pytest.raises(StoreFailed, match="cannot be reached"):
        store.write("job/1-a", megabytes(1))
    assert time.monotonic() - began < 40


@pytest.mark.slow
def test_a_server_that_is_away_for_three_seconds_is_waited_for(behind: Store, proxy: FaultProxy) -> None:
    def chunks() -> Iterator[bytes]:
        yield from megabytes(20)
        proxy.refuse_for(3)
        yield from megabytes(20)

    assert behind.write("job/1-a", chunks()) == 40 * MB
    assert [found.bytes for found in behind.list()] == [40 * MB]


@pytest.mark.slow
def test_a_server_that_dies_under_a_write_leaves_nothing_to_be_seen(behind: Store, proxy: FaultProxy) -> None:
    proxy.cut_after(25 * MB)
    began = time.monotonic()
    with pytest.raises(StoreFailed, match="cannot be reached"):
        behind.write("job/1-a", megabytes(60))
    assert time.monotonic() - began < 60
    proxy.forward()
    assert list(behind.list()) == []
    assert behind.write("job/2-b", megabytes(12)) == 12 * MB


@pytest.mark.slow
def test_a_server_that_dies_under_a_read_ends_it_with_a_failure(behind: Store, proxy: FaultProxy) -> None:
    behind.write("job/1-a", megabytes(20))
    chunks = behind.read("job/1-a")
    next(chunks)
    proxy.refuse()
    with pytest.raises(StoreFailed, match="cannot be reached"):
        list(chunks)


def test_a_slow_server_is_only_slow(behind: Store, proxy: FaultProxy) -> None:
    proxy.delay(0.05)
    assert behind.write("job/1-a", [b"x" * 100_000]) == 100_000
    assert sum(map(len, behind.read("job/1-a"))) == 100_000


def test_a_file_deleted_under_a_read_is_not_found(spec: StoreSpec) -> None:
    store = open_store(spec)
    store.write("job/1-a", megabytes(20))
    chunks = store.read("job/1-a")
    next(chunks)
    store.delete(["job/1-a"])
    with pytest.raises(NotFound):
        list(chunks)


@pytest.mark.parametrize("megabyte", [1, 12])
def test_a_presigned_url_fetches_the_file_under_its_name_and_type(spec: StoreSpec, megabyte: int) -> None:
    store = open_store(spec)
    store.write("job/1-a", megabytes(megabyte), filename='Umsätze "Q1" 日本.csv', media_type="text/csv; charset=utf-8")
    url = store.presign("job/1-a", 60)
    assert url is not None
    answer = httpx2.get(url)
    assert (answer.status_code, len(answer.content)) == (200, megabyte * MB)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == content_disposition('Umsätze "Q1" 日本.csv')
    part = httpx2.get(url, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, b"x" * 10)


def test_a_presigned_url_ends(spec: StoreSpec) -> None:
    store = open_store(spec)
    store.write("job/1-a", [b"x"])
    url = store.presign("job/1-a", 1)
    assert url is not None
    assert httpx2.get(url).status_code == 200
    time.sleep(2.1)
    assert httpx2.get(url).status_code == 403
    assert httpx2.get(url.partition("?")[0]).status_code == 403


def test_a_failed_write_leaves_no_upload_behind_in_the_bucket(seaweed: Seaweed, spec: StoreSpec) -> None:
    def chunks() -> Iterator[bytes]:
        yield from megabytes(20)
        begun.extend(seaweed.unfinished())
        raise SourceFailed("The database broke off.")

    begun: list[str] = []
    before = set(seaweed.unfinished())
    with pytest.raises(SourceFailed):
        open_store(spec).write("job/1-a", chunks())
    assert set(begun) - before
    assert set(seaweed.unfinished()) <= before


def test_prefixes_keep_stores_in_one_bucket_apart(seaweed: Seaweed) -> None:
    one, other = (open_store(seaweed.spec(f"apart/{name}/")) for name in ("one", "other"))
    one.write("job/1-a", [b"x"])
    assert list(other.list()) == []
    assert [found.name for found in open_store(seaweed.spec("apart")).list()] == ["one/job/1-a"]


def test_many_files_are_deleted_and_listed_page_by_page(spec: StoreSpec) -> None:
    store = open_store(spec)

    def write(first: int) -> None:
        for number in range(first, 1100, 8):
            store.write(f"job/{number}", [b"x"])

    threads = [threading.Thread(target=write, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(1 for _ in store.list()) == 1100
    store.delete(f"job/{number}" for number in range(1100))
    assert next(iter(store.list()), None) is None


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        (StoreSpec("gcs://bucket"), "Did you mean gs?"),
        (StoreSpec("ftp://somewhere"), "s3, gs, az"),
        (StoreSpec("s3://"), "s3://bucket/prefix"),
        (StoreSpec("s3:///prefix"), "s3://bucket/prefix"),
        (StoreSpec("s3://key:s3cret@bucket"), "without a password"),
        (StoreSpec("s3://bucket?region=x"), "s3://bucket/prefix"),
        (StoreSpec("s3://bucket", endpoint="localhost:9000"), "https://s3.example.com"),
        (StoreSpec("s3://bucket", endpoint="http://localhost:9000"), "allow_http"),
        (StoreSpec("s3://bucket", endpoint="https://[::1"), "https://s3.example.com"),
        (StoreSpec("gs://bucket", access_key_id="x"), "GOOGLE_APPLICATION_CREDENTIALS"),
        (StoreSpec("az://bucket", access_key_id="account", secret_access_key="s3cret, not base64"), "account_key"),
    ],
)
def test_settings_that_lead_nowhere_are_refused_with_the_way_out(spec: StoreSpec, hint: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        open_store(spec)
    assert hint.lower() in caught.value.hint.lower()
    assert "s3cret" not in f"{caught.value.detail} {caught.value.hint}"


def test_google_and_azure_open_without_being_asked_anything() -> None:
    assert open_store(StoreSpec("gs://bucket/prefix")).sweep_unfinished(datetime.now(UTC)) == 0
    azure = open_store(StoreSpec("az://container/prefix", access_key_id="account", secret_access_key="a2V5"))
    url = azure.presign("job/1-a", 60)
    assert url is not None
    assert url.startswith("https://account.blob.core.windows.net/container/prefix/job/1-a?")
