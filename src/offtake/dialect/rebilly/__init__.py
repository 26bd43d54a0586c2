"""Rebilly's data exports, as "Retrieve a data export request" of its reports API describes them (November 2025).

For what it leaves open: the published OpenAPI description and SDKs (github.com/Rebilly: api-definitions, rebilly-js-sdk
62, rebilly-php). The page's code sample is of an SDK of 2017 (`api.exports.get`), whose paths are not served.

Where they are silent:

- Exports and files are found at every prefix that a client was published with; without an organization it is the key's.
- `resource` is what a dataset's alias for `rebilly` says, or its own name. Ids that clients did not choose are UUIDs;
  `fileId` is the native id, and `userId` the id of the key or token that asked.
- A new export is `queued` at once, `pending` only while its time has not come. Until it is `processing` PUT can change
  it, later that is a 409. Cancelled ones are `failed`; `failureReason` is one of the two that are known.
- `detailed-csv` is csv with the members of objects, and the custom fields, as columns of their own.
- Relative dates are read in UTC. `dateRange: {"range": "all"}`, which old samples have, is no range. Without a `field`
  it is `createdTime`; where a resource has none, the field its dataset names.
- `recurring.start` is rounded down to the second. Instants that passed while nothing ran are not made up for.
- The list's `filter` and `sort` take any field of an export that has one value. `criteria` is another filter, in the
  mini-language or as the JSON of the native API; both must hold. `limit=0` means the default: the SDKs divide by it.
- A signed link lasts an hour. A file's `sha1` is not known; its SHA-256 is in `ETag` and `Repr-Digest`.
- Read-only fields and keys that nobody knows are ignored in bodies, an empty array stands for an empty object, and a
  body without a Content-Type is JSON: the PHP SDK sends all of these.
- Errors have `error` beside `detail`, which the SDKs look for first; every 422 has `invalidFields`.
"""

from offtake.dialect.rebilly.routes import ENTRYPOINT

__all__ = ["ENTRYPOINT"]
