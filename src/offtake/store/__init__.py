"""Where artifacts lie."""

from offtake.model.ports import Store, StoreSpec


def open_store(spec: StoreSpec) -> Store:
    """The store of that folder or bucket. Raises InvalidConfig for a URL nobody knows."""
    raise NotImplementedError(spec.url)
