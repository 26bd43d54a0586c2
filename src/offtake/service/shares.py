"""Shares as people use them: make, list, revoke, and open for whoever holds the token."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from offtake.appdb import definitions as definition_table
from offtake.appdb import jobs as job_table
from offtake.appdb import shares as table
from offtake.errors import (
    Cancelled,
    Conflict,
    Expired,
    Forbidden,
    InvalidRequest,
    NotFound,
    OfftakeError,
    Revoked,
)
from offtake.model.access import Principal, Scope, require
from offtake.model.ids import is_id, new_id
from offtake.model.job import Artifact, ExportJob
from offtake.model.ports import Stop
from offtake.model.saved import Definition
from offtake.model.share import Share, ShareState
from offtake.service.access import check_giver, hash_secret, is_well_formed, new_secret
from offtake.service.datasets import plan_request
from offtake.service.definitions import find_definition, note_execution, runnable_request
from offtake.service.downloads import Download, Envelope, open_download
from offtake.service.exports import artifact_of, find_artifact, find_export
from offtake.service.runtime import Runtime
from offtake.service.trail import current_trail

MARK = "ofs_"
SHOWN_CHARS = 6  # after the mark
LONGEST_S = 366 * 24 * 3600
MOST_DOWNLOADS = 1_000_000


@dataclass(frozen=True)
class Shared:
    """What a token opens: a definition to run as `principal`, or an export with its finished file."""

    share: Share
    principal: Principal
    definition: Definition | None = None
    job: ExportJob | None = None
    artifact: Artifact | None = None


def create_share(
    runtime: Runtime,
    principal: Principal,
    *,
    definition_id: str | None = None,
    job_id: str | None = None,
    expires_in_s: int | None = None,
    max_downloads: int | None = None,
    prefix: str = MARK,
) -> tuple[Share, str]:
    """A share of the one or the other, and its token, which is shown this once. It ends no later than its file.

    Raises what running the definition or fetching the file raises, InvalidRequest, and Forbidden for what cannot be had
    without fields that shares show masked.
    """
    require(principal, Scope.REPORTS_WRITE)
    _check_bound("expires_in_s", expires_in_s, LONGEST_S)
    _check_bound("max_downloads", max_downloads, MOST_DOWNLOADS)
    now = runtime.now()
    ends = None if expires_in_s is None else now + timedelta(seconds=expires_in_s)
    if definition_id is not None:
        tenant = _check_definition(runtime, principal, definition_id)
    else:
        job = _check_file(runtime, principal, job_id or "")
        tenant, ends = job.tenant, min((end for end in (ends, job.expires_at) if end is not None), default=None)
    token = new_secret(prefix)
    share = Share(
        id=new_id(),
        tenant=tenant,
        owner=principal,
        prefix=token[: len(prefix) + SHOWN_CHARS],
        created_at=now,
        definition_id=definition_id,
        job_id=job_id,
        max_downloads=max_downloads,
        expires_at=ends,
    )
    current_trail().thing = share.id
    table.insert_share(runtime.appdb, share, hash_secret(token))
    return share, token


def list_shares(
    runtime: Runtime,
    principal: Principal,
    *,
    definition_id: str | None = None,
    job_id: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> tuple[Share, ...]:
    """The tenant's shares, or those of one thing, ended ones too: the newest first, from the one after `before` on.

    Raises InsufficientScope, and NotFound if there is no such thing.
    """
    require(principal, Scope.REPORTS_READ)
    if definition_id is not None:
        find_definition(runtime, principal, definition_id)
    if job_id is not None:
        find_export(runtime, principal, job_id)
    return table.list_shares(
        runtime.appdb, principal.tenant, definition_id=definition_id, job_id=job_id, before=before, limit=limit
    )


def revoke_share(runtime: Runtime, principal: Principal, share_id: str) -> None:
    """End a share at once; ending it twice is no error. Raises NotFound, InsufficientScope."""
    require(principal, Scope.REPORTS_WRITE)
    share = table.find_share(runtime.appdb, share_id) if is_id(share_id) else None
    if share is None or principal.tenant not in (None, share.tenant):
        raise NotFound("There is no such share.", hint="List the shares to see their ids.")
    table.revoke_share(runtime.appdb, share.id, runtime.now())


def is_share_token(text: str, *marks: str) -> bool:
    """Whether it could be a share's token, with one of those marks."""
    return any(is_well_formed(text, mark) for mark in marks)


def open_share(runtime: Runtime, token: str, *, prefix: str = MARK) -> Shared:
    """What the token opens. One that is used up opens too, for downloads to be resumed: see `check_unused`.

    Raises NotFound for a token that nobody gave out with that prefix, Expired once the share or its file had its time,
    and Revoked after it was taken back, what it shared was deleted, or its owner lost the right to it.
    """
    share = table.find_share_by_hash(runtime.appdb, hash_secret(token)) if is_share_token(token, prefix) else None
    if share is None or share.tenant not in runtime.tenants:
        raise NotFound("There is no such share.", hint="Look whether the whole address was copied.")
    trail = current_trail()
    trail.tenant, trail.principal, trail.thing = share.tenant, f"share:{share.id}", share.id
    _check_on(share, runtime.now())
    return _open_definition(runtime, share) if share.definition_id is not None else _open_file(runtime, share)


