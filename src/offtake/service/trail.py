"""Who does what: noted where it is known, for the audit to write down once the request has ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from offtake.model.export import Plan
from offtake.query.shown import filter_text


@dataclass
class Trail:
    """What the audit will say of a request, filled in by whoever knows; None = nobody did.

    An empty `action` is named by the request's route. `rows` are those that were sent.
    """

    action: str = ""
    tenant: str | None = None
    principal: str | None = None
    dataset: str | None = None
    thing: str | None = None
    filter: str | None = None
    detail: str | None = None
    rows: int | None = None

    def count_rows(self, rows: int) -> None:
        """So many more were sent."""
        self.rows = (self.rows or 0) + rows

    def note_plan(self, plan: Plan) -> None:
        """What is read, and by which filter: relative dates are instants by then."""
        self.dataset, self.filter = plan.dataset.name, filter_text(plan.where) or None


# Like a span of tracing it goes along with the request, through threads too: nothing between needs to pass it on.
_TRAIL: ContextVar[Trail | None] = ContextVar("trail", default=None)


@contextmanager
def following() -> Iterator[Trail]:
    """A trail for everything that is done in the block."""
    trail = Trail()
    token = _TRAIL.set(trail)
    try:
        yield trail
    finally:
        _TRAIL.reset(token)


def current_trail() -> Trail:
    """The trail of the request that is worked on; where there is none, one that nobody reads."""
    return _TRAIL.get() or Trail()
