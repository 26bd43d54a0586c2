"""Parts over HTTP: the query string and the body cut the same zip, in downloads and in the background."""

import io
import zipfile
from collections.abc import Generator, Iterator
from pathlib import Path

import httpx2
import pyarrow as pa
import pytest

from offtake.service.runtime import Runtime
from sites import FakeSource, Site, batch, bearer, failing_after, make_key, make_runtime, serve

PATH = "/api/v1/datasets/numbers/download"


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    return make_runtime(tmp_path_factory.mktemp("parts"), {"fake": FakeSource(lambda _: iter_rows())})


def iter_rows() -> Generator[pa.RecordBatch, None, None]:
    yield batch(0, 3, "a")
    yield batch(3, 2, "b")


@pytest.fixture(scope="module")
def site(runtime: Runtime) -> Iterator[Site]:
    with serve(runtime) as site:
        yield site


def parts_of(answer: httpx2.Response) -> dict[str, bytes]:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip"), answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_query_and_a_body_cut_the_same_parts(runtime: Runtime, site: Site) -> None:
    headers = bearer(make_key(runtime))
    asked = httpx2.get(f"{site.url}{PATH}?part_rows=2&part_bytes=100000&filename=mine", headers=headers)
    body = {"part_rows": 2, "part_bytes": 100_000, "filename": "mine"}
    posted = httpx2.post(site.url + PATH, headers=headers, json=body)
    assert asked.content == posted.content
    assert 'filename="mine.zip"' in asked.headers["content-disposition"]
    assert parts_of(asked) == {
        "mine-part1.csv": b"n,text\n0,a\n1,a\n",
        "mine-part2.csv": b"n,text\n2,a\n3,b\n",
        "mine-part3.csv": b"n,text\n4,b\n",
    }


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("part_rows=5&filename=all.zip", ["all-part1.csv"]),
        ("part_rows=5&filename=all.CSV", ["all-part1.CSV"]),
        ("part_rows=3&format=ndjson&compression=zstd", [f"numbers_2026-05-17-part{n}.ndjson.zst" for n in (1, 2)]),
        ("part_bytes=1000000&format=xlsx&filename={dataset}", ["numbers-part1.xlsx"]),
    ],
)
def test_parts_are_called_like_the_file(runtime: Runtime, site: Site, query: str, names: list[str]) -> None:
    assert list(parts_of(httpx2.get(f"{site.url}{PATH}?{query}", headers=bearer(make_key(runtime))))) == names


@pytest.mark.parametrize(
    ("name", "value", "detail"),
    [
        ("part_rows", 0, "part_rows"),
        ("part_bytes", 0, "part_bytes"),
        ("part_bytes", 5_000_000_000, "part_bytes is more than 3500000000."),
    ],
)
def test_a_wrong_size_is_pointed_at(runtime: Runtime, site: Site, name: str, value: int, detail: str) -> None:
    headers = bearer(make_key(runtime))
    for answer in (
        httpx2.get(f"{site.url}{PATH}?{name}={value}", headers=headers),
        httpx2.post(site.url + PATH, headers=headers, json={name: value}),
        httpx2.post(f"{site.url}/api/v1/exports", headers=headers, json={"dataset": "numbers", name: value}),
    ):
        told = answer.json()
        assert (answer.status_code, told["code"]) == (422, "INVALID_REQUEST")
        assert told["errors"][0]["pointer"] == f"/{name}"
        assert told["detail"].startswith(detail)


def test_a_preview_does_not_mind_parts(runtime: Runtime, site: Site) -> None:
    answer = httpx2.post(
        f"{site.url}/api/v1/datasets/numbers/preview", headers=bearer(make_key(runtime)), json={"part_rows": 1}
    )
    assert len(answer.json()["data"]) == 5


def test_a_database_that_dies_cuts_the_zip(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(failing_after(400_000))})
    with serve(runtime) as site, pytest.raises(httpx2.RemoteProtocolError):
        httpx2.get(f"{site.url}{PATH}?part_rows=1000", headers=bearer(make_key(runtime)))


def test_nobody_to_ask_is_an_answer_of_its_own(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(failing_after(0))})
    with serve(runtime) as site:
        answer = httpx2.get(f"{site.url}{PATH}?part_rows=1000", headers=bearer(make_key(runtime)))
    assert (answer.status_code, answer.json()["code"]) == (502, "SOURCE_FAILED")
