"""The files that docs/configuration.md shows, and the shared contract's, load and fit the JSON Schema."""

import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import jsonschema
import pytest
import yaml

from offtake.settings import settings_schema
from settings.conftest import Load, Refusals

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
SHOWN = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)

# As agreed, with the uuid and the list of secrets spelled out, and the datasets that it only names.
CONTRACT = """\
database: sqlite:///.offtake/offtake.db
store: .offtake/artifacts
public_url: https://exports.example.com
tenants: {acme: {uuid: 6f1f7a52-1c0d-4e8b-9a53-2b7c9d40e611}}
rate_limit: 60000/minute
secrets: [{id: k1, file: run/secret-k1}]
sources:
  crm:  {url: postgresql://reader@db/crm}
  lake: {url: "duckdb://", files: {flights: {path: data/flights*.csv, nullstr: NA}, trips: data/trips*.parquet}, timezone: UTC}
datasets:
  contacts:
    source: crm
    table: public.contacts
    label: Contacts
    tenant_field: tenant_uuid
    scopes: [reports:read]
    key: [id]
    date_field: createdAt
    default_sort: [-createdAt]
    row_limit: 1000000
    fields:
      firstName:   {column: first_name, label: First Name, type: string}
      createdAt:   {column: created_at, type: datetime}
      stage:       {type: string, values: [Lead, Prospect, Client]}
      taxId:       {column: tax_id, type: string, mask: last4, unless_scope: pii:read}
      tags:        {type: list, items: string}
    custom_fields: {column: custom, definitions: contact_fields, id: uuid, label: label, type: type, group: form_uuid}
    aliases: {altafid: contacts, rebilly: customers}
  contact_fields: {source: crm, table: contact_fields}
  results:
    source: crm
    table: results
    schemas: {dataset: schemas, id: id, fields: fields, column: data}
  schemas: {source: crm, table: schemas}
"""  # noqa: E501
EXAMPLES = pytest.mark.parametrize(
    "text", [*SHOWN, CONTRACT], ids=[*(f"shown {n}" for n in range(len(SHOWN))), "contract"]
)


class _Written(yaml.SafeLoader):
    """Dates as they are written, as JSON would have them."""


_Written.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@EXAMPLES
def test_an_example_loads(load: Load, text: str) -> None:
    assert load(text).limits  # or it raises


@EXAMPLES
def test_an_example_fits_the_schema(text: str) -> None:
    jsonschema.validate(yaml.load(text, _Written), settings_schema())


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(settings_schema())


@pytest.mark.parametrize(
    "text", ["databse: x", "datasets: {a: {source: s, fields: {f: {type: datetim}}}}", "tenants: []", "public_url: ~"]
)
def test_the_schema_refuses_what_loading_refuses(refusals: Refusals, text: str) -> None:
    data: Any = yaml.safe_load(dedent(text))
    assert not jsonschema.Draft202012Validator(settings_schema()).is_valid(data)
    assert refusals(text)
