"""Finished files on a wire: what is sent, what is not, and how a cut one is taken up again."""

import base64
import email
import hashlib
import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from offtake.errors import StoreFailed
from offtake.model.ports import Chunks, Store
from offtake.service.runtime import Runtime
from offtake.store import open_store
from servers import Seaweed
from sites import wait_until
from web.files import TYPE, Served, serve_file

DATA = random.Random(5).randbytes(1000)
MEGABYTE = random.Random(6).randbytes(1 << 20)
N = len(DATA)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One small file for the whole module."""
    with serve_file(tmp_path_factory.mktemp("home"), [DATA[:300], DATA[300:]]) as served:
        yield served


def fetch(served: Served, method: str = "GET", **headers: str) -> httpx2.Response:
    """An answer; `if_range` becomes If-Range."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.request(method, served.url, headers=sent)


def test_a_file_arrives_whole_with_everything_to_check_and_name_it(served: Served) -> None:
    answer = fetch(served)
    assert (answer.status_code, answer.content) == (200, DATA)
    digest = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
    expected = {
        "content-type": TYPE,
        "content-length": "1000",
        "accept-ranges": "bytes",
        "etag": f'"{hashlib.sha256(DATA).hexdigest()}"',
        "repr-digest": f"sha-256=:{digest}:",
        "cache-control": "private, no-cache",
        "x-content-type-options": "nosniff",
        "content-disposition": "attachment; filename=\"Gr__e _.csv\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%E5%B9%B4.csv",
    }
    assert {name: answer.headers.get(name) for name in expected} == expected


def test_head_has_the_headers_of_get_and_no_body(served: Served) -> None:
    head, get = fetch(served, "HEAD"), fetch(served)
    assert (head.status_code, head.content) == (200, b"")
    assert _lasting(head) == _lasting(get)


def test_head_knows_no_ranges(served: Served) -> None:
    answer = fetch(served, "HEAD", range="bytes=5-9")
    assert (answer.status_code, answer.headers["content-length"]) == (200, "1000")


def _lasting(answer: httpx2.Response) -> dict[str, str]:
    ours = ("date", "x-request-id", "x-ratelimit-remaining", "x-ratelimit-reset")
    return {name: value for name, value in answer.headers.items() if name not in ours}


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("BYTES=10-19", 10, 20),
        ("bytes=990-", 990, 1000),
        ("bytes=990-5000", 990, 1000),
        ("bytes=990-99999999999999999999999999", 990, 1000),
        ("bytes=-1", 999, 1000),
        ("bytes=-5000", 0, 1000),
        ("bytes=0-", 0, 1000),
        ("bytes= 3-4 , ,", 3, 5),
        ("bytes=0-5,3-9", 0, 10),
        ("bytes=5-9,0-4", 0, 10),
        ("bytes=5-9,2000-", 5, 10),
    ],
)
def test_one_range_is_those_bytes(served: Served, asked: str, start: int, stop: int) -> None:
    answer = fetch(served, range=asked)
    assert (answer.status_code, answer.content) == (206, DATA[start:stop])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/1000"
    assert answer.headers["content-length"] == str(stop - start)
    assert answer.headers["content-type"] == TYPE
    assert answer.headers["etag"] == served.etag
    assert "attachment" in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    "asked",
    ["bytes", "bytes=", "bytes=,", "bytes=-", "bytes=9-3", "bytes=a-b", "bytes=0x1-", "bytes=+1-2", "bytes=1_0-",
     "bytes =0-1", "bytes=0-1,9-3", "bytes=0-1;2-3", "lines=0-1", "bytes=" + "9" * 200 + "-",
     "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 200, 2))],
)  # fmt: skip
def test_a_range_that_is_none_or_too_many_is_the_whole_file(served: Served, asked: str) -> None:
    answer = fetch(served, range=asked)
    assert (answer.status_code, answer.content) == (200, DATA)


@pytest.mark.parametrize("asked", ["bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=5000-,2000-3000"])
def test_a_range_behind_the_end_is_refused_with_the_length(served: Served, asked: str) -> None:
    answer = fetch(served, range=asked)
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */1000")
    assert answer.json()["code"] == "RANGE_NOT_SATISFIABLE"


