"""What is counted before the first row: whether a read is larger than the dataset lets out, and how large it is."""

from collections.abc import Callable

from offtake.errors import RowLimitExceeded
from offtake.model.export import Plan


def check_row_limit(plan: Plan, count: Callable[[int | None], int]) -> int | None:
    """Raise RowLimitExceeded if the plan gives more rows than its `row_limit`; else their number, if it is `counted`.

    `count(at_most)` counts the plan's rows, its `limit` aside, in the very snapshot that will be read. Counting stops
    one row past the limit; only a refusal and a counted plan pay for the exact number.
    """
    allowed = plan.row_limit
    is_free = not allowed or (plan.limit is not None and plan.limit <= allowed)
    if plan.counted:
        matched = count(None)
        if is_free or matched <= allowed:
            return matched if plan.limit is None else min(matched, plan.limit)
    elif is_free or count(allowed + 1) <= allowed:
        return None
    else:
        matched = count(None)
    raise RowLimitExceeded(
        f"{matched:,} rows match, and at most {allowed:,} may be exported from {plan.dataset.name} at once.",
        hint="Narrow the filter or the date range, or ask for fewer rows with a limit.",
        extra={"matched": matched, "allowed": allowed},
    )
