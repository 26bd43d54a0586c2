"""Where everything stands on a page: column widths, lines of a cell, and the content streams that draw them.

Units are points (1/72 inch), origin at the bottom left (ISO 32000-1 §8.3). A page's content is made of lines of text in
absolute positions; what repeats on every page (the header row) is drawn by reference.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import NamedTuple

from offtake.encode.pdf.embed import simple_widths
from offtake.encode.pdf.fonts import MISSING, Face, Run, face, shape, width_of
from offtake.errors import InvalidFormat

PAPER = {"a4": (595.28, 841.89), "a3": (841.89, 1190.55), "letter": (612.0, 792.0), "legal": (612.0, 1008.0)}
MARGIN, FOOT = 36.0, 24.0
PADDING = 3.0
SIZE, LEADING = 8.0, 1.3
SMALLEST = 5.0
LEAST = 20.0  # points a column of text needs for a word or two
NARROWEST = 12.0  # points for two of the smallest digits, padding included
ROOMIER = 1.25  # spare room goes to the columns: later rows may be longer than the first
SIMPLE = "NotoSans"
DESCENT = 0.25


@dataclass(frozen=True)
class Sheet:
    """The page and its columns. `widths` include the padding on both sides; `right` marks columns of numbers."""

    width: float
    height: float
    size: float
    widths: tuple[float, ...]
    right: tuple[bool, ...]

    @property
    def leading(self) -> float:
        """From one line to the next."""
        return self.size * LEADING

    @cached_property
    def lefts(self) -> tuple[float, ...]:
        """Where the text of every column begins."""
        return tuple(MARGIN + PADDING + sum(self.widths[:index]) for index in range(len(self.widths)))

    @cached_property
    def rights(self) -> tuple[float, ...]:
        """Where the text of every column ends, for columns of numbers; 0 for all others."""
        ends = (left + width - 2 * PADDING for left, width in zip(self.lefts, self.widths, strict=True))
        return tuple(end if right else 0.0 for end, right in zip(ends, self.right, strict=True))


class Line(NamedTuple):
    """One line of one cell, ready to draw: bytes of cp1252 in the simple font, or shaped runs.

    A tuple, since millions are made: a frozen dataclass takes four times as long.
    """

    simple: bytes
    runs: tuple[Run, ...]
    width: float  # thousandths of the font size


@dataclass
class Ink:
    """Which glyphs the document has used so far: what the fonts at its end must hold.

    A glyph that stands for two texts (a vowel sign drawn before different consonants) gets two numbers, so that every
    number says exactly one text; CFF fonts have no such indirection, and their scripts do not need it.
    """

    used: dict[Face, dict[tuple[int, str], int]] = field(default_factory=dict)
    names: dict[Face, bytes] = field(default_factory=dict)

    def name(self, found: Face) -> bytes:
        """The face's name in content streams."""
        return self.names.setdefault(found, b"/G%d" % len(self.names))

    def numbers(self, run: Run) -> list[int]:
        """The number of each of the run's glyphs in the document's font (CID)."""
        used = self.used.setdefault(run.face, {})
        if run.face.is_cff:
            return [used.setdefault((glyph.gid, glyph.text), glyph.gid) for glyph in run.glyphs]
        return [used.setdefault((glyph.gid, glyph.text), len(used) + 1) for glyph in run.glyphs]


@cache
def byte_widths() -> tuple[int, ...]:
    """The simple font's widths by byte."""
    return tuple(simple_widths(face(SIMPLE)))