def test_several_ranges_come_in_parts_in_the_order_of_asking(served: Served) -> None:
    answer = fetch(served, range="bytes=900-, 10-19, 15-29, -5, 0-0")
    assert answer.status_code == 206
    assert "content-range" not in answer.headers
    assert [span for span, _ in _parts(answer)] == [(900, 1000), (10, 30), (0, 1)]
    assert answer.headers["content-length"] == str(len(answer.content))


def _parts(answer: httpx2.Response) -> list[tuple[tuple[int, int], bytes]]:
    """The parts as a parser of mails reads them."""
    head = f"MIME-Version: 1.0\r\nContent-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.content)
    assert message.get_content_type() == "multipart/byteranges"
    assert not message.defects
    parts = []
    for part in message.get_payload():
        assert isinstance(part, email.message.Message)
        assert part["Content-Type"] == TYPE
        unit, _, rest = part["Content-Range"].partition(" ")
        span, _, size = rest.partition("/")
        assert (unit, size) == ("bytes", "1000")
        first, _, last = span.partition("-")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        parts.append(((int(first), int(last) + 1), content))
    return parts


numbers = st.integers(0, N + 50)
SPECS = st.one_of(
    st.tuples(numbers, numbers).map(lambda span: (f"{span[0]}-{span[1]}", slice(span[0], span[1] + 1))),
    numbers.map(lambda first: (f"{first}-", slice(first, None))),
    numbers.map(lambda length: (f"-{length}", slice(-length, None) if length else slice(0, 0))),
)


@examples(150)
@given(specs=st.lists(SPECS, min_size=1, max_size=8))
def test_any_ranges_are_the_bytes_that_slices_of_the_file_hold(served: Served, specs: list[tuple[str, slice]]) -> None:
    answer = fetch(served, range="bytes=" + ",".join(text for text, _ in specs))
    wanted = {place for _, span in specs for place in range(N)[span]}
    is_good = all(span.stop is None or span.start < span.stop for _, span in specs if span != slice(0, 0))
    if not is_good:
        assert (answer.status_code, answer.content) == (200, DATA)
        return
    if not wanted:
        assert answer.status_code == 416
        return
    assert answer.status_code == 206
    if "content-range" in answer.headers:
        parts = [((min(wanted), max(wanted) + 1), answer.content)]
    else:
        parts = _parts(answer)
        assert len(parts) > 1
    assert all(content == DATA[start:stop] for (start, stop), content in parts)
    sent = [place for (start, stop), _ in parts for place in range(start, stop)]
    assert sorted(sent) == sorted(wanted)


@examples(100)
@given(asked=st.text("0123456789-, =bytes\t;*x", max_size=30))
def test_whatever_a_range_says_the_answer_is_right_or_a_refusal(served: Served, asked: str) -> None:
    answer = fetch(served, range=f"bytes={asked}".strip())
    assert answer.status_code in (200, 206, 416)
    if answer.status_code == 200:
        assert answer.content == DATA


@pytest.mark.parametrize(
    ("condition", "status"),
    [("{etag}", 206), ("W/{etag}", 200), ('"other"', 200), ("Sat, 29 Oct 1994 19:43:31 GMT", 200), ("*", 200)],
)
def test_a_range_of_another_file_is_the_whole_of_this_one(served: Served, condition: str, status: int) -> None:
    answer = fetch(served, range="bytes=0-9", if_range=condition.format(etag=served.etag))
    assert (answer.status_code, answer.content) == (status, DATA if status == 200 else DATA[:10])


def test_if_range_alone_asks_for_nothing(served: Served) -> None:
    assert fetch(served, if_range=served.etag).status_code == 200


def test_a_range_behind_the_end_of_another_file_is_no_failure(served: Served) -> None:
    assert fetch(served, range="bytes=5000-", if_range='"other"').status_code == 200


@pytest.mark.parametrize("known", ["{etag}", "W/{etag}", "*", '"a,b", W/"x" , {etag}'])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_known_file_is_not_sent_again(served: Served, known: str, method: str) -> None:
    answer = fetch(served, method, if_none_match=known.format(etag=served.etag), range="bytes=0-9")
    assert (answer.status_code, answer.content) == (304, b"")
    assert (answer.headers["etag"], answer.headers["cache-control"]) == (served.etag, "private, no-cache")


