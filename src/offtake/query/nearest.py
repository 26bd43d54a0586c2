"""The way out of a misspelt name: the nearest known one, or the list of them."""

from collections.abc import Iterable
from difflib import get_close_matches

_LISTED = 30


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like this one, case aside, or None if none is near."""
    by_fold = {each.lower(): each for each in known}
    near = get_close_matches(name[:200].lower(), by_fold, n=1)
    return by_fold[near[0]] if near else None


def did_you_mean(name: str, known: Iterable[str], title: str) -> str:
    """A hint: `Did you mean x? Fields: x, y, z.`; long lists are cut, and say so."""
    names = list(known)
    near = nearest(name, names)
    guess = f"Did you mean {near}? " if near else ""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{guess}{title}: {', '.join(names[:_LISTED]) or 'none'}{more}."
