"""Optimaite's Export API, as its page "Data Export" of 27 May 2026 had it, with the credentials, the error envelope and
the rate-limit headers of the product's other developer pages.

A configuration is a native definition with, if it says so, a native schedule: it also runs, pages and is shared
natively. Choices where the page is silent:

- Creating answers 201, a token too; PUT replaces and answers 200; DELETE answers 204. Keys that a body does not know,
  read-only ones above all, are ignored. Without a `format` it is `json`.
- An id is `exp_` and the native id in Crockford's base 32, or what the configuration was given for an id.
- The list is `{data, meta: {total}}`, the newest first, whole unless `page` or `limit` ask for a part.
- A source is a dataset by its alias for `optimaite`, else by its own name. A filter key is a field's name, or it with
  `_id` or `_name` behind: `case` looks into `case_id` and `case_name`. Text matches whole, in any case; a list is
  any of; null counts as absent. `date_from` and `date_to` are inclusive and mean the dataset's date field, as `date`
  does for one day. They may be words, such as `first day of last month`. Dates are in UTC.
- Executed JSON has `meta` first: its rows are counted in the snapshot that they are then read from, so that nothing
  must be held back. What is found to differ at the end cuts the connection. A configuration that was natively told to
  expand an array, or to come in parts, cannot be counted so: its `meta` comes last.
- A preview has at most ten rows and counts those. It is JSON, and its numbers are doubles.
- A token that nobody gave out for that configuration is 401 `TOKEN_INVALID`; one that is over is 410 `TOKEN_EXPIRED`,
  also if it was taken back, its configuration was deleted or its maker lost the right. Masked fields stay masked.
- `schedule` takes `{rrule, timezone, start}`; the zone is UTC and the start this minute unless they are given. A start
  is local to the zone, or an instant with its offset.
- What was natively changed shows: filters that an Optimaite client did not write are shown as `{"native": …}`, a
  schedule that was natively deleted is null.
"""

from offtake.dialect.optimaite.routes import ENTRYPOINT

__all__ = ["ENTRYPOINT"]
