"""The shape of offtake.yaml, block by block. Its JSON Schema is `settings_schema()`."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from offtake.model.cors import Cors
from offtake.model.dataset import FieldType, Mask, Schemas
from offtake.model.delivery import SmtpSpec, TargetSpec, WebhookRules
from offtake.model.job import JobLimits, Retention
from offtake.model.limits import Limits
from offtake.model.ports import SourceSpec
from offtake.model.token import Algorithm, ClaimPaths, Issuer

NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
RATE = r"^[0-9]+ ?(/|per) ?([0-9]+ ?)?(second|minute|hour|day|month|year)s?$"

ORIGIN = r"^(\*|[a-z][a-z0-9+.-]*://[a-z0-9._\[\]:-]+)$"

Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=NAME)]
Rate = Annotated[
    str,
    BeforeValidator(lambda value: "0/minute" if value == 0 and not isinstance(value, bool) else value),
    Field(pattern=RATE, description="How many requests, such as 60000/minute; 0 = no limit."),
    WithJsonSchema({"type": ["string", "integer"], "pattern": RATE, "minimum": 0, "maximum": 0}),
]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0)]
TypeName = Annotated[FieldType, Field(strict=False)]
MaskName = Annotated[Mask, Field(strict=False)]
AlgorithmName = Annotated[Algorithm, Field(strict=False)]


def _whole_number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Body(BaseModel):
    """One block. Nothing is converted on the quiet, nothing unknown is passed over."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class TenantBody(Body):
    """One tenant; without a uuid it gets one that is made from its name."""

    uuid: Annotated[UUID, Field(strict=False)] | None = None


class SecretBody(Body):
    """A file with a secret that signs links and cursors."""

    id: Name
    file: Text
    not_after: Text | None = Field(None, description="The date or instant after which it no longer verifies.")


class FilesBody(Body):
    """Files that are read as one table."""

    path: Text = Field(description="A path or a glob, relative to this file, or an object store's URL.")
    nullstr: str = Field("", description="The text a CSV file writes for null.")

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """A path alone will do."""
        return {"anyOf": [{"type": "string", "minLength": 1}, handler.resolve_ref_schema(handler(schema))]}


class SourceBody(Body):
    """A database or a set of files we may read."""

    url: Text | None = Field(None, description="An SQLAlchemy URL.")
    url_file: Text | None = Field(None, description="A file that holds the URL, instead of `url`.")
    files: dict[Name, FilesBody] = Field({}, description="Files that become tables; needs the URL duckdb://.")
    timezone: Text = Field("UTC", description="The IANA zone of date-times stored without one.")


class MemberBody(Body):
    """A typed member of a struct."""

    type: TypeName
    label: Text | None = None
    description: str = ""
    nullable: bool = True
    values: list[Annotated[str, BeforeValidator(_whole_number_as_text)]] = Field(
        [], description="The only values a filter may name."
    )
    items: TypeName | None = Field(None, description="The type of a list's elements.")
    fields: dict[Text, "MemberBody"] = Field({}, description="The members of a struct, or of a list's structs.")


class FieldBody(MemberBody):
    """One field of a dataset."""

    column: Text | None = Field(None, description="Its name in the database; the field's name if absent.")
    mask: MaskName | None = Field(None, description="What remains of a value without `unless_scope`.")
    unless_scope: Text | None = Field(None, description="The scope that sees the field unmasked.")


class CustomFieldsBody(Body):
    """Fields that are rows of another dataset."""

    column: Text = Field(description="The json column that holds the values.")
    definitions: Text = Field(description="The dataset whose rows say which fields exist.")
    id: Text
    label: Text
    type: Text
    group: Text | None = Field(None, description="The id of the form a field belongs to.")
    group_label: Text | None = Field(None, description="The name of that form, to tell equal labels apart.")


class SchemasBody(Body):
    """Whole field lists that are rows of another dataset."""

    dataset: Text
    id: Text
    fields: Text
    column: Text = Field(description="The json column that holds each row's values.")
    schema_: Text = Field(
        Schemas.schema, alias="schema", description="The field or column that says which schema a row is of."
    )
    name: Text | None = Field(None, description="The field that says what a schema is called.")


class DatasetBody(Body):
    """One table, view or query that can be exported."""

    source: Text
    table: Text | None = None
    sql: Text | None = Field(None, description="A SELECT, instead of `table`.")
    label: Text | None = None
    description: str = ""
    tenant_field: Text | None = Field(None, description="The field or column every read is confined by.")
    scopes: list[Text] = Field([], description="What a key needs to read this dataset.")
    key: list[Text] = Field([], description="Fields or columns that make an asked-for order total.")
    date_field: Text | None = Field(None, description="The field a date range means.")
    default_sort: list[Text] = Field([], description="Field names; a leading - sorts downwards.")
    row_limit: Count = Field(0, description="More matching rows than this are an error; 0 = no limit.")
    fields: dict[Text, FieldBody] = Field({}, description="What is exported; without it, every column.")
    custom_fields: CustomFieldsBody | None = None
    schemas: SchemasBody | None = None
    aliases: dict[str, Text] = Field({}, description="Dialect: the name that dialect knows the dataset by.")


