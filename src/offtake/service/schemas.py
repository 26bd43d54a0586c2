"""Exports of all that is of one schema, by the schema's id alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from offtake.errors import InvalidRequest, NotFound
from offtake.model.access import Principal
from offtake.model.dataset import Dataset, Field, FieldType
from offtake.query.nearest import did_you_mean
from offtake.service.datasets import find_dataset
from offtake.service.runtime import Runtime


@dataclass(frozen=True)
class SchemaView:
    """A schema, the dataset its rows are in, and the fields that it adds to those of the dataset."""

    id: str
    name: str
    dataset: Dataset
    fields: tuple[Field, ...]

    def array(self, key: str) -> Field:
        """The array of that key. Raises InvalidRequest with the nearest one for anything else."""
        arrays = {field.path[0]: field for field in self.fields if field.type is FieldType.LIST}
        if key not in arrays:
            detail = f"The schema has no array {key[:80]!r}."
            raise InvalidRequest(detail, hint=did_you_mean(key, sorted(arrays), "Arrays"), pointer="/expand_array")
        return arrays[key]


def find_schema(runtime: Runtime, principal: Principal, schema_id: str) -> SchemaView:
    """The tenant's schema of that id, whatever dataset has it. Raises NotFound, InsufficientScope."""
    for name in _with_schemas(runtime, principal):
        try:
            found = find_dataset(runtime, principal, name, schema=schema_id)
        except NotFound:
            continue
        own = len(find_dataset(runtime, principal, name).fields)
        return SchemaView(schema_id, found.schema_name, found, found.fields[own:])
    raise NotFound("Schema not found", hint="It must be one of your own.")


def _with_schemas(runtime: Runtime, principal: Principal) -> Sequence[str]:
    datasets = [dataset for dataset in runtime.datasets.values() if dataset.schemas is not None]
    open_to = [dataset for dataset in datasets if dataset.scopes <= principal.scopes]
    return [dataset.name for dataset in open_to or datasets]
