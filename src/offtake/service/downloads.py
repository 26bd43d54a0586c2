"""A download: one request, proven, limited, streamed as one file to whoever asked for it now."""

import re
import threading
import time
import unicodedata
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from offtake.encode import parse_options
from offtake.encode.json import JSON, enveloped
from offtake.engine.export import Account, export_chunks
from offtake.engine.manifest import manifest_of
from offtake.engine.parts import ZIP, Cut, export_parts
from offtake.errors import Cancelled, InvalidFormat, InvalidRequest, SourceTimeout
from offtake.model.access import Principal
from offtake.model.export import ExportRequest, Plan
from offtake.model.job import Manifest
from offtake.model.ports import Chunks, Format, Source, Stop
from offtake.query.nearest import did_you_mean
from offtake.service.access import LOCAL
from offtake.service.datasets import plan_request, read_slot
from offtake.service.meter import Meter
from offtake.service.runtime import Runtime
from offtake.service.spans import traced_chunks
from offtake.service.trail import current_trail

COMPRESSIONS = {"none": ("", ""), "gzip": (".gz", "application/gzip"), "zstd": (".zst", "application/zstd")}
PLACEHOLDERS = ("dataset", "date", "datetime", "format")  # what a file name may hold in braces
LONGEST_NAME = 200  # bytes; file systems take 255, and browsers add " (1)" and the like

# What a file says of itself beside its rows, from how many they are.
Envelope = Callable[[int], Mapping[str, Any]]


@dataclass(frozen=True)
class Download:
    """A file about to stream. Nothing was read yet: the first chunk pulled starts it, closing `chunks` ends it.

    `manifest`, if one was asked for, gives the manifest under a file's name once the chunks have ended.
    """

    filename: str
    media_type: str
    chunks: Chunks
    manifest: Callable[[str], Manifest] | None = None


def open_download(
    runtime: Runtime,
    principal: Principal,
    request: ExportRequest,
    *,
    stop: Stop | None = None,
    on_rows: Callable[[int], None] | None = None,
    with_manifest: bool = False,
    envelope: Envelope | None = None,
) -> Download:
    """The file this request asks for. `on_rows` is told the size of every batch; setting `stop` ends the read.

    With an `envelope`, JSON is an object of `meta`, which is what that says, and `data`; other formats have no room.

    Raises here whatever is wrong with the request; with the first chunk RateLimited, RowLimitExceeded and what the
    source has to say. A download that takes longer than `limits.download_s` raises SourceTimeout.
    """
    stop = stop or Stop()
    meter, trail, began = Meter(), current_trail(), time.perf_counter()

    def count(rows: int) -> None:
        meter.count_rows(rows)
        trail.count_rows(rows)
        runtime.counters.count_rows(principal, rows)
        if on_rows is not None:
            on_rows(rows)

    if principal.id == LOCAL:
        return open_file(
            runtime, principal, request, stop=stop, on_rows=on_rows, with_manifest=with_manifest, envelope=envelope
        )
    file = open_file(
        runtime, principal, request, stop=stop, on_rows=count, with_manifest=with_manifest, envelope=envelope
    )
    meter.add("plan", time.perf_counter() - began)
    chunks = traced_chunks("download", meter, file.chunks, dataset=request.dataset, format=request.format)
    return replace(file, chunks=_limited(runtime, principal, stop, chunks))


def open_file(
    runtime: Runtime,
    principal: Principal,
    request: ExportRequest,
    *,
    stop: Stop,
    on_rows: Callable[[int], None] | None = None,
    with_manifest: bool = False,
    envelope: Envelope | None = None,
) -> Download:
    """The same without the limits of a download, for jobs, which have their own, and for the command line."""
    format = find_format(runtime, request.format)
    ending, media_type = _find_compression(request.compression)
    cut = _find_cut(request)
    source, plan = plan_request(runtime, principal, request)
    if envelope is not None and format is JSON:
        format, plan = enveloped(envelope), replace(plan, counted=True)
    options = parse_options(format, request.options)
    name, extension = _name_file(runtime, request, plan, format.extension)
    filename = f"{name}.{extension}{ending}"
    if cut is not None and request.parts_if_needed and _is_one_part(source, plan, cut, stop):
        cut = None
    account = Account() if with_manifest else None
    export: Callable[..., Chunks] = export_chunks
    if cut is not None:
        filename, media_type = f"{name}.zip", ZIP
        export = partial(export_parts, cut=cut, name_part=lambda number: f"{name}-part{number}.{extension}{ending}")
    chunks = export(
        source,
        plan,
        format,
        options,
        compression=request.compression,
        stop=stop,
        on_rows=on_rows,
        account=account,
    )
    manifest = partial(_manifest, account, plan, format, options, request.compression) if account else None
    return Download(filename, media_type or _media_type(format, options), chunks, manifest)