def line_of(text: str) -> Line:
    """The text as one line; control characters show as a box."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c in "\u200c\u200d" else _visible(c) for c in text)
    try:
        simple = text.encode("latin-1")  # printable Latin-1 is the same in cp1252, and ten times as fast
    except UnicodeEncodeError:
        try:
            simple = text.encode("cp1252")
        except UnicodeEncodeError:
            runs = shape(text)
            return Line(b"", runs, width_of(runs))
    return Line(simple, (), sum(map(byte_widths().__getitem__, simple)))


def _visible(character: str) -> str:
    """A space for every kind of space, nothing for marks of direction, a box for what has no shape."""
    if character.isspace():
        return " "
    return "" if character in "\u200e\u200f\u061c\u2066\u2067\u2068\u2069\ufeff" else MISSING


def lines_of(text: str, room: float) -> tuple[Line, ...]:
    """The text in lines no wider than `room` (thousandths): at line ends, then at spaces, then anywhere."""
    whole = line_of(text) if text.isprintable() else None
    if whole and whole.width <= room:
        return (whole,)
    lines = [line for paragraph in text.splitlines() or [""] for line in _wrap(paragraph, room)]
    return tuple(lines)


def _wrap(text: str, room: float) -> list[Line]:
    line = line_of(text)
    if line.width <= room or len(text) < 2:
        return [line]
    lines = []
    while text:
        end = _fitting(text, room)
        if end < len(text):
            space = text.rfind(" ", 1, end + 1)
            end = space if space > 0 else end
        lines.append(line_of(text[:end].rstrip(" ")))
        text = text[end:].lstrip(" ")
    return lines


def _fitting(text: str, room: float) -> int:
    """How many characters fit, at least one: an estimate by the average, corrected by halves."""
    low, high = 1, len(text)
    high = min(high, max(2, int(room / 150)))  # no glyph in use is narrower than 0.15 of the size
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if line_of(text[:middle]).width <= room else (low, middle - 1)
    return low


class Need(NamedTuple):
    """What a column asks for: widths in thousandths of the size, without padding."""

    natural: float  # so that nothing wraps
    least: float  # so that no word of its header is broken
    is_number: bool
    is_rigid: bool  # nobody can read a date or a number in pieces


def lay_out(needs: Sequence[Need], paper: str, orientation: str) -> Sheet:
    """The sheet for these columns.

    Portrait if all fits; else landscape; else smaller letters, down to 5 points, and narrower columns that wrap: those
    of text first. Raises InvalidFormat if there are more columns than anybody could read.
    """
    short, long = PAPER[paper]
    pages = {"portrait": [(short, long)], "landscape": [(long, short)], "auto": [(short, long), (long, short)]}[
        orientation
    ]
    extra, right = 2 * PADDING, tuple(need.is_number for need in needs)
    _check_columns(len(needs), pages[-1][0], paper)
    for width, height in pages:
        wanted = [need.natural * SIZE / 1000 + extra for need in needs]
        if sum(wanted) <= width - 2 * MARGIN:
            roomier = min(ROOMIER, (width - 2 * MARGIN) / sum(wanted))
            return Sheet(width, height, SIZE, tuple(w * roomier for w in wanted), right)
    width, height = pages[-1]
    room = width - 2 * MARGIN
    at_size_1 = sum(min(need.natural, 30_000) for need in needs) / 1000
    size = max(SMALLEST, min(SIZE, (room - extra * len(needs)) / max(at_size_1, 1)))
    return Sheet(width, height, size, tuple(_share(needs, size, room)), right)


def _check_columns(count: int, width: float, paper: str) -> None:
    most = int((width - 2 * MARGIN) / NARROWEST)
    if count > most:
        raise InvalidFormat(
            f"A page of {paper} has room for {most} columns at most, and this file has {count}.",
            hint="Ask for fewer fields, for larger paper, or for xlsx.",
        )


def _share(needs: Sequence[Need], size: float, room: float) -> list[float]:
    """Rigid columns get what they want if that leaves the others enough; the others share what is left."""
    wanted = [need.natural * size / 1000 + 2 * PADDING for need in needs]
    fixed = sum(width for width, need in zip(wanted, needs, strict=True) if need.is_rigid)
    others = sum(not need.is_rigid for need in needs)
    if others and fixed <= room - others * LEAST:
        least = [w if need.is_rigid else LEAST for w, need in zip(wanted, needs, strict=True)]
    else:
        least = [0.0] * len(needs)
    words = [need.least * size / 1000 + 2 * PADDING for need in needs]
    wordy = [min(w, max(few, word)) for w, few, word in zip(wanted, least, words, strict=True)]
    return _level(wanted, wordy if sum(wordy) <= room else least, room)


def _level(wanted: Sequence[float], least: Sequence[float], room: float) -> list[float]:
    """What each wants, but at most some level, the same for all; nobody gets less than its least."""
    low, high = 0.0, room
    for _ in range(40):
        level = (low + high) / 2
        total = sum(max(few, min(want, level)) for want, few in zip(wanted, least, strict=True))
        low, high = (low, level) if total > room else (level, high)
    return [max(few, min(want, low)) for want, few in zip(wanted, least, strict=True)]


def draw_line(line: Line, x: float, y: float, size: float, ink: Ink) -> bytes:
    """The operators that show the line with its baseline's start at x, y.

    To stand between BT and ET, the simple font chosen; it is again afterwards.
    """
    if not line.runs:
        return b"1 0 0 1 %.2f %.2f Tm(%s)Tj\n" % (x, y, escape(line.simple)) if line.simple else b""
    runs = b"".join(_draw_run(run, size, ink) for run in line.runs)
    return b"1 0 0 1 %.2f %.2f Tm%s%s" % (x, y, runs, choose_font(size))


def choose_font(size: float) -> bytes:
    """The operator that chooses the simple font."""
    return b"/F %.2f Tf\n" % size


def _draw_run(run: Run, size: float, ink: Ink) -> bytes:
    """Shaped glyphs with the shaper's own positions."""
    parts = [b"%s %.2f Tf[" % (ink.name(run.face), size)]
    rise = 0.0
    for glyph, number in zip(run.glyphs, ink.numbers(run), strict=True):
        if glyph.y != rise:
            rise = glyph.y
            parts.append(b"]TJ %.2f Ts[" % (rise * size / 1000))
        if glyph.x:
            parts.append(b"%.0f" % -glyph.x)
        parts.append(b"<%04X>" % number)
        after = run.face.widths[glyph.gid] - glyph.advance + glyph.x
        if abs(after) > 0.5:
            parts.append(b"%.0f" % after)
    parts.append(b"]TJ 0 Ts" if rise else b"]TJ")
    return b"".join(parts)


def escape(simple: bytes) -> bytes:
    """The bytes of a literal string (§7.3.4.2)."""
    if b"\\" in simple or b"(" in simple or b")" in simple:
        return simple.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
    return simple
