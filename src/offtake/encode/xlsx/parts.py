"""The small parts of a workbook package: what it holds, how cells look, who wrote it when (ECMA-376-1 §12, §18.8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from offtake.encode.xlsx.names import xml_text
from offtake.model.export import Reader
from offtake.model.ports import About

PROLOGUE = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006"
_TYPE = "application/vnd.openxmlformats-officedocument"
_FIRST_CUSTOM_FORMAT = 164  # ids below are Excel's own (§18.8.30)
HEADER_STYLE = 1

# Sheets are the default for .xml: readers want this part first, when nobody knows yet how many sheets there will be.
CONTENT_TYPES = (
    f'{PROLOGUE}<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Default Extension="xml" ContentType="{_TYPE}.spreadsheetml.worksheet+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.spreadsheetml.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.spreadsheetml.styles+xml"/>'
    '<Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/>'
    f'<Override PartName="/docProps/app.xml" ContentType="{_TYPE}.extended-properties+xml"/></Types>'
)
PACKAGE_RELATIONSHIPS = (
    f'{PROLOGUE}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_DOCUMENT}/relationships/officeDocument" Target="xl/workbook.xml"/>'
    f'<Relationship Id="rId2" Type="{_PACKAGE}/relationships/metadata/core-properties" Target="docProps/core.xml"/>'
    f'<Relationship Id="rId3" Type="{_DOCUMENT}/relationships/extended-properties" Target="docProps/app.xml"/>'
    "</Relationships>"
)
APP = f'{PROLOGUE}<Properties xmlns="{_DOCUMENT}/extended-properties"><Application>offtake</Application></Properties>'


@dataclass(frozen=True)
class Sheet:
    """A finished sheet as the workbook lists it. `filtered` is the absolute range of its auto-filter, if any."""

    name: str
    filtered: str = ""


def properties_xml(title: str, moment: datetime) -> str:
    """Title and times of the document (ECMA-376-2 §11)."""
    stamp = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f'{PROLOGUE}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{xml_text(title)}</dc:title><dc:creator>offtake</dc:creator>"
        f'<dcterms:created xsi:type="dcterms:W3CDTF">{stamp}</dcterms:created>'
        f'<dcterms:modified xsi:type="dcterms:W3CDTF">{stamp}</dcterms:modified></cp:coreProperties>'
    )


def styles_xml(number_formats: Sequence[str]) -> str:
    """Cell styles: 0 plain, 1 the header (bold), then one for each number format, in order."""
    formats = "".join(
        f'<numFmt numFmtId="{_FIRST_CUSTOM_FORMAT + i}" formatCode="{xml_text(code)}"/>'
        for i, code in enumerate(number_formats)
    )
    styles = "".join(
        f'<xf numFmtId="{_FIRST_CUSTOM_FORMAT + i}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
        for i in range(len(number_formats))
    )
    return (
        f'{PROLOGUE}<styleSheet xmlns="{MAIN}">'
        + (f'<numFmts count="{len(number_formats)}">{formats}</numFmts>' if number_formats else "")
        + '<fonts count="2"><font><sz val="11"/><name val="Calibri"/><family val="2"/></font>'
        '<font><b/><sz val="11"/><name val="Calibri"/><family val="2"/></font></fonts>'
        '<fills count="2"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill></fills>'
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        f'<cellXfs count="{2 + len(number_formats)}"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
        f'<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>{styles}</cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )


def workbook_xml(sheets: Sequence[Sheet]) -> str:
    """The sheets in order, and the hidden names Excel keeps auto-filters under."""
    listed = "".join(
        f'<sheet name="{xml_text(sheet.name)}" sheetId="{i}" r:id="rId{i}"/>' for i, sheet in enumerate(sheets, 1)
    )
    names = "".join(
        f'<definedName name="_xlnm._FilterDatabase" localSheetId="{i}" hidden="1">{_reference(sheet)}</definedName>'
        for i, sheet in enumerate(sheets)
        if sheet.filtered
    )
    return (
        f'{PROLOGUE}<workbook xmlns="{MAIN}" xmlns:r="{_DOCUMENT}/relationships">'
        f"<bookViews><workbookView/></bookViews><sheets>{listed}</sheets>"
        + (f"<definedNames>{names}</definedNames>" if names else "")
        + "</workbook>"
    )


def workbook_relationships(sheets: Sequence[Sheet]) -> str:
    """Where the workbook's sheets and styles are."""
    targets = [("worksheet", f"worksheets/sheet{i}.xml") for i in range(1, len(sheets) + 1)] + [
        ("styles", "styles.xml")
    ]
    listed = "".join(
        f'<Relationship Id="rId{i}" Type="{_DOCUMENT}/relationships/{kind}" Target="{target}"/>'
        for i, (kind, target) in enumerate(targets, 1)
    )
    return f'{PROLOGUE}<Relationships xmlns="{_PACKAGE}/relationships">{listed}</Relationships>'


def _reference(sheet: Sheet) -> str:
    quoted = sheet.name.replace("'", "''")
    return xml_text(f"'{quoted}'!{sheet.filtered}")


def about_lines(about: About, snapshot_at: datetime, reader: Reader, rows: int) -> list[tuple[str, str]]:
    """What an About sheet says: who asked when for what; what is not known is left out."""
    moment = snapshot_at.astimezone(ZoneInfo(reader.timezone or "UTC")).isoformat(timespec="seconds")
    lines = [
        ("Title", about.title),
        ("Dataset", about.dataset),
        ("Asked by", about.asked_by),
        ("Rows as of", moment),
        ("Filter", about.filter),
        ("Time zone", reader.timezone or "UTC"),
        ("Locale", reader.locale or ""),
        ("Rows", str(rows)),
    ]
    return [line for line in lines if line[1]]
