"""What a right file means."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from offtake.errors import InvalidConfig
from offtake.model.access import Tenant
from offtake.model.dataset import Field, FieldType, Mask, Sort
from offtake.model.job import JobLimits, Retention
from offtake.model.limits import Limits
from offtake.model.ports import FileSet, StoreSpec
from offtake.settings import load_settings, require_secrets
from settings.conftest import Load

ONE = """
sources: {db: {url: "sqlite:///shop.db"}}
datasets:
  orders:
    source: db
    table: orders
"""
GOOD_SECRET = "f3b9c1d7e5a2084612bd9e7730c45aa1"


def test_an_empty_file_is_all_defaults(load: Load, tmp_path: Path) -> None:
    settings = load("")
    assert settings.database == f"sqlite:///{tmp_path}/.offtake/offtake.db"
    assert settings.store == StoreSpec(f"{tmp_path}/.offtake/artifacts")
    assert (settings.public_url, settings.datasets, settings.limits) == (None, {}, Limits())
    assert (settings.jobs, settings.retention) == (JobLimits(), Retention())


def test_fields_become_the_models_own(load: Load) -> None:
    settings = load(f"""{ONE}
    fields:
      firstName: {{column: first_name, label: First Name, type: string}}
      taxId: {{type: string, mask: last4, unless_scope: pii:read}}
      lines: {{type: list, items: struct, fields: {{sku: {{type: string}}}}}}
      level: {{type: integer, values: [1, 2], nullable: false}}
""")
    assert settings.datasets["orders"].fields == (
        Field("firstName", FieldType.STRING, "first_name", "First Name"),
        Field("taxId", FieldType.STRING, "taxId", "taxId", mask=Mask.LAST4, unless_scope="pii:read"),
        Field(
            "lines",
            FieldType.LIST,
            "lines",
            "lines",
            items=FieldType.STRUCT,
            fields=(Field("sku", FieldType.STRING, "sku", "sku"),),
        ),
        Field("level", FieldType.INTEGER, "level", "level", nullable=False, values=("1", "2")),
    )


def test_tenant_field_and_key_may_be_fields_or_columns(load: Load) -> None:
    dataset = load(f"""{ONE}
    tenant_field: owner
    key: [no, line]
    fields:
      owner: {{column: tenant_id, type: string}}
      no: {{column: order_no, type: integer}}
