"""The commands and their options. What each does is in the module it imports."""

from pathlib import Path
from typing import Annotated

import typer

from offtake import __version__
from offtake.cli.failure import telling_failures

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
keys = typer.Typer(no_args_is_help=True, help="Make, list, revoke and rotate API keys.")
app.add_typer(keys, name="keys")

Config = Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="The configuration.")]
Tenant = Annotated[str, typer.Option(help="Whose key it is.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="As `offtake keys list` shows it.")]
DEFAULT_CONFIG = Path("offtake.yaml")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"offtake {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")]


@app.callback()
def offtake(version: Version = False) -> None:
    """Export data from your databases to files people can trust."""


@app.command()
def export(
    dataset: Annotated[str, typer.Argument(metavar="DATASET")],
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="The file; - is stdout.")],
    config: Config = DEFAULT_CONFIG,
    format: Annotated[str | None, typer.Option(help="csv, json, …; else by the file's ending.")] = None,
    fields: Annotated[str | None, typer.Option(metavar="a,b=Label", help="Which fields, in which order.")] = None,
    filter: Annotated[str | None, typer.Option(metavar="EXPR", help="'status:paid;total:10..', or JSON.")] = None,
    sort: Annotated[str | None, typer.Option(metavar="-x,y", help="The order; - sorts downwards: --sort=-x,y.")] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="D", help="Rows from this date on.")] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="D", help="Rows before this; a bare date counts in.")
    ] = None,
    locale: Annotated[str | None, typer.Option(metavar="es-CL", help="How numbers and dates are written.")] = None,
    timezone: Annotated[str | None, typer.Option(metavar="ZONE", help="Such as America/Santiago; else UTC.")] = None,
    tenant: Annotated[str | None, typer.Option(metavar="T", help="Whose rows.")] = None,
    all_tenants: Annotated[bool, typer.Option("--all-tenants", help="The rows of every tenant.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most this many rows.")] = None,
    option: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="An option of the format.")] = None,
    manifest: Annotated[bool, typer.Option("--manifest", help="Write FILE.manifest.json beside it.")] = False,
    expand: Annotated[str | None, typer.Option(metavar="FIELD", help="An array whose items become rows.")] = None,
    schema: Annotated[str | None, typer.Option(metavar="ID", help="The dataset's schema to export.")] = None,
    all_custom_fields: Annotated[
        bool, typer.Option("--include-all-custom-fields", help="Every custom field too, unless one is listed.")
    ] = False,
    part_rows: Annotated[int | None, typer.Option(min=1, metavar="N", help="A zip of files of N rows.")] = None,
    part_bytes: Annotated[int | None, typer.Option(min=1, metavar="N", help="A zip of files of about N bytes.")] = None,
    group_by: Annotated[
        str | None, typer.Option(metavar="a,b:month", help="A report: one row for all rows alike in these.")
    ] = None,
    measures: Annotated[str | None, typer.Option(metavar="count,sum:x", help="What to say of each group.")] = None,
    top: Annotated[int | None, typer.Option(min=1, metavar="N", help="The N first keys; the rest is other.")] = None,
) -> None:
    """Write a dataset to a file. No server is needed; a failure leaves no file."""
    with telling_failures():
        from offtake.cli.export import ExportArguments, run_export

        run_export(
            ExportArguments(
                dataset, output, config, format, fields, filter, sort, start, end, locale, timezone, tenant,
                all_tenants, limit, tuple(option or ()), manifest, expand, schema, all_custom_fields, part_rows,
                part_bytes, group_by, measures, top,
            )
        )  # fmt: skip


@app.command()
def verify(file: Annotated[Path, typer.Argument(metavar="FILE")]) -> None:
    """Check that a file is still what its manifest says."""
    with telling_failures():
        from offtake.engine.manifest import verify_file

        manifest = verify_file(file)
        typer.echo(f"{file}: ok, {manifest['rows']} rows of {manifest['dataset']} as of {manifest['snapshot_at']}")


