"""Exelensia's Exports API, as its documentation (https://exelensia.com/docs, Exports) had it in 2024.

Where the page is silent:

- One export may be asked for by its id.
- The schema is looked for in every dataset that has `schemas` and that the key may read. `result_id` is the key of that
  dataset, `created_at` its `date_field`, `file_id` the field of that name, and only rows whose `status` is SUCCESS are
  exported. A field that is not there is left out.
- The rows are in the order in which they were created. A bare date is a day in UTC, the last one included;
  any other end includes its whole millisecond, so that ranges that follow each other leave nothing out.
- `sort_by` takes id, status, createdAt and updatedAt. `search` looks into id, schema id, name of the schema and status.
- Keys a body or query does not know are refused: a typo must not export something else.
- The download URL ends after 15 minutes with a 410; one that was changed is a 403.
- Errors are shaped as NestJS shapes them. Invalid input of any kind is a 400.
"""

from offtake.dialect.exelensia.routes import ENTRYPOINT

__all__ = ["ENTRYPOINT"]
