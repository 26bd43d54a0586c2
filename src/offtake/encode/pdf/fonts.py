"""Which glyphs show a text, and how wide they are: Noto fonts from wheels, shaped by HarfBuzz where a script needs it.

Text that cp1252 can hold (most cells of most exports) takes a short way: one byte a character in a simple font. All
other text is cut into runs of one font and one direction, shaped, and written as glyph numbers. Direction follows the
first strong character; numbers inside right-to-left text keep their own direction (the part of UAX #9 that cells need).
"""

import unicodedata
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

import uharfbuzz
from fontTools.ttLib import TTFont

# Searched in this order for every character; the first has Latin, Greek and Cyrillic.
NOTO = (
    "NotoSans", "NotoSansHebrew", "NotoSansArabic", "NotoSansDevanagari", "NotoSansThai", "NotoSansBengali",
    "NotoSansTamil", "NotoSansTelugu", "NotoSansGujarati", "NotoSansGurmukhi", "NotoSansKannada", "NotoSansMalayalam",
    "NotoSansSinhala", "NotoSansArmenian", "NotoSansGeorgian", "NotoSansEthiopic", "NotoSansKhmer", "NotoSansLao",
    "NotoSansMyanmar", "NotoSansOriya", "NotoSansSymbols", "NotoEmoji",
)  # fmt: skip
FOLLOWERS = "\u200c\u200d\ufe0e\ufe0f\u200e\u200f"  # joiners, variation selectors, marks of direction
RIGHT_TO_LEFT = frozenset({"R", "AL"})
STRONG = RIGHT_TO_LEFT | {"L"}
MISSING = "\N{WHITE SQUARE}"  # what no font can show is shown as this, never left out


@dataclass(frozen=True)
class Face:
    """One font file. `widths` are thousandths of the font size, by glyph."""

    name: str
    path: Path
    cmap: dict[int, int]
    widths: list[int]
    shaper: uharfbuzz.Font = field(compare=False, repr=False)
    units: int = 1000
    is_cff: bool = False

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True)
class Glyph:
    """One glyph of a shaped run: its place relative to the pen and how far the pen moves, in thousandths."""

    gid: int
    advance: float
    x: float
    y: float
    text: str  # the characters it stands for; "" where other glyphs of its cluster have them


@dataclass(frozen=True)
class Run:
    """Glyphs of one face in visual order; `width` in thousandths."""

    face: Face
    glyphs: tuple[Glyph, ...]
    width: float


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(package)
    return Path(spec.origin).parent


@cache
def face(name: str) -> Face:
    """The face of that name, read once per process."""
    if name == "CJK":
        path = _folder("noto_cjk_sans_jp_regular") / "NotoSansCJKjp-Regular.otf"
    else:
        path = next(_folder("manimgx_fonts").glob(f"{name}[[]*.ttf"))
    font = TTFont(path, lazy=True)
    units = font["head"].unitsPerEm
    order = {glyph: index for index, glyph in enumerate(font.getGlyphOrder())}
    metrics = font["hmtx"].metrics
    widths = [round(metrics[glyph][0] * 1000 / units) for glyph in order]
    cmap = {code: order[glyph] for code, glyph in font.getBestCmap().items()}
    shaper = uharfbuzz.Font(uharfbuzz.Face(path.read_bytes()))
    return Face(name, path, cmap, widths, shaper, units, "CFF " in font)


@lru_cache(maxsize=65_536)
def face_of(character: str) -> Face | None:
    """The first face that has the character."""
    code = ord(character)
    for name in (*NOTO, "CJK"):
        candidate = face(name)
        if code in candidate.cmap:
            return candidate
    return None


@lru_cache(maxsize=16_384)
def shape(text: str) -> tuple[Run, ...]:
    """The text's runs, left to right as they are drawn."""
    parts = [_shape_run(part, rtl) for part, rtl in _directions(text)]
    base_rtl = next((unicodedata.bidirectional(c) in RIGHT_TO_LEFT for c in text if _is_strong(c)), False)
    ordered = reversed(parts) if base_rtl else parts
    return tuple(run for runs in ordered for run in runs)


def width_of(runs: tuple[Run, ...]) -> float:
    """Thousandths of the font size."""
    return sum(run.width for run in runs)


def _is_strong(character: str) -> bool:
    return unicodedata.bidirectional(character) in STRONG


def _directions(text: str) -> list[tuple[str, bool]]:
    """The text in pieces of one direction; neutral characters go with what stands before them."""
    rtl = next((unicodedata.bidirectional(c) in RIGHT_TO_LEFT for c in text if _is_strong(c)), False)
    marks = []
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in STRONG or kind in ("EN", "AN"):
            rtl = kind in RIGHT_TO_LEFT
        marks.append((character, rtl))
    return [("".join(c for c, _ in group), key) for key, group in groupby(marks, key=lambda mark: mark[1])]


def _shape_run(text: str, rtl: bool) -> list[Run]:
    """One direction's text, cut where the face changes; marks and joiners stay with the character before them."""
    pieces: list[tuple[Face, str]] = []
    for character in text:
        found = face_of(character)
        follows = pieces and (unicodedata.combining(character) or character in FOLLOWERS)
        follows = follows or (character == " " and pieces and pieces[-1][0].name != "NotoEmoji")  # its space is wide
        if follows and (found is None or ord(character) in pieces[-1][0].cmap):
            found = pieces[-1][0]
        elif found is None:
            found, character = face_of(MISSING) or face("NotoSans"), MISSING
        if pieces and pieces[-1][0] is found:
            pieces[-1] = (found, pieces[-1][1] + character)
        else:
            pieces.append((found, character))
    runs = [_shape_piece(found, piece, rtl) for found, piece in pieces]
    return runs[::-1] if rtl else runs


def _shape_piece(found: Face, text: str, rtl: bool) -> Run:
    buffer = uharfbuzz.Buffer()
    buffer.add_str(text)
    buffer.guess_segment_properties()
    buffer.direction = "rtl" if rtl else "ltr"
    uharfbuzz.shape(found.shaper, buffer)
    scale = 1000 / found.units
    advances = [place.x_advance for place in buffer.glyph_positions]
    said = _said(text, [info.cluster for info in buffer.glyph_infos], advances, rtl)
    glyphs = tuple(
        Glyph(info.codepoint, place.x_advance * scale, place.x_offset * scale, place.y_offset * scale, says)
        for info, place, says in zip(buffer.glyph_infos, buffer.glyph_positions, said, strict=True)
    )
    return Run(found, glyphs, sum(glyph.advance for glyph in glyphs))


def _said(text: str, clusters: list[int], advances: list[int], rtl: bool) -> list[str]:
    """Which characters each glyph stands for, so that text copied from the page reads right.

    A cluster's characters go to its glyphs in reading order; where there are fewer characters than glyphs, to the
    widest ones (a silent wide glyph would read as a space), where there are more, the rest goes to the last.
    """
    starts = sorted(set(clusters))
    ends = dict(zip(starts, [*starts[1:], len(text)], strict=True))
    said = [""] * len(clusters)
    for start, end in ends.items():
        members = [index for index, cluster in enumerate(clusters) if cluster == start]
        widest = sorted(members, key=lambda index: -advances[index])[: end - start]
        chosen = sorted(widest, reverse=rtl)
        for offset, index in enumerate(chosen):
            said[index] = text[start + offset]
        said[chosen[-1]] += text[start + len(chosen) : end]
    return said
