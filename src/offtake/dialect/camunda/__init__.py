"""Camunda Optimize's public API for reports, as of version 3.7 (for Camunda Platform 7).

References: docs.camunda.io/optimize/3.7.0 (Export report result data, Get report IDs, Delete reports, Export report
definitions) and, for what these pages leave open, the product's published source of that version.

Where the page and the product differ, the page holds: `limit` and `paginationTimeout` are required, and what is wrong
with a request is 400, also a searchRequestId that was never issued (there 500). Choices where both are silent:

- A report is a definition. It is found by its id or by the one it has for Camunda's clients (`external_id`); answers
  name its id.
- A searchRequestId stands for one page: it can be asked for again, and the next page has the next. Pages come from one
  snapshot of the rows, so `duration` of a running instance is the time until the rows were read.
- `paginationTimeout` is at most a day, as long as Elasticsearch keeps a context. The largest `limit` is 10,000.
- A group without a value has the key `missing`, as the product calls it; keys of dates are instants in its style.
- A number that is none (the largest name, the first date) cannot be a double: the report cannot be evaluated.
- The collection is the tenant, by uuid or name. Another one is a 404: an empty list would hide a wrong id.
- A definition's `data` is the request as the native API writes it; the product's describes charts that are not here.
- A key that may not read reports gets 403 `forbiddenError`, one that asks too much 429; every failure of ours is 500.
"""

from offtake.dialect.camunda.routes import ENTRYPOINT

__all__ = ["ENTRYPOINT"]
