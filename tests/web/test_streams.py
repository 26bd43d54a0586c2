"""Downloads as bytes on a wire: who leaves, who dies, what arrives."""

import json
import threading
import time
from pathlib import Path

import httpx2
import pytest

from offtake.model.limits import Limits
from sites import (
    FakeSource,
    Site,
    bearer,
    endless,
    failing_after,
    few,
    make_key,
    make_runtime,
    serve,
    silent,
    wait_until,
)

PATH = "/api/v1/datasets/numbers/download"


def request_bytes(secret: str, path: str = PATH, method: str = "GET") -> bytes:
    """A request as it goes over the wire."""
    return f"{method} {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {secret}\r\n\r\n".encode()


def read_all(connection: object) -> bytes:
    """Everything until the server closes."""
    received = b""
    while part := connection.recv(1 << 16):  # type: ignore[attr-defined]
        received += part
    return received


def log_lines(site: Site) -> list[dict[str, object]]:
    """What the site logged so far."""
    return [json.loads(line) for line in site.log.getvalue().splitlines()]


def test_a_file_arrives_whole_under_its_name(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)})
    with serve(runtime) as site:
        answer = httpx2.get(site.url + PATH, headers=bearer(make_key(runtime)))
    assert answer.status_code == 200
    assert answer.text == "n,text\n0,row\n1,row\n2,row\n"
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"numbers_2026-05-17.csv\"; filename*=UTF-8''numbers_2026-05-17.csv"
    )
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert "plan;dur=" in answer.headers["server-timing"]


def test_head_answers_with_the_headers_and_reads_nothing(tmp_path: Path) -> None:
    source = FakeSource(few)
    runtime = make_runtime(tmp_path, {"fake": source})
    with serve(runtime) as site:
        answer = httpx2.head(site.url + PATH, headers=bearer(make_key(runtime)))
    assert (answer.status_code, answer.content, source.reads) == (200, b"", 0)
    assert "numbers_2026-05-17.csv" in answer.headers["content-disposition"]


def test_a_client_that_leaves_mid_stream_frees_the_read(tmp_path: Path) -> None:
    source = FakeSource(endless)
    runtime = make_runtime(tmp_path, {"fake": source})
    with serve(runtime) as site:
        with site.connect() as connection:
            connection.sendall(request_bytes(make_key(runtime)))
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
        wait_until(source.closed.is_set)
        wait_until(lambda: bool(site.log.getvalue()))
        assert log_lines(site)[-1]["cut"] == "CANCELLED"


def test_a_client_that_leaves_before_the_first_byte_frees_the_read(tmp_path: Path) -> None:
    source = FakeSource(silent)
    runtime = make_runtime(tmp_path, {"fake": source})
    with serve(runtime) as site:
        with site.connect() as connection:
            connection.sendall(request_bytes(make_key(runtime)))
            wait_until(lambda: source.reads == 1)
        wait_until(source.closed.is_set)


def test_a_client_that_never_reads_loses_its_download_when_the_time_is_over(tmp_path: Path) -> None:
    source = FakeSource(endless)
    runtime = make_runtime(tmp_path, {"fake": source}, limits=Limits(download_s=1))
    with serve(runtime) as site, site.connect() as connection:
        connection.sendall(request_bytes(make_key(runtime)))
        wait_until(lambda: source.reads == 1)
        assert wait_until(source.closed.is_set) > 0.5


def test_a_download_that_takes_too_long_before_its_first_row_is_a_timeout(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(silent)}, limits=Limits(download_s=1))
    with serve(runtime) as site:
        answer = httpx2.get(site.url + PATH, headers=bearer(make_key(runtime)), timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (504, "SOURCE_TIMEOUT")


def test_a_source_that_dies_mid_way_cuts_the_connection_and_says_nothing_in_the_file(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(failing_after(20_000))})
    with serve(runtime) as site:
        with site.connect() as connection:
            connection.sendall(request_bytes(make_key(runtime)))
            received = read_all(connection)
        with pytest.raises(httpx2.RemoteProtocolError):
            httpx2.get(site.url + PATH, headers=bearer(make_key(runtime)))
        assert received.startswith(b"HTTP/1.1 200")
        assert not received.endswith(b"0\r\n\r\n")
        assert b"s3cret" not in received
        wait_until(lambda: bool(site.log.getvalue()))
        assert log_lines(site)[0]["cut"] == "SOURCE_FAILED"
        assert "s3cret" not in site.log.getvalue()


def test_a_source_that_is_dead_from_the_start_is_a_problem_document(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(failing_after(0))})
    with serve(runtime) as site:
        answer = httpx2.get(site.url + PATH, headers=bearer(make_key(runtime)))
    assert (answer.status_code, answer.headers["content-type"]) == (502, "application/problem+json")
    assert answer.json()["code"] == "SOURCE_FAILED"


def test_a_bug_in_a_source_is_internal_and_its_text_goes_nowhere(tmp_path: Path) -> None:
    def buggy(_: object) -> object:
        raise ValueError("could not convert 's3cret-row'")
        yield

    runtime = make_runtime(tmp_path, {"fake": FakeSource(buggy)})  # type: ignore[arg-type]
    with serve(runtime) as site:
        answer = httpx2.get(site.url + PATH, headers=bearer(make_key(runtime)))
        wait_until(lambda: '"event": "request"' in site.log.getvalue())
        logged = site.log.getvalue()
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert "s3cret" not in answer.text + logged
    assert log_lines(site)[0]["type"] == "ValueError"


def test_downloads_beyond_the_limit_of_a_key_are_told_to_wait(tmp_path: Path) -> None:
    source = FakeSource(endless)
    runtime = make_runtime(tmp_path, {"fake": source}, limits=Limits(downloads_per_key=1))
    secret = make_key(runtime)
    with serve(runtime) as site:
        with site.connect() as connection:
            connection.sendall(request_bytes(secret))
            connection.recv(100)
            refused = httpx2.get(site.url + PATH, headers=bearer(secret))
            other = httpx2.post(f"{site.url}/api/v1/datasets/numbers/count", headers=bearer(make_key(runtime)), json={})
        wait_until(source.closed.is_set)
        time.sleep(0.05)
        again = httpx2.post(f"{site.url}/api/v1/datasets/numbers/count", headers=bearer(secret), json={})
    assert (refused.status_code, refused.json()["code"]) == (429, "RATE_LIMITED")
    assert int(refused.headers["retry-after"]) > 0
    assert (other.status_code, again.status_code) == (200, 200)


def test_two_hundred_clients_that_leave_at_odd_moments_leave_nothing_behind(tmp_path: Path) -> None:
    source = FakeSource(endless)
    runtime = make_runtime(tmp_path, {"fake": source}, limits=Limits(downloads_per_key=0, downloads_per_tenant=0))
    secret = make_key(runtime)
    before = threading.active_count()
    with serve(runtime) as site:
        for n in range(200):
            with site.connect() as connection:
                connection.sendall(request_bytes(secret))
                time.sleep((n * 7 % 40) / 1000)
        wait_until(lambda: len(site.log.getvalue().splitlines()) == 200)
        wait_until(source.closed.is_set)
        answer = httpx2.get(f"{site.url}/healthz")
    assert answer.status_code == 200
    assert threading.active_count() <= before + 45  # the idle threads of one pool, none of them reading
