"""Signed links: one finished file, until an instant, for whoever holds the link."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from offtake.appdb import jobs as table
from offtake.errors import Conflict, Expired, Forbidden, InsufficientScope, InvalidRequest, NotReady
from offtake.model.access import Principal, Scope
from offtake.model.ids import is_id
from offtake.model.job import Artifact, ExportJob
from offtake.service.access import check_giver
from offtake.service.exports import artifact_of, find_artifact, require_needs
from offtake.service.runtime import Runtime
from offtake.service.signing import Signature, is_signed, sign, signing_secret
from offtake.service.trail import current_trail

LONGEST_S = 366 * 24 * 3600


@dataclass(frozen=True)
class Link:
    """What a link says, and the signature under it. `expires` is in seconds since 1970, as the link has it.

    `maker` is the id of the principal who made it.
    """

    job_id: str
    expires: str
    maker: str
    signature: Signature

    @property
    def query(self) -> str:
        """What follows the `?` of its address."""
        return urlencode(
            {
                "expires": self.expires,
                "maker": self.maker,
                "key": self.signature.key,
                "signature": self.signature.value,
            }
        )

    @property
    def path(self) -> str:
        """Where it leads, below the address of the service."""
        return f"/api/v1/exports/{self.job_id}/download?{self.query}"

    @property
    def expires_at(self) -> datetime:
        """When it ends."""
        return datetime.fromtimestamp(int(self.expires), UTC)


def make_link(runtime: Runtime, principal: Principal, job_id: str, expires_in_s: int) -> Link:
    """A link to the export's file, which ends no later than the file, or the secret that signs it.

    Raises what `find_artifact` raises, and InvalidRequest for a time of no or too many seconds.
    """
    if not 1 <= expires_in_s <= LONGEST_S:
        raise InvalidRequest(
            f"A link lasts 1 to {LONGEST_S} seconds.", hint="Choose a time within a year.", pointer="/expires_in_s"
        )
    job, _ = find_artifact(runtime, principal, job_id)
    return link_to(runtime, principal, job, expires_in_s)


def offered_file(runtime: Runtime, principal: Principal, job: ExportJob) -> Artifact | None:
    """The job's file; None if there is none, or none any more, or the principal may not read what is in it."""
    try:
        require_needs(principal, job)
        return artifact_of(runtime, job)
    except (InsufficientScope, NotReady, Conflict, Expired):
        return None


def link_to(runtime: Runtime, principal: Principal, job: ExportJob, expires_in_s: int) -> Link:
    """A link to the file of a job that has one, for somebody who may read it, as `make_link` makes it."""
    secret = signing_secret(runtime)
    asked = runtime.now() + timedelta(seconds=expires_in_s)
    ends = min(end for end in (asked, job.expires_at, secret.not_after) if end is not None)
    # Links carry whole seconds: rounded down, a link of one second might be over before it is sent.
    expires = str(math.ceil(ends.timestamp()))
    maker = principal.id
    return Link(job.id, expires, maker, sign(secret, "link", job.id, job.tenant, expires, maker, secret.id))


def open_link(runtime: Runtime, link: Link) -> Artifact:
    """The file that a link leads to.

    Raises Forbidden unless we signed exactly this, whether there is such an export or not; then Expired once it is
    over, or its file was; Revoked if whoever made it may not read the file any more.
    """
    job = table.find_job(runtime.appdb, link.job_id) if is_id(link.job_id) else None
    tenant = "" if job is None else job.tenant
    said = (link.job_id, tenant, link.expires, link.maker, link.signature.key)
    ours = is_signed(runtime, link.signature, "link", *said)
    if job is None or not ours:
        raise Forbidden("This link is not one of ours, or was changed.", hint="Ask for a new link.")
    trail = current_trail()
    trail.tenant, trail.dataset, trail.principal = job.tenant, job.request.dataset, "link"
    if link.expires_at <= runtime.now():
        raise Expired("This link had its time.", hint="Ask for a new link.")
    # It could read the file then: that holds for whoever is no key, and has no other rights today.
    check_giver(runtime, Principal(link.maker, job.tenant, job.needs | {Scope.REPORTS_READ}), job.needs)
    return artifact_of(runtime, job)
