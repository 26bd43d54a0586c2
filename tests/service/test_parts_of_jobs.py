"""Jobs that leave a zip of parts."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest

from offtake.errors import InvalidRequest
from offtake.model.export import ExportRequest
from offtake.model.job import JobState
from service.at_work import READER, content, left, run, submit
from sites import FakeSource, failing_after, few, make_runtime

WISH = ExportRequest("numbers", part_rows=2, filename="mine")


def test_a_job_leaves_one_zip_and_a_manifest_of_its_parts(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)})
    job = run(runtime, submit(runtime, READER, WISH))
    assert job.artifact is not None
    assert (job.state, job.rows, job.total) == (JobState.SUCCEEDED, 3, 3)
    assert (job.artifact.filename, job.artifact.media_type) == ("mine.zip", "application/zip")
    assert left(runtime, job) == [job.artifact.name, job.artifact.manifest_name]
    with zipfile.ZipFile(io.BytesIO(content(runtime, job))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert parts == {"mine-part1.csv": b"n,text\n0,row\n1,row\n", "mine-part2.csv": b"n,text\n2,row\n"}
    told = json.loads(b"".join(runtime.store.read(job.artifact.manifest_name)))
    assert (told["file"], told["rows"], told["bytes"]) == ("mine.zip", 3, job.artifact.bytes)
    assert told["parts"] == [
        {"file": name, "rows": rows, "bytes": len(parts[name]), "sha256": hashlib.sha256(parts[name]).hexdigest()}
        for name, rows in (("mine-part1.csv", 2), ("mine-part2.csv", 1))
    ]


def test_a_job_that_fails_in_the_middle_leaves_no_zip(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(failing_after(2000))})
    job = run(runtime, submit(runtime, READER, WISH))
    assert job.state is JobState.QUEUED
    assert left(runtime, job) == []


@pytest.mark.parametrize(
    ("wish", "filename"),
    [
        ({"part_rows": 3}, "mine.csv"),
        ({"part_rows": 2}, "mine.zip"),
        ({"part_rows": 2, "limit": 2}, "mine.csv"),
        ({"part_rows": 9, "part_bytes": 9000}, "mine.zip"),
    ],
)
def test_parts_that_are_made_if_needed_are_not_if_one_is_known_to_hold_all(
    tmp_path: Path, wish: dict[str, int], filename: str
) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few, matched=3)})
    request = ExportRequest("numbers", filename="mine", parts_if_needed=True, **wish)  # type: ignore[arg-type]
    job = run(runtime, submit(runtime, READER, request))
    assert (job.artifact and job.artifact.filename, job.rows) == (filename, 3)


def test_a_part_of_nothing_is_refused_before_there_is_a_job(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)})
    with pytest.raises(InvalidRequest) as caught:
        submit(runtime, READER, ExportRequest("numbers", part_rows=0))
    assert caught.value.problems[0][0] == "/part_rows"
