"""What is said about a wrong file: golden lines, each with the line and the nearest known word."""

from pathlib import Path

import pytest

from offtake.errors import InvalidConfig
from offtake.settings import load_settings
from settings.conftest import Refusals

EVERYTHING_WRONG = """\
databse: x
tenants: {acme: {uuid: 6f1f7a52}}
rate_limit: fast
sources:
  crm: {url: postgresql://reader@db/crm, timezone: America/Santigo}
  lake:
    url: "duckdb://"
    files: {flights: {path: data/flights*.csv, nulstr: NA}, trips: data/trips*.parquet}
datasets:
  contacts:
    source: cmr
    table: 12
    feilds:
      a: {type: string}
    row_limit: many
  b:
    source: crm
    date_field: creatd
    default_sort: [-createdAt, nam]
    fields:
      createdAt: {type: datetim}
      name: {label: Name}
      tags: {type: list}
      taxId: {type: string, mask: last5}
      x:
    key: id
    aliases: {altfid: q}
  b: {}
roles:
  r: reports:read
pool: {size: 0}
"""
TYPES = "string, integer, number, decimal, boolean, date, datetime, time, uuid, json, list, struct"
ALGORITHMS = "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512"
KEYS = "type, label, description, nullable, values, items, fields"


def test_every_problem_is_told_at_once(refusals: Refusals) -> None:
    assert refusals(EVERYTHING_WRONG) == [
        "offtake.yaml:1: unknown key 'databse', did you mean 'database'?",
        "offtake.yaml:2: 'uuid' expects a UUID, found text",
        "offtake.yaml:3: 'rate_limit' expects a number and a period, such as 60000/minute",
        "offtake.yaml:5: unknown timezone 'America/Santigo', did you mean 'America/Santiago'?",
        "offtake.yaml:8: unknown key 'nulstr', did you mean 'nullstr'?",
        "offtake.yaml:11: unknown source 'cmr', did you mean 'crm'?",
        "offtake.yaml:12: 'table' expects text, found a number; put it in quotes",
        "offtake.yaml:13: unknown key 'feilds', did you mean 'fields'?",
        "offtake.yaml:15: 'row_limit' expects a whole number, found text",
        "offtake.yaml:16: dataset 'b' needs 'table' or 'sql'",
        "offtake.yaml:18: unknown field 'creatd', did you mean 'createdAt'?",
        "offtake.yaml:19: unknown field 'nam', did you mean 'name'?",
        f"offtake.yaml:21: unknown type 'datetim', did you mean 'datetime'? Accepted: {TYPES}",
        f"offtake.yaml:22: field 'name' needs 'type': one of {TYPES}",
        "offtake.yaml:23: a list needs 'items', the type of its elements",
        "offtake.yaml:24: unknown mask 'last5', did you mean 'last4'? Accepted: last4, redact, hide",
        "offtake.yaml:25: 'x' expects a mapping, found nothing",
        "offtake.yaml:26: 'key' expects a list, found text",
        "offtake.yaml:27: unknown dialect 'altfid', did you mean 'altafid'?",
        "offtake.yaml:28: 'b' stands here twice, first in line 16",
        "offtake.yaml:30: 'r' expects a list, found text",
        "offtake.yaml:31: 'size' expects 1 or more",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- a", "1: expected a mapping, found a list"),
        ("database: !env X", "1: the tag !env means nothing here"),
        ("database: ''", "1: 'database' expects some text, found no text"),
        ("database: ${NOPE}", "1: the environment variable NOPE is not set"),
        ("store: ${two words}", "1: write variables as ${NAME} or ${NAME:-default}, and $${ for a plain ${"),
        ("tenants:", "1: 'tenants' expects a mapping, found nothing"),
        ("tenants: &a {x: *a}", "1: this alias contains itself"),
        ("public_url: exports.example.com", "1: 'public_url' expects an address that begins with http:// or https://"),
        ("sources: {s: {}}", "1: source 's' needs either 'url' or 'url_file'"),
        ("sources: {s: {url: a://b, url_file: c}}", "1: source 's' needs either 'url' or 'url_file'"),
        ("sources: {s: {url_file: nowhere}}", "1: the file with the URL of source 's' cannot be read"),
        (
            "sources: {s: {url: shop.db}}",
            "1: the URL of source 's' does not begin with a scheme, such as postgresql://",
        ),
        ("sources: {s: {url: sqlite:///x, files: {a: a.csv}}}", "1: 'files' needs the URL duckdb://"),
        (
            "sources: {a b: {url: a://b}}",
            "1: 'a b': names hold letters, digits, '_', '-' and '.', and begin with a letter, a digit or '_'",
        ),
        ("secrets: [{id: a}]", "1: each secret needs 'file'"),
        ("secrets: [{id: a, file: f}, {id: a, file: g}]", "1: two secrets have the id 'a'"),
        (
            "secrets: [{id: a, file: f, not_after: soon}]",
            "1: 'not_after' expects a date or an instant, such as 2027-01-31T00:00:00Z",
        ),
        ("limits: {rate_per_tenant: 1}", "1: 'rate_per_tenant' expects text, found a number; put it in quotes"),
        ("limits: {rate: 5 often}", "1: 'rate' expects a number and a period, such as 60000/minute"),
        ("cors: {max_age_s: -1}", "1: 'max_age_s' expects 0 or more"),
        *[
            (
                f"cors: {{origins: ['{origin}']}}",
                "1: 'origins' expects what browsers send, such as https://app.example.com, in lower case and"
                " without a path",
            )
            for origin in ("app.example.com", "https://app.example.com/", "https://App.example.com", "", "null")
        ],
        (
            "jwt: {issuers: [{issuer: a, audience: b, jwks_url: 'https://c', algorithms: [HS256]}]}",
            f"1: unknown algorithm 'HS256', did you mean 'RS256'? Accepted: {ALGORITHMS}",
        ),
        (
            "jwt: {issuers: [{issuer: a, audience: b, jwks_url: 'https://c', algorithms: [none]}]}",
            f"1: unknown algorithm 'none'. Accepted: {ALGORITHMS}",
        ),
        (
            "jwt: {issuers: [{issuer: a, audience: b, jwks_url: 'https://c', algorithms: []}]}",
            "1: 'algorithms' holds nothing",
        ),
        ("jwt: {issuers: [{issuer: a, audience: [], jwks_url: 'https://c'}]}", "1: 'audience' holds nothing"),
        ("jwt: {issuers: [{issuer: a, jwks_url: 'https://c'}]}", "1: each issuer needs 'audience'"),
        ("jwt: {issuers: [{issuer: a, audience: b}]}", "1: issuer 'a' needs either 'jwks_url' or 'jwks_file'"),
        (
            "jwt: {issuers: [{issuer: a, audience: b, jwks_url: 'https://c', jwks_file: d}]}",
            "1: issuer 'a' needs either 'jwks_url' or 'jwks_file'",
        ),
        (
            "jwt: {issuers: [{issuer: a, audience: b, jwks_url: 'file:///etc/passwd'}]}",
            "1: 'jwks_url' expects an address that begins with http:// or https://",
        ),
        ("jwt: {issuers: [{issuer: a, audience: b, jwks_file: nowhere}]}", "1: there is no file nowhere"),
        (
            "jwt: {issuers: [{issuer: a, audience: b, jwks_url: 'https://c'},"
            " {issuer: a, audience: d, jwks_url: 'https://c'}]}",
            "1: two issuers are called 'a'",
        ),
        (
            "{rate_limit: 5/minute, limits: {rate: 5/minute}}",
            "1: 'rate_limit' and 'limits.rate' say the same thing; keep one of them",
        ),
        (
            "tenants: {a: {uuid: 6f1f7a52-1c0d-4e8b-9a53-2b7c9d40e611},"
            " b: {uuid: 6F1F7A52-1C0D-4E8B-9A53-2B7C9D40E611}}",
            "1: the tenants 'a' and 'b' have one uuid",
        ),
    ],
)
def test_a_wrong_line_is_told(refusals: Refusals, text: str, told: str) -> None:
    assert refusals(text) == [f"offtake.yaml:{told}"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("sql: SELECT 1", "3: dataset 'd' has both 'table' and 'sql'; keep one of them"),
        ("tenant_field: ''", "6: 'tenant_field' expects some text, found no text"),
        ("tenant_field:", "6: 'tenant_field' expects text, found nothing"),
        ("tenant_field: ~", "6: 'tenant_field' expects text, found nothing"),
        ("row_limit: -1", "6: 'row_limit' expects 0 or more"),
        ("date_field: n", "6: 'date_field' expects a date or datetime, 'n' is integer"),
        ("date_field: m", "6: unknown field 'm'; known: n, s"),
        ("schemas: {dataset: d, id: n, fields: x, column: s}", "6: unknown field 'x'; known: n, s"),
        (
            "custom_fields: {column: c, definitions: e, id: n, label: s, type: s}",
            "6: unknown dataset 'e'; known: d",
        ),
        ("custom_fields: {column: c, definitions: d, id: i, label: s, type: s}", "6: unknown field 'i'; known: n, s"),
    ],
)
def test_a_wrong_dataset_is_told(refusals: Refusals, line: str, told: str) -> None:
    text = f"""\
sources: {{s: {{url: 'sqlite:///x.db'}}}}
datasets:
  d:
    source: s
    table: t
    {line}
    fields: {{n: {{type: integer}}, s: {{type: string}}}}
"""
    assert refusals(text) == [f"offtake.yaml:{told}"]


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("{type: string, unless_scope: pii:read}", "'unless_scope' does nothing without 'mask'"),
        ("{type: string, mask: }", "'mask' expects one of last4, redact, hide, found nothing"),
        ("{type: string, items: string}", "'items' is for lists only"),
        ("{type: list, items: list}", "a list of lists is not supported; give it the type json"),
        ("{type: struct}", "a struct needs 'fields', its members"),
        ("{type: string, fields: {a: {type: string}}}", "'fields' is for structs only"),
        ("{type: struct, fields: {a: {type: string, mask: hide}}}", "unknown key 'mask'; known here: " + KEYS),
    ],
)  # fmt: skip
def test_a_wrong_field_is_told(refusals: Refusals, field: str, told: str) -> None:
    text = (
        f"sources: {{s: {{url: 'sqlite:///x.db'}}}}\ndatasets: {{d: {{source: s, table: t, fields: {{f: {field}}}}}}}"
    )
    assert refusals(text) == [f"offtake.yaml:2: {told}"]


