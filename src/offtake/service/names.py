"""What datasets are called by foreign APIs: by an alias for that dialect, else by their own name; what names are."""

import unicodedata
from collections.abc import Mapping

from offtake.errors import NotFound
from offtake.model.access import Principal
from offtake.model.dataset import Dataset
from offtake.query.nearest import did_you_mean
from offtake.service.runtime import Runtime

# Names may hold what is made of several characters, such as emoji, but nothing that steers a terminal or breaks a line.
UNSHOWABLE = ("Cc", "Cs", "Zl", "Zp")


def is_showable(name: str) -> bool:
    """Whether people can read it: a line that is not blank."""
    return bool(name.strip()) and not any(unicodedata.category(char) in UNSHOWABLE for char in name)


def dataset_called(runtime: Runtime, dialect: str, name: str, principal: Principal | None = None) -> str:
    """The own name of the dataset that the dialect calls so. Raises NotFound.

    With the principal who asks, the hint has the nearest name of those that it may read.
    """
    known = names_in(runtime, dialect)
    if name not in known:
        may_read = [
            each for each, own in known.items() if principal and runtime.datasets[own].scopes <= principal.scopes
        ]
        hint = did_you_mean(name, sorted(may_read), "Known") if may_read else ""
        raise NotFound(f"There is no dataset {name[:80]!r}.", hint=hint)
    return known[name]


def name_in(runtime: Runtime, dialect: str, dataset: str) -> str:
    """What the dialect calls the dataset of that name; its own name if it has no alias, or is gone."""
    found: Dataset | None = runtime.datasets.get(dataset)
    return dataset if found is None else found.aliases.get(dialect, dataset)


def names_in(runtime: Runtime, dialect: str) -> Mapping[str, str]:
    """Every name the dialect knows, and its dataset's own. An alias hides the dataset that has it for a name."""
    aliased = {
        dataset.aliases[dialect]: dataset.name for dataset in runtime.datasets.values() if dialect in dataset.aliases
    }
    own = {dataset.name: dataset.name for dataset in runtime.datasets.values() if dialect not in dataset.aliases}
    return own | aliased
