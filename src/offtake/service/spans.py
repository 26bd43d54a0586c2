"""Spans for OpenTelemetry: one for each export, its stages below it. Without the extra `telemetry` there are none."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from offtake.errors import Cancelled, OfftakeError
from offtake.model.ports import Chunks
from offtake.service.logs import log_through
from offtake.service.meter import Meter

STAGES = ("plan", "read", "encode", "deliver")
FLUSH_S = 2.0


def start_tracing(log: Any) -> None:
    """Send spans to where the standard OTEL_* variables say, if `offtake[telemetry]` is installed; else do nothing.

    What goes wrong with it goes to the log. A process that was set up for tracing from outside stays as it is.
    """
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        return
    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return
    log_through("opentelemetry", log, "tracing")
    ours = Resource.create({"service.name": "offtake"})
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def end_tracing() -> None:
    """Send what is still held back, for at most two seconds: for processes that end at once."""
    trace = sys.modules.get("opentelemetry.trace")
    flush = None if trace is None else getattr(trace.get_tracer_provider(), "force_flush", None)
    if flush is not None:
        # Without a collector its own retries outlast any limit it is given.
        flushing = threading.Thread(target=flush, name="flush", daemon=True)
        flushing.start()
        flushing.join(FLUSH_S)


@contextmanager
def traced(kind: str, meter: Meter, **names: str) -> Iterator[None]:
    """Record the export that is made inside, once it is over, with its names and its rows."""
    error = ""
    try:
        yield
    except BaseException as cause:
        error = _code(cause)
        raise
    finally:
        _record(kind, meter, names, error)


def traced_chunks(kind: str, meter: Meter, chunks: Chunks, **names: str) -> Chunks:
    """The same chunks, recorded; `deliver` is the time they wait for whoever takes them."""
    with traced(kind, meter, **names), meter.delivering():
        yield from meter.watch(chunks)


def _code(cause: BaseException) -> str:
    """What went wrong, without the words, which may quote a row. A reader that left closes the generator."""
    if isinstance(cause, OfftakeError):
        return cause.code
    return Cancelled.code if isinstance(cause, GeneratorExit) else OfftakeError.code


def _record(kind: str, meter: Meter, names: dict[str, str], error: str) -> None:
    # Whoever traces has imported it; nobody else pays for the import.
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return
    tracer = trace.get_tracer("offtake")
    attributes = {f"offtake.{name}": value for name, value in names.items()} | {"offtake.rows": meter.rows}
    stages = {stage: round(meter.stages[stage] * 1e9) for stage in STAGES if stage in meter.stages}
    at = time.time_ns() - sum(stages.values())
    whole = tracer.start_span(kind, start_time=at, attributes=attributes)
    if error:
        whole.set_status(trace.StatusCode.ERROR, error)
    parent = trace.set_span_in_context(whole)
    # Reading, encoding and delivering take turns, batch by batch. Their spans tell how long each took in all.
    for stage, took in stages.items():
        span = tracer.start_span(stage, context=parent, start_time=at, attributes=attributes)
        at += took
        span.end(at)
    whole.end(at)