class LimitsBody(Body):
    """How much one key and one tenant may take at a time; 0 = no limit."""

    rate: Rate | None = None
    rate_per_tenant: Rate | None = None
    downloads_per_key: Count = Limits.downloads_per_key
    downloads_per_tenant: Count = Limits.downloads_per_tenant
    download_s: Count = Limits.download_s
    rows_per_day: Count = Limits.rows_per_day
    bytes_per_day: Count = Limits.bytes_per_day
    body_bytes: Count = Limits.body_bytes
    snapshots_per_tenant: Count = Limits.snapshots_per_tenant
    snapshot_bytes_per_tenant: Count = Limits.snapshot_bytes_per_tenant
    store: str = Field(default=Limits.store, description="A Redis URL that shares the counters between processes.")


class TimeoutsBody(Body):
    """How long a source may take, in seconds."""

    connect_s: Seconds = SourceSpec.connect_timeout_s
    statement_s: Seconds = SourceSpec.statement_timeout_s


class PoolBody(Body):
    """How many connections one source may hold, and how long a request waits for one."""

    size: Annotated[int, Field(ge=1)] = SourceSpec.pool_size
    timeout_s: Seconds = SourceSpec.pool_timeout_s


class PlaceBody(Body):
    """Where files lie, and how to get in; credentials left out come from where the cloud's tools look."""

    url: Text = Field(description="A folder, or s3://bucket/prefix, gs://…, az://….")
    endpoint: str = Field(default="", description="The address of a server that speaks S3.")
    region: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""
    allow_http: bool = Field(default=False, description="Let the endpoint be http://.")


class StoreBody(PlaceBody):
    """Where finished files lie."""

    redirect: bool = Field(default=False, description="Send downloads to the bucket by presigned URLs.")

    @model_validator(mode="before")
    @classmethod
    def _url_alone(cls, value: Any) -> Any:
        return {"url": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """A URL alone will do."""
        return {"anyOf": [{"type": "string", "minLength": 1}, handler.resolve_ref_schema(handler(schema))]}


class JobsBody(Body):
    """How export jobs are run."""

    concurrency: Count = Field(default=JobLimits.concurrency, description="Jobs this process runs at once; 0 = none.")
    per_tenant: Count = Field(
        default=JobLimits.per_tenant, description="Jobs of one tenant at once, everywhere; 0 = no limit."
    )
    attempts: Annotated[int, Field(ge=1)] = Field(
        default=JobLimits.attempts, description="Tries before a job has failed."
    )
    duration_s: Count = Field(default=JobLimits.duration_s, description="How long one try may take; 0 = no limit.")
    memory_mb: Count = Field(
        default=JobLimits.memory_mb, description="What the process of one job may hold; 0 = no limit."
    )
    grace_s: Count = Field(
        default=JobLimits.grace_s, description="What running jobs get to finish when the service stops."
    )


Days = Annotated[float, Field(ge=0)]


class RetentionBody(Body):
    """How many days finished files and the audit are kept; 0 = for ever."""

    days: Days = Retention.days
    tenants: dict[Text, Days] = Field(default={}, description="For a tenant's files.")
    datasets: dict[Name, Days] = Field(default={}, description="For a dataset's files, before the tenant's.")
    audit_days: Days = Field(default=Retention.audit_days, description="For the lines of the audit.")


class SmtpBody(Body):
    """The mail server that deliveries go through."""

    host: Text
    port: Annotated[int, Field(ge=1, le=65535)] = SmtpSpec.port
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="`tls` encrypts from the first byte, `starttls` before anything is said."
    )
    user: str = SmtpSpec.user
    password: str = SmtpSpec.password
    sender: Text = Field(alias="from", description="Whom mails come from: exports@example.com, or Exports <…>.")
    ca_file: Text | None = Field(None, description="A file of authorities to trust instead of the system's.")
    timeout_s: Seconds = SmtpSpec.timeout_s
    allowed_domains: list[Text] = Field([], description="The only domains that mail may go to; none = anywhere.")
    attach_max_bytes: Count = Field(
        default=SmtpSpec.attach_max_bytes, description="A larger file is never attached; its link goes alone."
    )


class WebhooksBody(Body):
    """Where webhooks may lead, beside the public internet."""

    allowed_hosts: list[Text] = Field(
        default=[], description="Names or addresses inside that may be called, as host or host:port."
    )
    timeout_s: Seconds = WebhookRules.timeout_s