@app.command()
def datasets(config: Config = DEFAULT_CONFIG) -> None:
    """List the configured datasets."""
    with telling_failures():
        from offtake.cli.listing import print_datasets

        print_datasets(config)


@app.command()
def check(config: Config = DEFAULT_CONFIG) -> None:
    """Compare the configuration with the real databases; one line for each problem."""
    with telling_failures():
        from offtake.cli.check import run_check

        run_check(config)


@app.command()
def init(
    url: Annotated[str, typer.Argument(metavar="DATABASE_URL", help="Such as postgresql://reader@localhost/shop.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE")] = DEFAULT_CONFIG,
) -> None:
    """Write a commented configuration for a database."""
    with telling_failures():
        from offtake.cli.init import run_init

        run_init(url, output)


@app.command()
def schema() -> None:
    """Print the JSON Schema of offtake.yaml."""
    with telling_failures():
        import json

        from offtake.settings import settings_schema

        typer.echo(json.dumps(settings_schema(), indent=2, ensure_ascii=False))


@app.command()
def serve(
    config: Config = DEFAULT_CONFIG,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
) -> None:
    """Serve the API; `ready` is printed once it listens."""
    with telling_failures():
        from offtake.cli.early import read_settings

        settings = read_settings(config)
        from offtake.cli.serve import run_serve

        run_serve(settings, host, port)


@app.command()
def worker(config: Config = DEFAULT_CONFIG) -> None:
    """Run export jobs; `ready` is printed once it takes them. Any number of machines may do so at once."""
    with telling_failures():
        from offtake.cli.early import read_settings

        settings = read_settings(config)
        from offtake.cli.worker import run_worker

        run_worker(settings)


@app.command()
def demo(
    home: Annotated[Path, typer.Option(metavar="DIR", help="Where the sample data lie.")] = Path(".demo"),
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    prepare_only: Annotated[bool, typer.Option("--prepare-only", help="Build the data and stop.")] = False,
) -> None:
    """Build sample data and serve it on 127.0.0.1."""
    with telling_failures():
        from offtake.cli.serve import run_demo

        run_demo(home, port, prepare_only)


@app.command()
def jobs(
    config: Config = DEFAULT_CONFIG,
    stuck: Annotated[
        bool, typer.Option("--stuck", help="Only those that nobody works on though somebody should.")
    ] = False,
    state: Annotated[str | None, typer.Option(metavar="S", help="Only those in that state, such as failed.")] = None,
) -> None:
    """List the export jobs of all tenants, the newest first."""
    with telling_failures():
        from offtake.cli.jobs import show_jobs

        show_jobs(config, stuck=stuck, state=state)


@keys.command("create")
def create_key(
    tenant: Tenant,
    config: Config = DEFAULT_CONFIG,
    scopes: Annotated[str, typer.Option(metavar="a,b", help="What it may do.")] = "",
    role: Annotated[list[str] | None, typer.Option(metavar="R", help="A role it holds; may be repeated.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="D", help="When it ends.")] = None,
) -> None:
    """Make a key and print its secret, once."""
    with telling_failures():
        from offtake.cli.keys import create

        create(config, tenant, [scope.strip() for scope in scopes.split(",") if scope.strip()], role or [], expires)


@keys.command("list")
def list_keys(config: Config = DEFAULT_CONFIG) -> None:
    """List every key, without its secret."""
    with telling_failures():
        from offtake.cli.keys import show

        show(config)


@keys.command("revoke")
def revoke_key(key_id: KeyId, config: Config = DEFAULT_CONFIG) -> None:
    """End a key at once."""
    with telling_failures():
        from offtake.cli.keys import revoke

        revoke(config, key_id)


@keys.command("rotate")
def rotate_key(key_id: KeyId, config: Config = DEFAULT_CONFIG) -> None:
    """Give a key a new secret; the old one ends at once."""
    with telling_failures():
        from offtake.cli.keys import rotate

        rotate(config, key_id)