""").datasets["orders"]
    assert dataset.tenant_column == "tenant_id"
    assert dataset.key == ("order_no", "line")


def test_default_sort_reads_a_minus_as_downwards(load: Load) -> None:
    dataset = load(f"{ONE}    default_sort: [-created, id]\n").datasets["orders"]
    assert dataset.default_sort == (Sort("created", True), Sort("id"))


def test_a_tenant_without_uuid_gets_the_same_one_everywhere(load: Load) -> None:
    assert load("tenants: {acme: {}}").tenants == {"acme": Tenant("acme", "d15985bb-de5a-504e-89c8-5599e790bffd")}


def test_timeouts_and_pool_hold_for_every_source(load: Load) -> None:
    settings = load("""
        timeouts: {connect_s: 2, statement_s: 7.5}
        pool: {size: 3, timeout_s: 4}
        sources: {a: {url: postgresql://db/a, timezone: Europe/Berlin}}
    """)
    spec = settings.sources["a"]
    assert (spec.connect_timeout_s, spec.statement_timeout_s, spec.pool_size, spec.pool_timeout_s) == (2, 7.5, 3, 4)
    assert spec.timezone == "Europe/Berlin"


def test_rate_limit_is_the_rate_of_limits(load: Load) -> None:
    assert load("{rate_limit: 5/second, limits: {download_s: 9}}").limits == Limits(rate="5/second", download_s=9)


@pytest.mark.parametrize(
    ("url", "settled"),
    [
        ("sqlite:///shop.db", "sqlite:///{}/shop.db"),
        ("sqlite:////var/shop.db", "sqlite:////var/shop.db"),
        ("sqlite:///data/shop.db?mode=ro", "sqlite:///{}/data/shop.db?mode=ro"),
        ("duckdb:///lake.duckdb", "duckdb:///{}/lake.duckdb"),
        ("duckdb:///:memory:", "duckdb:///:memory:"),
        ("duckdb://", "duckdb://"),
        ("postgresql://db/shop", "postgresql://db/shop"),
    ],
)
def test_relative_paths_mean_the_files_folder(load: Load, tmp_path: Path, url: str, settled: str) -> None:
    assert load(f"sources: {{s: {{url: '{url}'}}}}").sources["s"].url == settled.format(tmp_path)


def test_files_are_paths_or_object_stores(load: Load, tmp_path: Path) -> None:
    settings = load("""
        sources:
          lake:
            url: duckdb://
            files: {a: {path: a*.csv, nullstr: NA}, b: b.parquet, c: s3://bucket/c.parquet}
    """)
    assert settings.sources["lake"].files == {
        "a": FileSet(f"{tmp_path}/a*.csv", "NA"),
        "b": FileSet(f"{tmp_path}/b.parquet"),
        "c": FileSet("s3://bucket/c.parquet"),
    }


@pytest.mark.parametrize("text", ["store: files", "store: {url: files}"])
def test_a_store_is_a_folder_beside_the_file(load: Load, tmp_path: Path, text: str) -> None:
    assert load(text).store == StoreSpec(f"{tmp_path}/files")


def test_a_store_is_a_bucket_with_what_lets_us_in(load: Load) -> None:
    store = load("""
        store: {url: s3://b/p, endpoint: http://s3:8333, region: here, access_key_id: me,
                secret_access_key: "${KEY}", allow_http: true, redirect: true}
    """, {"KEY": "hunter2"}).store  # fmt: skip
    assert store == StoreSpec("s3://b/p", "http://s3:8333", "here", "me", "hunter2", True, True)
    assert "hunter2" not in repr(store)


def test_jobs_are_run_within_the_limits_given(load: Load) -> None:
    text = "jobs: {concurrency: 0, per_tenant: 4, attempts: 1, duration_s: 60, memory_mb: 512, grace_s: 5}"
    assert load(text).jobs == JobLimits(0, 4, 1, 60, 512, 5)


def test_files_are_kept_for_days_or_parts_of_one(load: Load) -> None:
    kept = load(
        f"{ONE}tenants: {{acme: {{}}}}\nretention: {{days: 30, tenants: {{acme: 0.5}}, datasets: {{orders: 0}}}}"
    )
    assert kept.retention == Retention(30, {"acme": 0.5}, {"orders": 0})


def test_variables_are_filled_in(load: Load) -> None:
    text = """
        public_url: ${URL}
        limits:
          download_s: ${NOT_SET:-9}
    """
    settings = load(text, {"URL": "https://x.example/"})
    assert settings.public_url == "https://x.example"
    assert settings.limits.download_s == 9


def test_a_variable_never_becomes_yaml(load: Load) -> None:
    url = "postgresql://u:a b#{c}: 'd'@db/x"
    assert load("sources: {s: {url: '${DB}'}}", {"DB": url}).sources["s"].url == url


def test_a_doubled_dollar_is_a_plain_one(load: Load) -> None:
    assert load(f"{ONE}    label: $${{HOME}} $1\n").datasets["orders"].label == "${HOME} $1"


def test_a_country_code_stays_text(load: Load) -> None:
    dataset = load(f"{ONE}    fields: {{c: {{type: string, values: [NO, SE, yes, 007, 1_0]}}}}\n").datasets["orders"]
    assert dataset.fields[0].values == ("NO", "SE", "yes", "007", "1_0")


def test_anchors_are_followed(load: Load) -> None:
    settings = load("sources: {a: &a {url: postgresql://db/a}, b: *a}")
    assert settings.sources["b"].url == settings.sources["a"].url


def test_a_url_may_lie_in_a_file(load: Load, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://reader:pw@db/shop\n")
    assert load("sources: {s: {url_file: url}}").sources["s"].url == "postgresql://reader:pw@db/shop"


def test_no_url_or_secret_shows_in_the_repr(load: Load, tmp_path: Path) -> None:
    _write_secret(tmp_path / "k1", GOOD_SECRET)
    settings = load(
        "{sources: {s: {url: 'postgresql://u:hunter2@db/x'}}, database: 'postgresql://u:hunter2@db/y',"
        " secrets: [{id: k1, file: k1}]}"
    )
    assert "hunter2" not in repr(settings)
    assert GOOD_SECRET not in repr(settings)


def test_a_good_secret_is_read_without_its_line_break(load: Load, tmp_path: Path) -> None:
    _write_secret(tmp_path / "k1", GOOD_SECRET + "\n")
    settings = load("secrets: [{id: k1, file: k1, not_after: 2027-01-31}]")
    require_secrets(settings)
    assert settings.secrets[0].value == GOOD_SECRET.encode()
    assert settings.secrets[0].not_after == datetime(2027, 1, 31, tzinfo=UTC)


def test_no_secret_is_needed_until_somebody_signs(load: Load) -> None:
    settings = load("")
    with pytest.raises(InvalidConfig, match="names no secret"):
        require_secrets(settings)


@pytest.mark.parametrize(
    ("secret", "mode", "why"),
    [
        ("short", 0o600, "is shorter than 32 bytes"),
        ("", 0o600, "is shorter than 32 bytes"),
        ("x" * 64, 0o600, "is well known or easily guessed"),
        ("please-changeme-please-changeme-please", 0o600, "is well known or easily guessed"),
        (GOOD_SECRET, 0o644, "can be read or changed by others"),
        (None, 0o600, "cannot be read"),
    ],
)
def test_a_bad_secret_is_refused_by_whoever_signs(
    load: Load, tmp_path: Path, secret: str | None, mode: int, why: str
) -> None:
    if secret is not None:
        _write_secret(tmp_path / "k1", secret, mode)
    settings = load("secrets: [{id: k1, file: k1}]")
    assert settings.secrets == ()
    with pytest.raises(InvalidConfig, match=f"offtake.yaml:1: secret 'k1' {why}"):
        require_secrets(settings)


def test_the_process_environment_is_read_if_none_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFTAKE_TEST_URL", "https://env.example")
    (tmp_path / "offtake.yaml").write_text("public_url: ${OFFTAKE_TEST_URL}")
    assert load_settings(tmp_path / "offtake.yaml").public_url == "https://env.example"


def _write_secret(path: Path, secret: str, mode: int = 0o600) -> None:
    path.write_text(secret)
    path.chmod(mode)