@pytest.mark.parametrize("known", ['"other"', "unquoted", "", '"{hash}', '"*"'])
def test_an_unknown_file_is_sent(served: Served, known: str) -> None:
    answer = fetch(served, if_none_match=known.format(hash=served.artifact.sha256))
    assert (answer.status_code, answer.content) == (200, DATA)


@pytest.mark.parametrize(
    ("wanted", "status"), [("{etag}", 200), ("*", 200), ('"other", {etag}', 200), ("W/{etag}", 412), ('"other"', 412)]
)
def test_only_the_wanted_file_is_sent(served: Served, wanted: str, status: int) -> None:
    answer = fetch(served, if_match=wanted.format(etag=served.etag))
    assert answer.status_code == status
    if status == 412:
        assert answer.json()["code"] == "PRECONDITION_FAILED"


def test_conditions_are_asked_in_their_order(served: Served) -> None:
    unwanted = fetch(served, if_match='"other"', if_none_match=served.etag, range="bytes=5000-")
    known = fetch(served, if_match=served.etag, if_none_match=served.etag, range="bytes=5000-")
    behind = fetch(served, if_match=served.etag, if_none_match='"other"', range="bytes=5000-")
    assert [unwanted.status_code, known.status_code, behind.status_code] == [412, 304, 416]


def test_conditions_on_dates_do_not_count(served: Served) -> None:
    old, new = "Sat, 29 Oct 1994 19:43:31 GMT", "Sat, 29 Oct 2094 19:43:31 GMT"
    assert fetch(served, if_unmodified_since=old, if_modified_since=new).status_code == 200


def test_an_empty_file_is_sent_whatever_the_range(tmp_path: Path) -> None:
    with serve_file(tmp_path, []) as served:
        answers = [fetch(served), fetch(served, range="bytes=0-"), fetch(served, range="bytes=-5")]
    assert [(each.status_code, each.headers["content-length"]) for each in answers] == [(200, "0")] * 3


def test_a_file_whose_bytes_are_gone_had_its_time(tmp_path: Path) -> None:
    with serve_file(tmp_path, [DATA]) as served:
        served.path.unlink()
        answer = fetch(served)
    assert (answer.status_code, answer.json()["code"]) == (410, "EXPIRED")


def test_a_short_file_with_bytes_missing_is_a_failure_and_not_a_file(tmp_path: Path) -> None:
    with serve_file(tmp_path, [DATA]) as served:
        os.truncate(served.path, 500)
        answer = fetch(served)
    assert (answer.status_code, answer.json()["code"]) == (502, "STORE_FAILED")


def test_a_long_file_with_bytes_missing_is_cut(tmp_path: Path) -> None:
    with serve_file(tmp_path, [MEGABYTE] * 8) as served:
        os.truncate(served.path, 5 << 20)
        with pytest.raises(httpx2.RemoteProtocolError):
            fetch(served)
        wait_until(lambda: bool(served.site.log.getvalue()))
        assert json.loads(served.site.log.getvalue())["cut"] == "STORE_FAILED"


def _open_reads(served: Served) -> int:
    """How many handles this process has on the file's bytes."""
    found = 0
    for handle in Path("/proc/self/fd").iterdir():
        try:
            found += os.readlink(handle) == str(served.path)
        except FileNotFoundError:
            continue
    return found


def test_a_client_that_leaves_closes_the_file(tmp_path: Path) -> None:
    with serve_file(tmp_path, [MEGABYTE] * 64) as served:
        with served.site.connect() as connection:
            connection.sendall(b"GET /file HTTP/1.1\r\nHost: test\r\n\r\n")
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
            assert _open_reads(served) == 1
        wait_until(lambda: _open_reads(served) == 0)
        wait_until(lambda: bool(served.site.log.getvalue()))
        assert json.loads(served.site.log.getvalue())["cut"] == "CANCELLED"


def test_a_client_that_does_not_read_is_not_sent_more_than_a_connection_holds(tmp_path: Path) -> None:
    with serve_file(tmp_path, [MEGABYTE] * 64) as served, served.site.connect() as connection:
        connection.sendall(b"GET /file HTTP/1.1\r\nHost: test\r\n\r\n")
        time.sleep(1)
        sent = served.web.metrics.registry.get_sample_value("offtake_bytes_total")
        assert sent is not None
        assert sent < 16 << 20