_TEXTS = {"type": "array", "items": {"type": "string", "minLength": 1}}


class ClaimsBody(Body):
    """Where a token says what its holder is and may do: a claim's name, or a path such as realm_access.roles."""

    tenant: Text = Field(default=ClaimPaths.tenant, description="The tenant's name or uuid.")
    roles: Text = Field(default=ClaimPaths.roles, description="Names of `roles`; others are passed over.")
    scopes: Text = Field(default=ClaimPaths.scopes, description="Scopes, as a list or with spaces between them.")


class IssuerBody(Body):
    """Who signs tokens that are believed."""

    issuer: Text = Field(description="What `iss` says, to the letter.")
    audience: Annotated[
        list[Text],
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
        Field(min_length=1),
        WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {**_TEXTS, "minItems": 1}]}),
    ] = Field(description="What `aud` has to say; of several, one will do.")
    jwks_url: Annotated[str, Field(pattern=r"^https?://[^/\s]+")] | None = Field(
        None, description="Where its public keys are."
    )
    jwks_file: Text | None = Field(None, description="A file of its public keys, instead of `jwks_url`.")
    algorithms: Annotated[list[AlgorithmName], Field(min_length=1)] = Field(
        default=list(Issuer.algorithms), description="What it signs with."
    )
    claims: ClaimsBody = ClaimsBody()


class JwtBody(Body):
    """Whose bearer tokens (JWT) are believed."""

    issuers: list[IssuerBody] = []
    leeway_s: Annotated[int, Field(ge=0, le=600)] = Field(
        default=Issuer.leeway_s, description="How far clocks may be apart."
    )
    cache_s: Annotated[int, Field(ge=1, le=86400)] = Field(
        default=Issuer.cache_s, description="How long public keys are kept before they are fetched anew."
    )


class CorsBody(Body):
    """Which pages of other origins may call the service from a browser."""

    origins: list[Annotated[str, Field(pattern=ORIGIN)]] = Field(
        default=[], description="Such as https://app.example.com; * for all."
    )
    max_age_s: Annotated[int, Field(ge=0, le=86400)] = Field(
        default=Cors.max_age_s, description="How long browsers remember what is allowed."
    )


class TargetBody(PlaceBody):
    """A place for copies of finished files."""

    folder: str = Field(TargetSpec.folder, description="The folder in it, with placeholders; no copy leaves it.")


class DeliveriesBody(Body):
    """Where copies may go."""

    targets: dict[Name, TargetBody] = {}


class FileBody(Body):
    """offtake.yaml"""

    database: Text = Field("sqlite:///.offtake/offtake.db", description="The app database's SQLAlchemy URL.")
    store: StoreBody = StoreBody(url=".offtake/artifacts")
    public_url: Annotated[str, Field(pattern=r"^https?://[^/\s]+")] | None = Field(
        None, description="The address in links; without it, the request's own."
    )
    trusted_proxies: list[Text] = Field(
        [], description="Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed."
    )
    tenants: dict[Text, TenantBody] = {}
    rate_limit: Rate | None = None
    secrets: list[SecretBody] = Field([], description="The last one signs, all of them verify.")
    sources: dict[Name, SourceBody] = {}
    datasets: dict[Name, DatasetBody] = {}
    roles: dict[Text, list[Text]] = Field({}, description="A role and the scopes it holds.")
    limits: LimitsBody = LimitsBody()
    timeouts: TimeoutsBody = TimeoutsBody()
    pool: PoolBody = PoolBody()
    jobs: JobsBody = JobsBody()
    retention: RetentionBody = RetentionBody()
    smtp: SmtpBody | None = None
    webhooks: WebhooksBody = WebhooksBody()
    deliveries: DeliveriesBody = DeliveriesBody()
    jwt: JwtBody = JwtBody()
    cors: CorsBody = CorsBody()
    dialects: dict[Literal["optimaite", "exelensia", "camunda", "altafid", "rebilly"], bool] = Field(
        default={}, description="Which foreign APIs are served; all of them but those set to false."
    )


def settings_schema() -> dict[str, Any]:
    """The JSON Schema of offtake.yaml (draft 2020-12)."""
    schema = _without_nulls(FileBody.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "offtake.yaml"}


def _without_nulls(part: Any) -> Any:
    """A key that may be left out may still not be null."""
    if isinstance(part, list):
        return [_without_nulls(one) for one in part]
    if not isinstance(part, dict):
        return part
    part = {key: _without_nulls(value) for key, value in part.items() if not (key == "default" and value is None)}
    if {"type": "null"} in part.get("anyOf", ()):
        part |= next(one for one in part.pop("anyOf") if one != {"type": "null"})
    return part
