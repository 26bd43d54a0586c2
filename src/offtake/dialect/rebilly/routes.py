"""The paths of the API, and who may ask."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.requests import Request
from starlette.responses import Response

from offtake.dialect.rebilly.bodies import DEFAULT_LIMIT, ID, NAME, DataExportBody, ListQuery, read_sort
from offtake.dialect.rebilly.shapes import (
    COLUMNS,
    ERROR_SCHEMA,
    STATES,
    DataExport,
    FileAnswer,
    Places,
    UserAnswer,
    export_answer,
    file_json,
    render,
    user_json,
    webhook_json,
)
from offtake.errors import Conflict, InvalidFilter, InvalidRequest, NotFound, UnknownField
from offtake.model.access import Principal
from offtake.model.filter import And, Condition, Filter, Operator
from offtake.model.job import Artifact, ExportJob
from offtake.service.changes import change_export
from offtake.service.exports import delete_export, find_artifact, find_export, submit_export
from offtake.service.external import (
    check_export_filter,
    find_external_export,
    list_external_exports,
    read_export_sort,
)
from offtake.service.links import Link
from offtake.service.names import names_in
from offtake.service.runtime import Runtime
from offtake.service.signing import Signature
from offtake.service.wishes import read_filter_text
from offtake.web.address import absolute_url
from offtake.web.artifacts import send_artifact
from offtake.web.auth import admit_first, bearer_secrets
from offtake.web.entrypoint import Entrypoint
from offtake.web.links import find_linked
from offtake.web.responses import run_stoppable
from offtake.web.site import site_of
from offtake.web.spec import fetch_answers, refusals

PREFIXES = (
    "",
    "/experimental",
    "/organizations/{org}",
    "/experimental/organizations/{org}",
    "/organizations/{org}/experimental",
)
FILE_PREFIXES = ("", "/organizations/{org}")

# What the API's own description calls what our functions do.
OPERATIONS = {
    "get_data_exports": "GetDataExportCollection",
    "post_data_export": "PostDataExport",
    "get_data_export": "GetDataExport",
    "put_data_export": "PutDataExport",
    "delete_data_export": "DeleteDataExport",
    "get_user": "GetUser",
    "get_file": "GetFile",
    "download_file": "GetFileDownload",
}

# They only tell OpenAPI what to send; `admit` reads it.
KEY = APIKeyHeader(name="REB-APIKEY", auto_error=False, scheme_name="SecretApiKey", description="A key: `ofk_…`")
JWT = HTTPBearer(auto_error=False, scheme_name="JWT", description="A token, or a key: `ofk_…`")
USUAL = refusals(401, 403, 404, 429, 500, 503)
WRITING = refusals(409, 413, 415, 422, 502, 504)

INTEGER: dict[str, Any] = {"schema": {"type": "integer"}}
PAGINATION = {f"Pagination-{name}": INTEGER for name in ("Total", "Limit", "Offset")}
LOCATION = {"Location": {"schema": {"type": "string"}}}


def admit(
    request: Request,
    _key: Annotated[object, Security(KEY)] = None,
    _jwt: Annotated[object, Security(JWT)] = None,
) -> Principal:
    """Who asks, in the organization that the path names. A bearer counts before a key; one of them is enough.

    Raises NotFound for another organization, and what any credential may be refused for.
    """
    secrets = [*bearer_secrets(request.headers), *request.headers.getlist("reb-apikey")]
    caller = admit_first(request, [secret.strip() for secret in secrets])
    tenant = site_of(request).runtime.tenants[caller.tenant or ""]
    asked = request.path_params.get("org", tenant.name)
    if asked != tenant.name and asked.lower() != tenant.uuid.lower():
        raise NotFound("There is no such organization.", hint="Use the one that the key belongs to.")
    return caller


Caller = Annotated[Principal, Depends(admit)]
Expand = Annotated[str, Query(max_length=1000, description="`user`, `file`, or both with a comma.")]


def get_data_exports(
    request: Request, response: Response, caller: Caller, query: Annotated[ListQuery, Query()]
) -> list[DataExport]:
    """Every export, the newest first unless sorted otherwise, a page at a time."""
    runtime, limit = site_of(request).runtime, query.limit or DEFAULT_LIMIT
    names = {dataset: name for name, dataset in names_in(runtime, NAME).items()}
    jobs, total = list_external_exports(
        runtime,
        caller,
        NAME,
        where=read_conditions(query),
        sort=read_export_sort(read_sort(query.sort) or (), COLUMNS),
        words={"state": STATES, "dataset": names},
        offset=query.offset,
        limit=limit,
    )
    paginate(response, total, limit, query.offset)
    return [answer_with(request, caller, job, query.expand or "") for job in jobs]


def read_conditions(query: ListQuery) -> Filter:
    """What the listed exports meet. Raises InvalidFilter, UnknownField."""
    asked = [read_filter(name, text) for name, text in (("filter", query.filter), ("criteria", query.criteria)) if text]
    # No text holds a NUL, and PostgreSQL refuses to look for one.
    found = [Condition("words", Operator.CONTAINS, (query.q.replace("\0", "\ufffd"),))] if query.q else []
    return And((*asked, *found))


def read_filter(name: str, text: str) -> Filter:
    """What the parameter of that name asks for."""
    try:
        return check_export_filter(read_filter_text(text), COLUMNS)
    except (InvalidFilter, UnknownField) as error:
        raise type(error)(error.detail, hint=error.hint, pointer=f"/{name}") from error


async def post_data_export(
    request: Request, response: Response, body: DataExportBody, caller: Caller, expand: Expand = ""
) -> DataExport:
    """Queue an export."""
    runtime = site_of(request).runtime
    job = await run_stoppable(request, lambda _: submit(runtime, caller, body, None))
    return show_new(request, response, caller, job, expand)


def get_data_export(request: Request, response: Response, id: str, caller: Caller, expand: Expand = "") -> DataExport:
    """One export."""
    job = find(site_of(request).runtime, caller, id)
    paginate(response, 1, 1, 0)
    return answer_with(request, caller, job, expand)


async def put_data_export(
    request: Request, response: Response, id: str, body: DataExportBody, caller: Caller, expand: Expand = ""
) -> DataExport:
    """Change an export that nobody has begun, or queue one under that id."""
    if not ID.fullmatch(id):
        raise InvalidRequest("An id has 1 to 50 letters, digits or @ ~ - . _.", pointer="/id")
    runtime = site_of(request).runtime
    job, is_new = await run_stoppable(request, lambda _: put(runtime, caller, id, body))
    return show_new(request, response, caller, job, expand) if is_new else answer_with(request, caller, job, expand)


def delete_data_export(request: Request, id: str, caller: Caller) -> None:
    """Delete an export and its file; with one that recurs and has not ended, its series ends."""
    runtime = site_of(request).runtime
    delete_export(runtime, caller, find(runtime, caller, id).id)


def submit(runtime: Runtime, caller: Principal, body: DataExportBody, external_id: str | None) -> ExportJob:
    """A new export."""
    wish, how = body.to_request(runtime, caller), body.to_submission(external_id, runtime.now())
    return submit_export(runtime, caller, wish, how).job


def put(runtime: Runtime, caller: Principal, id_: str, body: DataExportBody) -> tuple[ExportJob, bool]:
    """The export of that id as the body says, and whether it is new. Raises Conflict for one that has begun."""
    try:
        known = find_external_export(runtime, caller, NAME, id_)
    except NotFound:
        try:
            return submit(runtime, caller, body, id_), True
        except Conflict:  # somebody queued one of that id in this moment
            known = find_external_export(runtime, caller, NAME, id_)
    wish, how = body.to_request(runtime, caller), body.to_submission(id_, runtime.now())
    return change_export(runtime, caller, known.id, wish, how), False


def find(runtime: Runtime, caller: Principal, id_: str) -> ExportJob:
    """The export of that id. Raises NotFound."""
    if not ID.fullmatch(id_):
        raise NotFound("There is no such export.", hint="An id has 1 to 50 letters, digits or @ ~ - . _.")
    return find_external_export(runtime, caller, NAME, id_)


def show_new(request: Request, response: Response, caller: Principal, job: ExportJob, expand: str) -> DataExport:
    """An export that was queued just now, and where it is."""
    response.status_code = 201
    response.headers["Location"] = places_of(request).export(job)
    return answer_with(request, caller, job, expand)


def answer_with(request: Request, caller: Principal, job: ExportJob, expand: str) -> DataExport:
    """The export as it is shown, with what `expand` asks for."""
    asked = [word.strip() for word in expand.split(",")]
    return export_answer(site_of(request).runtime, caller, job, places_of(request), asked)


def places_of(request: Request) -> Places:
    """Where things are, at the prefix that was asked."""
    prefix = re.split("/(?:data-exports|users|files)(?:/|$)", request.scope["route"].path, maxsplit=1)[0]
    return Places(absolute_url(request, ""), prefix, request.path_params.get("org"))


def paginate(response: Response, total: int, limit: int, offset: int) -> None:
    """Say which part of how much it is."""
    for name, value in (("Total", total), ("Limit", limit), ("Offset", offset)):
        response.headers[f"Pagination-{name}"] = str(value)


def get_user(request: Request, id: str, caller: Caller) -> UserAnswer:
    """Whoever asked for an export that there is still, or asks now."""
    runtime = site_of(request).runtime
    theirs = Condition("principal", Operator.EQ, (id.replace("\0", ""),))
    if id != caller.id and not list_external_exports(runtime, caller, NAME, where=theirs, limit=1)[1]:
        raise NotFound("There is no such user.", hint="An export names its user.")
    return UserAnswer.model_validate(user_json(id, places_of(request)))


def get_file(request: Request, id: str, caller: Caller) -> FileAnswer:
    """A finished file."""
    runtime = site_of(request).runtime
    job, file = find_artifact(runtime, caller, find_file_job(runtime, caller, id).id)
    return FileAnswer.model_validate(file_json(runtime, caller, job, file, places_of(request)))


def find_download(
    request: Request,
    id: str,
    expires: Annotated[str, Query(description="Of a signed link.")] = "",
    maker: Annotated[str, Query(description="Of a signed link.")] = "",
    key: Annotated[str, Query(description="Of a signed link.")] = "",
    signature: Annotated[str | None, Query(description="Of a signed link; no key is needed with it.")] = None,
    _key: Annotated[object, Security(KEY)] = None,
    _jwt: Annotated[object, Security(JWT)] = None,
) -> Artifact:
    """The file, for whoever has a key or a signed link."""
    if signature is not None:
        return find_linked(request, Link(id, expires, maker, Signature(key, signature)))
    runtime, caller = site_of(request).runtime, admit(request)
    return find_artifact(runtime, caller, find_file_job(runtime, caller, id).id)[1]


async def download_file(request: Request, file: Annotated[Artifact, Depends(find_download)]) -> Response:
    """The bytes of a file, whole or in ranges."""
    return await send_artifact(request, file)


def find_file_job(runtime: Runtime, caller: Principal, id_: str) -> ExportJob:
    """The export whose file it is. Raises NotFound."""
    job = find_export(runtime, caller, id_)
    if job.dialect != NAME or job.artifact is None:
        raise NotFound("There is no such file.", hint="A completed export names its file.")
    return job


def exports_at(prefix: str) -> APIRouter:
    """The routes of exports below that prefix."""
    router = _router(f"{prefix}/data-exports", prefix)
    answered: dict[str, Any] = {"response_model_exclude_unset": True}
    listed = {200: {"headers": PAGINATION}, **USUAL, **refusals(422)}
    router.get("", responses=listed, **answered)(get_data_exports)
    router.get("/", include_in_schema=False, **answered)(get_data_exports)
    made = {201: {"headers": LOCATION}, **USUAL, **WRITING}
    router.post("", status_code=201, responses=made, **answered)(post_data_export)
    router.post("/", status_code=201, include_in_schema=False, **answered)(post_data_export)
    router.get("/{id}", responses={200: {"headers": PAGINATION}, **USUAL, **refusals(422)}, **answered)(get_data_export)
    put_made = {201: {"model": DataExport, "description": "Queued.", "headers": LOCATION}, **USUAL, **WRITING}
    router.put("/{id}", responses=put_made, **answered)(put_data_export)
    router.delete("/{id}", status_code=204, responses={**USUAL, **refusals(502)})(delete_data_export)
    return router


def users_at(prefix: str) -> APIRouter:
    """The routes of users below that prefix."""
    router = _router(f"{prefix}/users", prefix)
    router.get("/{id}", responses=USUAL)(get_user)
    return router


def files_at(prefix: str) -> APIRouter:
    """The routes of files below that prefix."""
    router = _router(f"{prefix}/files", prefix)
    gone = refusals(409, 410)
    router.get("/{id}", responses={**USUAL, **gone})(get_file)
    fetched = {
        **fetch_answers("application/octet-stream"),
        **USUAL,
        **gone,
        **refusals(412, 416, 422, 502),
    }
    router.get("/{id}/download", response_class=Response, responses=fetched, openapi_extra={"security": [{}]})(
        download_file
    )
    return router


def _router(path: str, prefix: str) -> APIRouter:
    # The PHP SDK sends JSON without saying so.
    return APIRouter(
        prefix=path,
        tags=[path.rpartition("/")[2]],
        include_in_schema=not prefix,  # the others are the same again
        generate_unique_id_function=lambda route: OPERATIONS[route.name],
        strict_content_type=False,
    )


ENTRYPOINT = Entrypoint(
    name=NAME,
    title="offtake: Rebilly data exports",
    description="Data exports and their files, as Rebilly's API has them. The same routes are below `/experimental`, "
    "`/organizations/{org}`, `/experimental/organizations/{org}` and `/organizations/{org}/experimental`.",
    routers=(
        *(exports_at(prefix) for prefix in PREFIXES),
        *(users_at(prefix) for prefix in PREFIXES),
        *(files_at(prefix) for prefix in FILE_PREFIXES),
    ),
    claims=re.compile("/(data-exports|users|files|experimental|organizations)(/|$)"),
    render=render,
    error_schema=ERROR_SCHEMA,
    actions={
        "get_data_exports": "export.list",
        "post_data_export": "export.submit",
        "get_data_export": "export.read",
        "put_data_export": "export.update",
        "delete_data_export": "export.delete",
        "get_user": "export.read",
        "get_file": "export.read",
        "download_file": "export.download",
    },
    tells=webhook_json,
)
