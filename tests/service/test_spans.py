"""Spans of OpenTelemetry: four stages below each export; no word of whose rows they are; nothing without the extra."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from offtake.errors import SourceFailed
from offtake.model.export import ExportRequest
from offtake.model.ports import Stop
from offtake.query.minilang import parse_minilang
from offtake.service.access import authenticate, local_principal
from offtake.service.downloads import open_download
from offtake.service.exports import submit_export
from offtake.service.runs import claim_run, run_attempt
from offtake.service.spans import STAGES, end_tracing, start_tracing
from sites import Batches, FakeSource, endless, failing_after, few, make_key, make_runtime

WISH = ExportRequest("numbers", format="csv")


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """Where spans end up; OpenTelemetry takes one provider for the life of a process."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    """The same, empty."""
    exporter.clear()
    yield exporter
    exporter.clear()


def read(tmp_path: Path, batches: Batches, chunks: int) -> None:
    """Take that many chunks of a download, then leave."""
    runtime = make_runtime(tmp_path, {"fake": FakeSource(batches)})
    file = open_download(runtime, authenticate(runtime, make_key(runtime)), WISH)
    for _, _ in zip(range(chunks), file.chunks, strict=False):
        pass
    file.chunks.close()


def by_name(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    """The spans of one export."""
    finished = spans.get_finished_spans()
    assert len({span.name for span in finished}) == len(finished)
    return {span.name: span for span in finished}


def check_tree(found: dict[str, ReadableSpan], root: str, *, rows: int) -> None:
    """The stages follow each other within the whole, all with the same attributes."""
    whole = found.pop(root)
    assert (whole.parent, list(found)) == (None, list(STAGES))
    at = whole.start_time
    for span in found.values():
        assert span.parent is not None
        assert span.parent.span_id == whole.context.span_id
        assert span.start_time == at
        assert span.attributes == whole.attributes
        at = span.end_time
    assert at == whole.end_time
    assert whole.attributes is not None
    assert whole.attributes["offtake.rows"] == rows


def test_a_download_has_four_stages(tmp_path: Path, spans: InMemorySpanExporter) -> None:
    read(tmp_path, few, chunks=1000)
    found = by_name(spans)
    names = {"offtake.dataset": "numbers", "offtake.format": "csv", "offtake.rows": 3}
    assert found["download"].attributes == names
    assert found["download"].status.is_ok
    check_tree(found, "download", rows=3)


def test_a_job_has_four_stages_and_names_itself(tmp_path: Path, spans: InMemorySpanExporter) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, now=lambda: datetime.now(UTC))
    secret = "text:row-of-somebody"
    wish = replace(WISH, filter=parse_minilang(secret))
    job = submit_export(runtime, local_principal(runtime, "acme"), wish).job
    claim = claim_run(runtime, job.id, 0)
    assert claim is not None
    assert run_attempt(runtime, claim, Stop())
    found = by_name(spans)
    told = found["job"].to_json()
    assert found["job"].attributes is not None
    assert found["job"].attributes["offtake.job"] == job.id
    assert "acme" not in told
    assert "somebody" not in told
    check_tree(found, "job", rows=3)


@pytest.mark.parametrize(
    ("batches", "chunks", "code"), [(failing_after(1000), 1000, "SOURCE_FAILED"), (endless, 3, "CANCELLED")]
)
def test_an_export_that_fails_says_why_by_its_code(
    tmp_path: Path, spans: InMemorySpanExporter, batches: Batches, chunks: int, code: str
) -> None:
    with suppress(SourceFailed):
        read(tmp_path, batches, chunks)
    status = by_name(spans)["download"].status
    assert (status.status_code, status.description) == (trace.StatusCode.ERROR, code)


def test_a_process_set_up_from_outside_stays_as_it_is(spans: InMemorySpanExporter) -> None:
    before = trace.get_tracer_provider()
    start_tracing(None)
    end_tracing()
    assert trace.get_tracer_provider() is before


def test_without_the_extra_nothing_is_imported() -> None:
    program = """
import sys
sys.modules["opentelemetry.exporter"] = None  # as if it were not installed
import offtake.service.runs, offtake.app
from offtake.service.meter import Meter
from offtake.service.spans import end_tracing, start_tracing, traced
with traced("job", Meter()):
    pass
end_tracing()
assert {name for name in sys.modules if name.startswith("opentelemetry")} == {"opentelemetry.exporter"}
start_tracing(None)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
