"""Where artifacts lie."""

from pathlib import Path

from offtake.model.ports import Store, StoreSpec
from offtake.store.local import Folder


def open_store(spec: StoreSpec) -> Store:
    """The store of that folder or bucket. Raises InvalidConfig for a URL nobody knows."""
    return Folder(Path(spec.url))
