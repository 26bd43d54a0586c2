"""What an export leaves behind besides its bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class ManifestColumn:
    """One column of the file, as a reader of the manifest needs it; never a tenant's name."""

    name: str
    label: str
    type: str
    masked: bool = False


@dataclass(frozen=True)
class Manifest:
    """What is in a file and how to see that it is whole: kept beside it as `FILE.manifest.json`.

    `filter` is the tree as it was evaluated: relative dates are instants by then. `guarded` and `cut` count the cells
    an encoder changed. `sha256` in lower-case hex is of the file's bytes as written, compression included.
    """

    file: str
    dataset: str
    format: str
    media_type: str
    compression: str
    rows: int
    bytes: int
    sha256: str
    columns: tuple[ManifestColumn, ...]
    filter: Mapping[str, Any] | None
    sort: tuple[str, ...]
    limit: int | None
    locale: str | None
    timezone: str | None
    options: Mapping[str, Any]
    guarded: int
    cut: int
    snapshot_at: datetime
    version: str
