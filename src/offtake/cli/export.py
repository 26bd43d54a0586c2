"""`offtake export`: one dataset to one file, through the same service as every download."""

import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from offtake.app import build_runtime, close_runtime
from offtake.cli import collect_garbage_from_now
from offtake.cli.arguments import (
    choose_format,
    read_fields,
    read_filter,
    read_groupings,
    read_measures,
    read_options,
    read_sort,
)
from offtake.cli.failure import wrong_usage
from offtake.cli.signals import run_stoppable
from offtake.engine.export import write_file
from offtake.engine.manifest import write_manifest
from offtake.model.access import Principal
from offtake.model.export import DateRange, ExportRequest
from offtake.model.job import Manifest
from offtake.model.ports import Chunks, Stop
from offtake.service.access import local_principal
from offtake.service.datasets import count_rows, find_dataset
from offtake.service.downloads import open_download
from offtake.service.runtime import Runtime
from offtake.settings import load_settings


@dataclass(frozen=True)
class ExportArguments:
    """The command's options as typed."""

    dataset: str
    output: str
    config: Path
    format: str | None = None
    fields: str | None = None
    filter: str | None = None
    sort: str | None = None
    start: str | None = None
    end: str | None = None
    locale: str | None = None
    timezone: str | None = None
    tenant: str | None = None
    all_tenants: bool = False
    limit: int | None = None
    options: tuple[str, ...] = ()
    manifest: bool = False
    expand: str | None = None
    schema: str | None = None
    all_custom_fields: bool = False
    part_rows: int | None = None
    part_bytes: int | None = None
    group_by: str | None = None
    measures: str | None = None
    top: int | None = None

    @property
    def wants_parts(self) -> bool:
        """Whether the file is a zip of parts."""
        return self.part_rows is not None or self.part_bytes is not None


def run_export(arguments: ExportArguments) -> None:
    """Write the file, or the whole of it to stdout. Raises what the service raises; a failure leaves no file."""
    settings = load_settings(arguments.config)
    if arguments.output == "-" and sys.stdout.isatty():
        _check_terminal("A zip" if arguments.wants_parts else arguments.format)
    runtime = build_runtime(settings, with_appdb=False)
    collect_garbage_from_now()
    try:
        request = _request(runtime, arguments)
        principal = _principal(runtime, arguments)
        # Rows are counted before an array becomes some, and would promise a wrong end.
        count = None if request.expand else partial(_count, runtime, principal, request)
        with _progress(arguments.dataset, count) as on_rows:
            run_stoppable(lambda stop: _write(runtime, principal, request, arguments, stop, on_rows))
    finally:
        close_runtime(runtime)


def _check_terminal(what: str | None) -> None:
    if what in ("A zip", "xlsx", "parquet", "arrow", "pdf"):
        wrong_usage(f"{what} is not text and would garble the terminal.", "Redirect stdout, or name a file.")


def _progress(name: str, count: Callable[[Stop], int] | None) -> AbstractContextManager[Callable[[int], None] | None]:
    if not sys.stderr.isatty():
        return nullcontext()
    from offtake.cli.progress import showing_progress

    return showing_progress(name, count)


def _write(
    runtime: Runtime,
    principal: Principal,
    request: ExportRequest,
    arguments: ExportArguments,
    stop: Stop,
    on_rows: Callable[[int], None] | None,
) -> None:
    download = open_download(runtime, principal, request, stop=stop, on_rows=on_rows, with_manifest=arguments.manifest)
    if arguments.output == "-":
        _write_stdout(download.chunks)
        return
    path = Path(arguments.output)
    write_file(download.chunks, path)
    if download.manifest:
        _write_beside(download.manifest, path)


def _write_beside(manifest: Callable[[str], Manifest], path: Path) -> None:
    """The manifest beside its file; without one, the file goes too, so that a failure leaves nothing."""
    try:
        write_manifest(manifest(path.name), path.parent)
    except BaseException:
        path.unlink()
        raise


def _write_stdout(chunks: Chunks) -> None:
    with closing(chunks):
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


def _check_output(arguments: ExportArguments) -> None:
    """Say what no file can be written to before anything is read."""
    path = Path(arguments.output)
    if arguments.output != "-" and path.is_dir():
        wrong_usage(f"{path} is a folder.", "Name a file, such as -o out.csv.")
    if not path.parent.is_dir():
        wrong_usage(f"There is no folder {path.parent}.", "Make it first, or name a file elsewhere.")
    if arguments.manifest and (arguments.output == "-" or (path.exists() and not path.is_file())):
        wrong_usage("--manifest needs a file to stand beside.", "Name one with -o.")


def _check_parts(output: str, format: str | None) -> None:
    """Say what is missing to write parts, whose zip does not tell by its name what is in it."""
    if output == "-":
        return
    if not output.lower().endswith(".zip"):
        wrong_usage("Parts come in a zip.", "Name one, such as -o out.zip.")
    if format is None:
        wrong_usage("A zip does not say what its parts are.", "Name their format, such as --format csv.")


def _request(runtime: Runtime, arguments: ExportArguments) -> ExportRequest:
    _check_output(arguments)
    if arguments.wants_parts:
        _check_parts(arguments.output, arguments.format)
    format, compression = choose_format(arguments.format, arguments.output, runtime.formats)
    has_dates = arguments.start is not None or arguments.end is not None
    return ExportRequest(
        dataset=arguments.dataset,
        format=format,
        fields=read_fields(arguments.fields),
        filter=read_filter(arguments.filter),
        sort=read_sort(arguments.sort),
        date_range=DateRange(arguments.start, arguments.end) if has_dates else None,
        limit=arguments.limit,
        locale=arguments.locale,
        timezone=arguments.timezone,
        filename=_parts_name(arguments),
        options=read_options(arguments.options),
        compression=compression,
        expand=arguments.expand,
        schema=arguments.schema,
        include_all_custom_fields=arguments.all_custom_fields,
        part_rows=arguments.part_rows,
        part_bytes=arguments.part_bytes,
        group_by=read_groupings(arguments.group_by),
        measures=read_measures(arguments.measures),
        top=arguments.top,
    )


def _parts_name(arguments: ExportArguments) -> str | None:
    """What parts are called: as their zip. Braces would be placeholders."""
    named = arguments.wants_parts and arguments.output != "-"
    return re.sub("[{}]", "_", Path(arguments.output).name) if named else None


def _principal(runtime: Runtime, arguments: ExportArguments) -> Principal:
    """Who exports. A dataset with a tenant column wants it said whose rows; on any other, a tenant changes nothing."""
    if arguments.tenant is not None and arguments.all_tenants:
        wrong_usage("--tenant and --all-tenants exclude each other.", "Keep one of them.")
    principal = local_principal(runtime, arguments.tenant)
    dataset = find_dataset(runtime, principal, arguments.dataset)
    if dataset.tenant_column and arguments.tenant is None and not arguments.all_tenants:
        known = ", ".join(runtime.tenants) or "none are configured"
        wrong_usage(
            f"{dataset.name} holds the rows of several tenants.",
            f"Say whose: --tenant T ({known}), or --all-tenants.",
        )
    return principal


def _count(runtime: Runtime, principal: Principal, request: ExportRequest, stop: Stop) -> int:
    matched = count_rows(runtime, principal, request, stop=stop).matched
    return matched if request.limit is None else min(matched, request.limit)
