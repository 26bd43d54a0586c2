"""What callers write, read the same way at every entrypoint."""

import json

from offtake.errors import InvalidFilter
from offtake.model.filter import Filter
from offtake.query.filters import parse_filter
from offtake.query.minilang import parse_minilang
from offtake.query.nearest import did_you_mean

__all__ = ["did_you_mean", "parse_filter", "read_filter_text"]


def read_filter_text(text: str) -> Filter:
    """The unchecked tree of a filter in a query string: JSON if it starts like it, else the mini-language.

    Raises InvalidFilter.
    """
    if not text.lstrip().startswith("{"):
        return parse_minilang(text)
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidFilter("The filter starts like JSON and is none.", hint="Check its brackets and quotes.") from None
    return parse_filter(body)
