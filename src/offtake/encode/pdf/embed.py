"""Fonts as PDF objects (ISO 32000-1 §9.6 to §9.10): subsets that hold only the glyphs a document used.

Glyph numbers stay what they were, since pages are written long before it is known which glyphs come: the subset is made
at the end, and the font program stands after the pages.
"""

import io
from collections.abc import Iterator, Mapping

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from offtake.encode.pdf.fonts import Face
from offtake.encode.pdf.objects import Objects

CP1252 = [bytes([code]).decode("cp1252", "replace") for code in range(256)]
NONSYMBOLIC, SYMBOLIC = 32, 4


# Layout happened before: dropped unread, since only decoding them takes longer than all the rest.
# Without its variations a variable font is its default instance.
LAYOUT = ("GSUB", "GPOS", "GDEF", "BASE", "VORG", "vhea", "vmtx", "kern", "name")
VARIATIONS = ("fvar", "gvar", "avar", "cvar", "STAT", "HVAR", "VVAR", "MVAR")


def _subset(face: Face, gids: list[int] | None, characters: str = "") -> bytes:
    font = TTFont(face.path, recalcTimestamp=False)
    for table in (*LAYOUT, *VARIATIONS):
        if table in font:
            del font[table]
    options = Options(notdef_outline=True, retain_gids=gids is not None, hinting=False, layout_features=[])
    subsetter = Subsetter(options)
    subsetter.populate(gids=gids or [], text=characters)
    subsetter.subset(font)
    if face.is_cff:
        return bytes(font.getTableData("CFF "))
    sink = io.BytesIO()
    font.save(sink, reorderTables=True)
    return sink.getvalue()


def _descriptor(face: Face, name: bytes, flags: int, file: int) -> bytes:
    font = TTFont(face.path, lazy=True)
    scale = 1000 / face.units
    head, hhea = font["head"], font["hhea"]
    box = b" ".join(b"%d" % round(v * scale) for v in (head.xMin, head.yMin, head.xMax, head.yMax))
    program = b"/FontFile3" if face.is_cff else b"/FontFile2"
    return (
        b"<</Type/FontDescriptor/FontName/%s/Flags %d/FontBBox[%s]/ItalicAngle 0/Ascent %d/Descent %d/CapHeight %d"
        b"/StemV 80%s %d 0 R>>"
    ) % (name, flags, box, round(hhea.ascent * scale), round(hhea.descent * scale), 714, program, file)


def write_simple(objects: Objects, number: int, face: Face) -> Iterator[bytes]:
    """The one-byte font for cp1252 text, under the given object number."""
    characters = "".join(CP1252)
    name = b"OFFTAK+" + face.name.encode()
    program, descriptor = objects.reserve(), objects.reserve()
    data = _subset(face, None, characters)
    yield objects.stream(program, data, b"/Length1 %d" % len(data))
    yield objects.write(descriptor, _descriptor(face, name, NONSYMBOLIC, program))
    widths = b" ".join(b"%d" % width for width in simple_widths(face)[32:])
    yield objects.write(
        number,
        b"<</Type/Font/Subtype/TrueType/BaseFont/%s/FirstChar 32/LastChar 255/Widths[%s]"
        b"/Encoding/WinAnsiEncoding/FontDescriptor %d 0 R>>" % (name, widths, descriptor),
    )


def simple_widths(face: Face) -> list[int]:
    """Widths by cp1252 byte, in thousandths."""
    return [face.widths[face.cmap.get(ord(character), 0)] for character in CP1252]


def write_composite(objects: Objects, number: int, face: Face, used: Mapping[tuple[int, str], int]) -> Iterator[bytes]:
    """The font of shaped glyphs, under the given object number; `used` gives each (glyph, text) its number."""
    name = b"OFFTAK+" + face.name.encode()
    program, descriptor, descendant, unicode, glyphs = (objects.reserve() for _ in range(5))
    data = _subset(face, sorted({gid for gid, _ in used}))
    kind = b"/Subtype/CIDFontType0C" if face.is_cff else b"/Length1 %d" % len(data)
    yield objects.stream(program, data, kind)
    yield objects.write(descriptor, _descriptor(face, name, SYMBOLIC, program))
    widths = b"".join(b"%d[%d]" % (cid, face.widths[gid]) for (gid, _), cid in used.items())
    subtype = b"/CIDFontType0" if face.is_cff else b"/CIDFontType2/CIDToGIDMap %d 0 R" % glyphs
    order = [0, *(gid for gid, _ in used)] if not face.is_cff else []
    yield objects.stream(glyphs, b"".join(gid.to_bytes(2, "big") for gid in order))
    yield objects.write(
        descendant,
        b"<</Type/Font/Subtype%s/BaseFont/%s/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
        b"/FontDescriptor %d 0 R/DW 1000/W[%s]>>" % (subtype, name, descriptor, widths),
    )
    yield objects.stream(unicode, _to_unicode(used))
    yield objects.write(
        number,
        b"<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H/DescendantFonts[%d 0 R]/ToUnicode %d 0 R>>"
        % (name, descendant, unicode),
    )


def _to_unicode(used: Mapping[tuple[int, str], int]) -> bytes:
    """The CMap from glyph numbers back to text (§9.10.3), in blocks of at most 100."""
    texts = sorted((cid, text.encode("utf-16-be").hex().encode()) for (_, text), cid in used.items())
    pairs = [b"<%04X><%s>" % pair for pair in texts]
    blocks = [pairs[start : start + 100] for start in range(0, len(pairs), 100)]
    body = b"".join(b"%d beginbfchar\n%s\nendbfchar\n" % (len(block), b"\n".join(block)) for block in blocks)
    return (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        b"/CIDSystemInfo<</Registry(Adobe)/Ordering(UCS)/Supplement 0>>def /CMapName/Adobe-Identity-UCS def\n"
        b"/CMapType 2 def 1 begincodespacerange <0000><FFFF> endcodespacerange\n"
        + body
        + b"endcmap CMapName currentdict /CMap defineresource pop end end"
    )