def test_files_are_kept_only_for_those_there_are(refusals: Refusals) -> None:
    text = """\
sources: {s: {url: 'sqlite:///x.db'}}
tenants: {acme: {}, globex: {}}
datasets: {orders: {source: s, table: t}}
retention:
  days: -1
  tenants:
    acme: 3
    glibex: 3
  datasets:
    order: 1
    trips: 1
"""
    assert refusals(text) == [
        "offtake.yaml:5: 'days' expects 0 or more",
        "offtake.yaml:8: there is no tenant 'glibex', did you mean 'globex'?",
        "offtake.yaml:10: there is no dataset 'order', did you mean 'orders'?",
        "offtake.yaml:11: there is no dataset 'trips'",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("store: {}", "'store' needs 'url'"),
        ("store: {url: s3://b, endpiont: x}", "unknown key 'endpiont', did you mean 'endpoint'?"),
        (
            "store: {url: s3://b, secret_access_key: 5}",
            "'secret_access_key' expects text, found a number; put it in quotes",
        ),
        ("store: 5", "'store' expects a mapping, found a number"),
        ("jobs: {atempts: 1}", "unknown key 'atempts', did you mean 'attempts'?"),
        ("jobs: {attempts: 0}", "'attempts' expects 1 or more"),
        ("jobs: {memory_mb: 1.5}", "'memory_mb' expects a whole number, found a number"),
        ("retention: {days: soon}", "'days' expects a number, found text"),
        ("retention: 7", "'retention' expects a mapping, found a number"),
    ],
)
def test_a_wrong_store_job_or_retention_is_told(refusals: Refusals, text: str, told: str) -> None:
    assert refusals(text) == [f"offtake.yaml:1: {told}"]


