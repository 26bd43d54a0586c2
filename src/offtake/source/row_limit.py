"""Refusing a read that is larger than the dataset lets out, before its first row."""

from collections.abc import Callable

from offtake.errors import RowLimitExceeded
from offtake.model.export import Plan


def check_row_limit(plan: Plan, count: Callable[[int | None], int]) -> None:
    """Raise RowLimitExceeded if the plan gives more rows than its `row_limit`.

    `count(at_most)` counts the plan's rows, its `limit` aside, in the very snapshot that will be read. Counting stops
    one row past the limit; only a refusal pays for the exact number.
    """
    allowed = plan.row_limit
    if not allowed or (plan.limit is not None and plan.limit <= allowed) or count(allowed + 1) <= allowed:
        return
    matched = count(None)
    raise RowLimitExceeded(
        f"{matched:,} rows match, and at most {allowed:,} may be exported from {plan.dataset.name} at once.",
        hint="Narrow the filter or the date range, or ask for fewer rows with a limit.",
        extra={"matched": matched, "allowed": allowed},
    )