def check_unused(runtime: Runtime, share: Share) -> None:
    """Raise Expired if the share was used as often as it may be."""
    if share.state_at(runtime.now()) is ShareState.USED_UP:
        raise _used_up()


def use_share(runtime: Runtime, shared: Shared) -> None:
    """Count a use before its first byte is sent. Raises Expired, Revoked; `give_back_use` takes it back."""
    share, now = shared.share, runtime.now()
    if not table.use_share(runtime.appdb, share, now):
        _check_on(table.find_share(runtime.appdb, share.id) or share, now)
        raise _used_up()


def give_back_use(runtime: Runtime, shared: Shared) -> None:
    """Take back a use whose download failed before its first byte."""
    table.give_back_use(runtime.appdb, shared.share.id)


def download_shared(
    runtime: Runtime,
    shared: Shared,
    *,
    stop: Stop,
    on_rows: Callable[[int], None] | None = None,
    envelope: Envelope | None = None,
) -> Download:
    """The file of a shared definition, streamed now, within the limits of any download; `envelope` as there.

    Raises what `open_download` raises with its first chunk. What no longer fits the dataset is Conflict: whoever holds
    a token learns nothing of the fields.
    """
    assert shared.definition is not None
    try:
        request = runnable_request(shared.definition)
        download = open_download(runtime, shared.principal, request, stop=stop, on_rows=on_rows, envelope=envelope)
    except OfftakeError as error:
        if error.retryable or isinstance(error, Cancelled):
            raise
        raise Conflict("What was shared cannot be exported any more.", hint="Tell whoever shared it.") from error
    return replace(download, chunks=note_execution(runtime, shared.definition.id, download.chunks))


def _check_bound(name: str, value: int | None, most: int) -> None:
    if value is not None and not 1 <= value <= most:
        raise InvalidRequest(f"{name} is 1 to {most}.", hint="Leave it out for no bound.", pointer=f"/{name}")


def _check_definition(runtime: Runtime, principal: Principal, definition_id: str) -> str:
    """The tenant of the definition, if a share of it would run."""
    definition = find_definition(runtime, principal, definition_id)
    request = runnable_request(definition)
    plan_request(runtime, principal, request)
    scopes = runtime.datasets[request.dataset].scopes
    try:
        plan_request(runtime, _share_principal(runtime, "share", definition.tenant, scopes), request)
    except OfftakeError as error:
        if error.retryable:
            raise
        # It runs for its maker, so only the masks can be in the way.
        raise Forbidden(
            "This definition works with fields that shares show masked.",
            hint="Leave them out of its fields, filter, sort and groups.",
        ) from error
    return definition.tenant


def _check_file(runtime: Runtime, principal: Principal, job_id: str) -> ExportJob:
    """The export, if a share may show its file."""
    job, _ = find_artifact(runtime, principal, job_id)
    dataset = runtime.datasets.get(job.request.dataset)
    known = dataset.scopes if dataset else frozenset()
    masks = {field.unless_scope for field in dataset.fields if field.mask} if dataset else set()
    # What it needs beyond its dataset's scopes lifted a mask, and so may one of those.
    if (job.needs - known) | (job.needs & masks):
        raise Forbidden(
            "This file shows fields that shares show masked.", hint="Share its definition, or a file without them."
        )
    return job


def _open_definition(runtime: Runtime, share: Share) -> Shared:
    definition = definition_table.find_definition(runtime.appdb, share.definition_id or "")
    if definition is None:
        raise Revoked("What was shared was deleted.", hint="Ask whoever shared it for something else.")
    dataset = runtime.datasets.get(definition.request.dataset)
    scopes = dataset.scopes if dataset else frozenset()
    check_giver(runtime, share.owner, scopes)
    return Shared(share, _principal_of(runtime, share, scopes), definition=definition)


def _open_file(runtime: Runtime, share: Share) -> Shared:
    job = job_table.find_job(runtime.appdb, share.job_id or "")
    if job is None:
        raise Revoked("What was shared was deleted.", hint="Ask whoever shared it for something else.")
    current_trail().dataset = job.request.dataset
    artifact = artifact_of(runtime, job)
    check_giver(runtime, share.owner, job.needs)
    return Shared(share, _principal_of(runtime, share, frozenset()), job=job, artifact=artifact)


def _check_on(share: Share, now: datetime) -> None:
    match share.state_at(now):
        case ShareState.REVOKED:
            raise Revoked("This share was taken back.", hint="Ask whoever shared it for a new one.")
        case ShareState.EXPIRED:
            raise Expired("This share had its time.", hint="Ask whoever shared it for a new one.")


def _used_up() -> Expired:
    return Expired("This share was used as often as it may be.", hint="Ask whoever shared it for a new one.")


def _principal_of(runtime: Runtime, share: Share, scopes: Collection[str]) -> Principal:
    return _share_principal(runtime, f"share:{share.id}", share.tenant, scopes)


def _share_principal(runtime: Runtime, id_: str, tenant: str, scopes: Collection[str]) -> Principal:
    """Whoever holds the token: it reads what was shared, and sees every mask."""
    every = frozenset({Scope.REPORTS_READ, *scopes})
    return Principal(id_, tenant, every, tenant_uuid=runtime.tenants[tenant].uuid, always_masked=True)
