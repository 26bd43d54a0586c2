"""Byte ranges (RFC 9110 §14): which parts of a file a Range header asks for."""

import re
from collections.abc import Iterable

MOST = 50  # each part of an answer is one more read of the store
SPEC = re.compile(r"([0-9]{1,100})-([0-9]{0,100})|-([0-9]{1,100})")


def parse_ranges(header: str, size: int) -> tuple[range, ...] | None:
    """The spans asked for, in the order of asking, those that overlap or touch made one.

    None means the whole file: the header is not a good one, asks for more than `MOST` spans, or the file is empty.
    Nothing in the tuple means that the file has none of what was asked for.
    """
    unit, _, text = header.partition("=")
    if unit.lower() != "bytes" or not size:
        return None
    # Empty elements of a list count for nothing (RFC 9110 §5.6.1.2).
    specs = [spec for spec in (each.strip(" \t") for each in text.split(",")) if spec]
    if not 0 < len(specs) <= MOST:
        return None
    spans = [_span(spec, size) for spec in specs]
    good = [span for span in spans if span is not None]
    return _join(span for span in good if span) if len(good) == len(spans) else None


def _span(spec: str, size: int) -> range | None:
    """The bytes of the file that one range means; empty if it has none of them, None if the range is not a good one."""
    found = SPEC.fullmatch(spec)
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix:
        return range(max(0, size - int(suffix)), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size)


def _join(spans: Iterable[range]) -> tuple[range, ...]:
    """Each where the first of those it was made of stood (RFC 9110 §15.3.7.2)."""
    joined: list[range] = []
    for span in spans:
        near = [each for each in joined if each.start <= span.stop and span.start <= each.stop]
        place = joined.index(near[0]) if near else len(joined)
        joined = [each for each in joined if each not in near]
        near.append(span)
        joined.insert(place, range(min(each.start for each in near), max(each.stop for each in near)))
    return tuple(joined)