def test_bytes_sent_are_counted(tmp_path: Path) -> None:
    with serve_file(tmp_path, [DATA]) as served:
        fetch(served)
        fetch(served, range="bytes=0-9")
        assert served.web.metrics.registry.get_sample_value("offtake_bytes_total") == 1010


@dataclass
class Bucket:
    """A store that gives links, as a bucket does."""

    store: Store
    link: str | None = "https://bucket.example/job/attempt?X-Sig=a%2Fb%3D"
    asked: tuple[str, int] = ("", 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def read(self, name: str, start: int = 0, end: int | None = None) -> Chunks:
        raise StoreFailed("Nothing is read through us.")

    def presign(self, name: str, seconds: int) -> str | None:
        self.asked = (name, seconds)
        return self.link


def test_a_bucket_may_hand_its_files_out_itself(tmp_path: Path) -> None:
    def in_bucket(runtime: Runtime) -> Runtime:
        return replace(runtime, store=Bucket(runtime.store), redirect_downloads=True)  # type: ignore[arg-type]

    with serve_file(tmp_path, [DATA], in_bucket) as served:
        get, head = fetch(served, range="bytes=5-"), fetch(served, "HEAD")
        known = fetch(served, if_none_match=served.etag)
    assert (get.status_code, get.headers["location"]) == (307, "https://bucket.example/job/attempt?X-Sig=a%2Fb%3D")
    assert get.headers["cache-control"] == "no-store"  # the link is a secret
    assert (head.status_code, head.headers["content-length"], known.status_code) == (200, "1000", 304)


def test_a_store_without_links_is_read_through_us(tmp_path: Path) -> None:
    with serve_file(tmp_path, [DATA], lambda runtime: replace(runtime, redirect_downloads=True)) as served:
        assert fetch(served).content == DATA


@pytest.mark.parametrize("is_redirected", [True, False])
def test_a_real_bucket_gives_the_same_bytes_and_name(tmp_path: Path, seaweed: Seaweed, is_redirected: bool) -> None:
    def in_bucket(runtime: Runtime) -> Runtime:
        store = open_store(seaweed.spec(f"web/{is_redirected}"))
        return replace(runtime, store=store, redirect_downloads=is_redirected)

    with serve_file(tmp_path, [MEGABYTE] * 3, in_bucket) as served:
        with httpx2.stream("GET", served.url) as first:
            status = first.status_code
        whole = httpx2.get(served.url, follow_redirects=True)
        part = httpx2.get(served.url, follow_redirects=True, headers={"Range": "bytes=1048570-1048580"})
    assert status == (307 if is_redirected else 200)
    assert hashlib.sha256(whole.content).hexdigest() == served.artifact.sha256
    assert whole.headers["content-type"] == TYPE
    assert "filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%E5%B9%B4.csv" in whole.headers["content-disposition"]
    assert (part.status_code, part.content) == (206, (MEGABYTE * 2)[1048570:1048581])


def test_without_the_setting_a_bucket_is_read_through_us(tmp_path: Path) -> None:
    def in_bucket(runtime: Runtime) -> Runtime:
        return replace(runtime, store=Bucket(runtime.store))  # type: ignore[arg-type]

    with serve_file(tmp_path, [DATA], in_bucket) as served:
        answer = fetch(served)
    assert (answer.status_code, answer.json()["code"]) == (502, "STORE_FAILED")


@pytest.mark.parametrize("megabytes", [40, pytest.param(1024, marks=pytest.mark.slow)])
def test_curl_takes_a_cut_download_up_where_it_ended(tmp_path: Path, megabytes: int) -> None:
    file = tmp_path / "file"
    chunks = (n.to_bytes(8) + MEGABYTE[8:] for n in range(megabytes))
    with serve_file(tmp_path, chunks) as served:
        rate = f"{megabytes // 2}M"
        cut = subprocess.run(["curl", "-sS", "--limit-rate", rate, "-m", "1", "-o", file, served.url], check=False)
        had = file.stat().st_size
        subprocess.run(["curl", "-sSf", "-C", "-", "-o", file, served.url], check=True)
    assert cut.returncode == 28
    assert 0 < had < megabytes << 20
    with file.open("rb") as whole:
        assert hashlib.file_digest(whole, "sha256").hexdigest() == served.artifact.sha256
