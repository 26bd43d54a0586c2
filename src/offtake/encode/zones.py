"""IANA time zones as plain tables: when each offset begins, so that a binary search shows an instant in local time."""

import difflib
import importlib.resources
import io
import struct
import zoneinfo
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from offtake.errors import InvalidRequest

MICROSECONDS = 1_000_000
DAY_S = 86_400
# The Gregorian calendar repeats after 400 years, weekdays included, and so do the rules a zone ends with.
CYCLE_S = 146_097 * DAY_S
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_S = -62_135_596_800 + 2 * DAY_S  # just after year 1 begins, whatever the offset
END_S = 253_402_300_800  # 10000-01-01
INT64_MIN = -(2**63)


@dataclass(frozen=True)
class ZoneTable:
    """The zone's intervals from the beginning of time through year 9999, in microseconds.

    From `starts_us[i]` on, local time is UTC plus `offsets_us[i]`; `starts_us[0]` is the smallest int64. Offsets are to
    the second, as local mean time needs them.
    """

    name: str
    starts_us: "array[int]"
    offsets_us: "array[int]"

    def interval_at(self, instant_us: int) -> int:
        """The index of the interval the instant falls in."""
        return bisect_right(self.starts_us, instant_us) - 1

    def offset_at(self, instant_us: int) -> int:
        """What to add to the instant to get local time, in microseconds."""
        return self.offsets_us[self.interval_at(instant_us)]


@lru_cache(maxsize=32)
def zone_table(name: str | None) -> ZoneTable:
    """The table of an IANA zone (None = UTC), read once. Raises InvalidRequest for a name nobody knows.

    Source: the zone's TZif file (RFC 9636), found where the `zoneinfo` module finds it.
    """
    content = _zone_file(name or "UTC")
    zone = zoneinfo.ZoneInfo.from_file(io.BytesIO(content), key=name or "UTC")
    starts_s = _listed_transitions(content)
    if b"," in content.rstrip().rpartition(b"\n")[2]:  # the footer holds a rule, not just one offset
        starts_s += _ruled_transitions(zone, starts_s[-1] if starts_s else FIRST_S)
    offsets = [_offset_s(zone, FIRST_S), *(_offset_s(zone, start) for start in starts_s)]
    return ZoneTable(
        name or "UTC",
        array("q", [INT64_MIN, *(start * MICROSECONDS for start in starts_s)]),
        array("q", [offset * MICROSECONDS for offset in offsets]),
    )


def _zone_file(name: str) -> bytes:
    """The zone's TZif file: from the system, else from the package tzdata."""
    try:
        zoneinfo.ZoneInfo(name)  # it also refuses names that would lead out of the folders below
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        near = difflib.get_close_matches(name, zoneinfo.available_timezones(), n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "Use an IANA name such as America/Santiago or UTC."
        raise InvalidRequest(f"There is no time zone {name!r}.", hint=hint, pointer="/timezone") from error
    for folder in zoneinfo.TZPATH:
        path = Path(folder, name)
        if path.is_file():
            return path.read_bytes()
    return importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


def _listed_transitions(content: bytes) -> list[int]:
    """The transition times the file lists, in seconds, those before year 1 left out (RFC 9636 §3)."""
    header = struct.Struct(">4sc15x6l")
    _, version, *counts = header.unpack_from(content)
    at, size, code = header.size, 4, "l"
    if version >= b"2":  # the same again with 64-bit times follows
        is_ut, is_std, leaps, times, types, letters = counts
        at += times * 5 + types * 6 + letters + leaps * 8 + is_std + is_ut
        _, _, *counts = header.unpack_from(content, at)
        at, size, code = at + header.size, 8, "q"
    times = counts[3]
    listed = struct.unpack_from(f">{times}{code}", content, at)
    assert len(content) >= at + times * size
    return [time for time in listed if time >= FIRST_S]


def _ruled_transitions(zone: zoneinfo.ZoneInfo, last: int) -> list[int]:
    """The transitions after the last one listed, through year 9999, which follow the rule in the file's footer."""
    cycle = [start for start in _changes(zone, last, last + CYCLE_S) if start <= last + CYCLE_S]
    ruled = []
    for shift in range(0, END_S - last, CYCLE_S):
        ruled += [start + shift for start in cycle if start + shift < END_S]
    return ruled


def _changes(zone: zoneinfo.ZoneInfo, first: int, end: int) -> Iterator[int]:
    """Every second from `first` to about `end` at which the zone changes.

    No rule in use changes twice within 28 days: look that often, then halve.
    """
    step = 28 * DAY_S
    for before, after in pairwise(range(first, end + step, step)):
        wanted = _state(zone, after)
        if _state(zone, before) == wanted:
            continue
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (before, middle) if _state(zone, middle) == wanted else (middle, after)
        yield after


def _state(zone: zoneinfo.ZoneInfo, second: int) -> tuple[timedelta | None, timedelta | None]:
    local = (EPOCH + timedelta(seconds=second)).astimezone(zone)
    return local.utcoffset(), local.dst()


def _offset_s(zone: zoneinfo.ZoneInfo, second: int) -> int:
    offset = (EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())
