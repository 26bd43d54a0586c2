"""What counts as a use of a share: a download from byte 0 that brought something, and nothing else."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from api.counter import BROWSER, EVERYTHING, MASKED, Counter, open_counter, uses
from api.desk import told
from offtake.model.limits import Limits
from offtake.model.ports import Store
from offtake.service.runtime import Runtime
from servers import Postgres
from sites import wait_until


def test_a_share_is_used_up_after_its_downloads(counter: Counter) -> None:
    share = counter.share(f"exports/{counter.export()}", max_downloads=2)
    assert [counter.get(share["url"]).status_code for _ in range(3)] == [200, 200, 410]
    assert told(counter.get(share["url"])) == (410, "EXPIRED")
    assert counter.get(share["url"], "HEAD").status_code == 410
    assert counter.get(share["url"], **BROWSER).status_code == 410
    assert counter.listed()[0] | {"uses": 2, "state": "used_up"} == counter.listed()[0]


def test_head_is_free_and_tells_no_tag(counter: Counter) -> None:
    for thing in (f"definitions/{counter.define()}", f"exports/{counter.export()}"):
        share = counter.share(thing, max_downloads=1)
        head = counter.get(share["url"], "HEAD")
        assert (head.status_code, head.content, uses(counter, share)) == (200, b"", 0)
        assert not {"etag", "repr-digest"} & set(head.headers)
        assert counter.get(share["url"]).status_code == 200


def test_a_cut_download_is_resumed_for_free_even_when_used_up(counter: Counter) -> None:
    export = counter.export()
    share = counter.share(f"exports/{export}", max_downloads=1)
    whole = counter.get(share["url"])
    tag = whole.headers["etag"]
    rest = counter.get(share["url"], Range="bytes=10-", If_Range=tag)
    assert (rest.status_code, rest.content) == (206, whole.content[10:])
    for headers in (
        {"Range": "bytes=10-"},
        {"Range": "bytes=0-", "If_Range": tag},
        {"Range": "bytes=5-9,0-4", "If_Range": tag},
        {"Range": "bytes=-100", "If_Range": tag},
        {"Range": "bytes=10-", "If_Range": '"another"'},
        {"Range": "lines=10-", "If_Range": tag},
        {"If_Range": tag},
    ):
        assert told(counter.get(share["url"], **headers)) == (410, "EXPIRED"), headers
    assert uses(counter, share) == 1
    counter.ask("DELETE", f"/shares/{share['id']}")
    assert told(counter.get(share["url"], Range="bytes=10-", If_Range=tag)) == (410, "REVOKED")


def test_nothing_is_resumed_that_was_not_begun(counter: Counter) -> None:
    export = counter.export()
    share = counter.share(f"exports/{export}", max_downloads=1)
    tag = counter.ask("GET", f"/exports/{export}/download").headers["etag"]
    assert counter.get(share["url"], Range="bytes=10-", If_Range=tag).status_code == 206
    assert uses(counter, share) == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If_Match": '"another"'}, 412),
        ({"If_None_Match": "*"}, 304),
        ({"Range": "bytes=9999-"}, 416),
    ],
)
def test_what_brings_no_byte_is_no_use_and_tells_no_tag(counter: Counter, headers: dict[str, str], status: int) -> None:
    export = counter.export()
    share = counter.share(f"exports/{export}", max_downloads=1)
    answer = counter.get(share["url"], **headers)
    sha256 = counter.ask("GET", f"/exports/{export}").json()["sha256"]
    assert (answer.status_code, uses(counter, share)) == (status, 0)
    assert sha256 not in answer.text + str(answer.headers)
    assert counter.get(share["url"]).status_code == 200


def test_a_use_whose_source_failed_is_given_back(tmp_path: Path) -> None:
    with open_counter(tmp_path) as own:
        share = own.share(f"definitions/{own.define()}", max_downloads=1)
        data = tmp_path / "people.db"
        kept = data.read_bytes()
        data.write_bytes(b"no database any more " * 1000)
        assert told(own.get(share["url"])) == (502, "SOURCE_FAILED")
        assert uses(own, share) == 0
        data.write_bytes(kept)
        assert own.get(share["url"]).status_code == 200


def test_a_use_whose_file_is_gone_is_given_back(counter: Counter) -> None:
    export = counter.export()
    share = counter.share(f"exports/{export}", max_downloads=1)
    counter.runtime.store.delete([file.name for file in counter.runtime.store.list(export)])
    assert told(counter.get(share["url"])) == (410, "EXPIRED")
    assert uses(counter, share) == 0


def test_a_use_is_given_back_when_its_reader_leaves_before_the_first_byte(tmp_path: Path) -> None:
    with open_counter(tmp_path) as counter:
        share = counter.share(f"definitions/{counter.define('numbers')}", max_downloads=1)
        with counter.site.connect() as reader:
            reader.sendall(f"GET /s/{share['token']} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            wait_until(lambda: uses(counter, share) == 1)
        wait_until(lambda: uses(counter, share) == 0)


@dataclass
class Bucket:
    """A store that gives out links of its own."""

    store: Store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def presign(self, name: str, seconds: int) -> str | None:
        return "https://bucket.example/file"


def test_only_a_share_without_a_bound_may_send_its_reader_to_the_bucket(tmp_path: Path) -> None:
    def in_bucket(runtime: Runtime) -> Runtime:
        return replace(runtime, store=Bucket(runtime.store), redirect_downloads=True)

    with open_counter(tmp_path, change=in_bucket) as counter:
        export = counter.export()
        shares = [counter.share(f"exports/{export}", **bounds) for bounds in ({"max_downloads": 1}, {})]
        assert [counter.get(share["url"]).status_code for share in shares] == [200, 307]
        assert [uses(counter, share) for share in shares] == [1, 1]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_a_hundred_downloads_at_once_exactly_ten_get_the_file(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "sqlite":
        check_hundred(tmp_path, "")
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.app_database() as url:
        check_hundred(tmp_path, url)


def check_hundred(home: Path, database: str) -> None:
    """A hundred ask for a share of ten downloads, of each kind."""
    limits = Limits(downloads_per_key=0, downloads_per_tenant=0)
    with open_counter(home, database=database, limits=limits) as counter:
        for thing in (f"exports/{counter.export()}", f"definitions/{counter.define()}"):
            share = counter.share(thing, max_downloads=10)
            together = threading.Barrier(100)

            def ask(_: int, token: str = share["token"], together: threading.Barrier = together) -> int:
                with closing(HTTPConnection("127.0.0.1", counter.site.port, timeout=60)) as connection:
                    connection.connect()
                    together.wait(30)
                    connection.request("GET", f"/s/{token}")
                    answer = connection.getresponse()
                    assert answer.status != 200 or answer.read().decode() == MASKED
                    return answer.status

            with ThreadPoolExecutor(100) as threads:
                answers = list(threads.map(ask, range(100)))
            assert {status: answers.count(status) for status in set(answers)} == {200: 10, 410: 90}
            assert uses(counter, share) == 10


def test_a_live_share_is_limited_like_a_download(tmp_path: Path) -> None:
    with open_counter(tmp_path, limits=Limits(rate="2/minute", rows_per_day=1)) as counter:
        share = counter.share(f"definitions/{counter.define()}", max_downloads=5)
        assert counter.get(share["url"]).status_code == 200
        answer = counter.get(share["url"])
        assert told(answer) == (429, "RATE_LIMITED")
        assert "rows of the day" in answer.json()["detail"]
        assert told(counter.get(share["url"])) == (429, "RATE_LIMITED")
        assert answer.headers["x-ratelimit-remaining"] == "0"
        counter = counter.holding(*EVERYTHING)
        assert uses(counter, share) == 1