def test_a_dialect_knows_two_datasets_by_two_names(refusals: Refusals) -> None:
    text = """\
sources: {s: {url: 'sqlite:///x.db'}}
datasets:
  a: {source: s, table: t, aliases: {rebilly: customers}}
  b: {source: s, table: t, aliases: {rebilly: customers}}
"""
    assert refusals(text) == ["offtake.yaml:4: rebilly knows both 'a' and 'b' as 'customers'"]


def test_a_refusal_points_into_the_file(tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_text("sources: {a/b~c: {}}")
    with pytest.raises(InvalidConfig) as caught:
        load_settings(tmp_path / "o.yaml", {})
    assert caught.value.problems[0][0] == "/sources/a~1b~0c"


def test_a_password_never_shows_in_a_refusal(refusals: Refusals) -> None:
    told = refusals("{sources: {s: {url: {u: hunter2}, timezone: 1}}, database: [hunter2]}")
    assert not [line for line in told if "hunter2" in line]


def test_what_is_not_yaml_is_told_with_its_line(refusals: Refusals) -> None:
    assert refusals("store: a\ntenants: ]")[0].startswith("offtake.yaml:2: this is not YAML: ")


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig) as caught:
        load_settings(tmp_path / "nowhere.yaml", {})
    assert "offtake init" in caught.value.hint
