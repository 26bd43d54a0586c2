"""Several words in one column, such as scopes: none of them holds a space (OAuth's scope-token, RFC 6749 §3.3)."""

from collections.abc import Iterable


def join_words(words: Iterable[str]) -> str:
    """The words in that order; `split_words` is the inverse."""
    return " ".join(words)


def split_words(text: str) -> tuple[str, ...]:
    """The words that were joined."""
    return tuple(text.split())