def _is_one_part(source: Source, plan: Plan, cut: Cut, stop: Stop) -> bool:
    """Whether that is known before the first row is read, as bytes and the items of a list are not."""
    if cut.rows is None or cut.bytes is not None or plan.expansion is not None:
        return False
    return source.count(plan, stop) <= cut.rows if plan.limit is None else plan.limit <= cut.rows


def _find_cut(request: ExportRequest) -> Cut | None:
    """Where the parts end; None if there are none. Raises InvalidRequest."""
    whole = request.part_rows is None and request.part_bytes is None
    return None if whole else Cut(request.part_rows, request.part_bytes)


def check_file(runtime: Runtime, request: ExportRequest) -> None:
    """Raise what `open_file` would about all but the rows, without asking the source for anything."""
    format = find_format(runtime, request.format)
    _find_compression(request.compression)
    _find_cut(request)
    parse_options(format, request.options)
    fill_filename(request.filename or "", dict.fromkeys(PLACEHOLDERS, ""))


def _manifest(account: Account, plan: Plan, format: Format, options: Any, compression: str, file: str) -> Manifest:
    return manifest_of(account, plan, format, options, file=file, compression=compression)


def find_format(runtime: Runtime, name: str) -> Format:
    """The format of that name. Raises InvalidFormat with the nearest."""
    format = runtime.formats.get(name)
    if format is None:
        raise InvalidFormat(
            f"There is no format {name!r}.", hint=did_you_mean(name, runtime.formats, "Formats"), pointer="/format"
        )
    return format


def _find_compression(name: str) -> tuple[str, str]:
    if name not in COMPRESSIONS:
        hint = did_you_mean(name, COMPRESSIONS, "Compressions")
        raise InvalidFormat(f"There is no compression {name!r}.", hint=hint, pointer="/compression")
    return COMPRESSIONS[name]


def _media_type(format: Format, options: Any) -> str:
    return format.media_type.replace("charset=utf-8", f"charset={getattr(options, 'encoding', 'utf-8')}")


def _limited(runtime: Runtime, principal: Principal, stop: Stop, chunks: Chunks) -> Chunks:
    """The chunks, within the limits of the key and its tenant. A slot is taken with the first chunk, not before."""
    counters = runtime.counters
    with closing(chunks):
        counters.check_day(principal)
        with read_slot(runtime, principal), deadline(runtime.limits.download_s, stop, "download"):
            for chunk in chunks:
                counters.count_bytes(principal, len(chunk))
                yield chunk


@contextmanager
def deadline(seconds: int, stop: Stop, what: str) -> Iterator[None]:
    """Set `stop` when the time is over, and say that it was the time. 0 = no limit."""
    over = threading.Event()

    def end() -> None:
        over.set()
        stop.set()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    if seconds:
        timer.start()
    try:
        yield
    except Cancelled as error:
        if not over.is_set():
            raise
        raise SourceTimeout(
            f"The {what} took longer than {seconds} seconds.", hint="Ask for fewer rows or fields."
        ) from error
    finally:
        timer.cancel()


def _name_file(runtime: Runtime, request: ExportRequest, plan: Plan, extension: str) -> tuple[str, str]:
    """What the request calls the file, or the dataset and today's date, and its extension as the request writes it.

    Times are those where the reader is.
    """
    now = runtime.now().astimezone(zoneinfo.ZoneInfo(plan.reader.timezone or "UTC"))
    values = (request.dataset, f"{now:%Y-%m-%d}", f"{now:%Y-%m-%dT%H-%M-%S}", request.format)
    known = dict(zip(PLACEHOLDERS, values, strict=True))
    wanted = clean_filename(fill_filename(request.filename or "", known))
    wanted = wanted or clean_filename(fill_filename("{dataset}_{date}", known))
    stem, _, ending = wanted.rpartition(".")
    if stem and ending.lower() == extension:
        return stem, ending
    is_zip = stem and ending.lower() == "zip" and _find_cut(request) is not None
    return stem if is_zip else wanted, extension


def fill_filename(template: str, known: Mapping[str, str]) -> str:
    """The template with its `{placeholders}` filled in. Raises InvalidRequest for one that is not known."""

    def fill(match: re.Match[str]) -> str:
        if match[1] not in known:
            hint = f"Known: {', '.join(f'{{{name}}}' for name in known)}."
            raise InvalidRequest(f"A file name has no placeholder {match[0][:40]!r}.", hint=hint, pointer="/filename")
        return known[match[1]]

    return re.sub(r"\{([^{}]*)\}", fill, template)


def clean_filename(text: str) -> str:
    """The text as a file name any system takes: no path, no control or format characters, no leading dot; short."""
    text = unicodedata.normalize("NFC", text)
    text = "".join(char for char in text if unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
    text = re.sub(r'[/\\:*?"<>|]+', "_", text).strip(" .")
    return text.encode()[:LONGEST_NAME].decode(errors="ignore")
