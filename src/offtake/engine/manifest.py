"""Manifests: what is in a file, written beside it, and the check that the file is still that file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from offtake import __version__
from offtake.encode.headers import header_of
from offtake.engine.export import Account
from offtake.engine.parts import ZIP
from offtake.errors import Conflict, NotFound
from offtake.model.export import OrderKey, Plan
from offtake.model.job import Manifest, ManifestColumn
from offtake.model.ports import Format
from offtake.query.shown import filter_json

SUFFIX = ".manifest.json"


def manifest_of(
    account: Account, plan: Plan, format: Format, options: Any, *, file: str, compression: str = "none"
) -> Manifest:
    """The manifest of a file whose chunks have ended. Raises Conflict if its export never began."""
    stream = account.stream
    if stream is None:
        raise Conflict("The export has not begun.", hint="Write the file first.")
    names = {(field.column, field.path): field.name for field in reversed([c.field for c in plan.columns])}
    return Manifest(
        file=file,
        dataset=plan.dataset.name,
        format=format.name,
        media_type=ZIP if account.parts else format.media_type,
        compression=compression,
        rows=account.rows,
        bytes=account.bytes,
        sha256=account.digest.hexdigest(),
        columns=tuple(
            ManifestColumn(c.name, header_of(c, "label"), str(c.type), c.mask is not None) for c in stream.columns
        ),
        filter=filter_json(plan.where) if plan.where is not None else None,
        sort=tuple(("-" if key.descending else "") + _name(key, names) for key in plan.order),
        limit=plan.limit,
        locale=plan.reader.locale,
        timezone=plan.reader.timezone,
        options={name: value for name, value in asdict(options).items() if value is not None},
        guarded=stream.notes["guarded"],
        cut=stream.notes["cut"],
        snapshot_at=stream.snapshot_at,
        version=__version__,
        parts=tuple(account.parts),
    )


def _name(key: OrderKey, names: Mapping[tuple[str, tuple[str, ...]], str]) -> str:
    return names.get((key.column, key.path)) or ".".join((key.column, *key.path))


def write_manifest(manifest: Manifest, folder: Path) -> Path:
    """Write `FILE.manifest.json` into the folder of the file and give its path."""
    path = folder / (manifest.file + SUFFIX)
    path.write_bytes(manifest_bytes(manifest))
    return path


def manifest_bytes(manifest: Manifest) -> bytes:
    """The manifest as the file it is kept in."""
    return (json.dumps(manifest_json(manifest), ensure_ascii=False, indent=2) + "\n").encode()


def manifest_json(manifest: Manifest) -> dict[str, Any]:
    """The manifest as JSON; the snapshot in UTC with `Z`."""
    return asdict(manifest) | {"snapshot_at": manifest.snapshot_at.isoformat().replace("+00:00", "Z")}


def verify_file(path: Path) -> Mapping[str, Any]:
    """The manifest of the file, if the file is still what it says.

    Raises NotFound without a file or manifest, Conflict if the bytes are not those the manifest was written for.
    """
    beside = path.with_name(path.name + SUFFIX)
    for needed in (path, beside):
        if not needed.is_file():
            raise NotFound(f"There is no {needed.name}.", hint="Export with --manifest to get one beside the file.")
    try:
        manifest: Mapping[str, Any] = json.loads(beside.read_text(encoding="utf-8"))
        size, wanted = int(manifest["bytes"]), str(manifest["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise Conflict(f"{beside.name} is not a manifest.", hint="Export again with --manifest.") from error
    if path.stat().st_size != size:
        raise Conflict(
            f"{path.name} has {path.stat().st_size} bytes; its manifest says {size}.",
            hint="It was cut, changed or is still being copied. Fetch it again.",
        )
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted:
        raise Conflict(f"{path.name} was changed since it was written.", hint="Fetch it again.")
    return manifest
