"""Where artifacts lie."""

from collections.abc import Callable, Mapping
from pathlib import Path

from offtake.errors import InvalidConfig
from offtake.model.ports import Store, StoreSpec
from offtake.query.nearest import did_you_mean
from offtake.store.clouds import CLOUDS, open_bucket
from offtake.store.local import Folder


def _open_folder(spec: StoreSpec) -> Store:
    return Folder(Path(spec.url).absolute())


# How to open a store, by the scheme of its URL; a folder's path has none.
STORES: Mapping[str, Callable[[StoreSpec], Store]] = {"": _open_folder, **dict.fromkeys(CLOUDS, open_bucket)}


def open_store(spec: StoreSpec) -> Store:
    """The store of that folder or bucket; nothing is sent yet. Raises InvalidConfig for a URL nobody knows."""
    scheme, mark, _ = spec.url.partition("://")
    known = STORES.get(scheme if mark else "")
    if known is None:
        raise InvalidConfig(
            f"store: nobody knows {scheme[:40]!r} URLs.", hint=did_you_mean(scheme, CLOUDS, "A folder's path, or")
        )
    return known(spec)
