"""The mini-language -> filter tree: `status:paid;country:US,CA;total:10..;createdTime:!2026-01-01..`.

    filter  := clause (";" clause)*             all of them
    clause  := field ":" value ("," value)*     any of them; with "!" before the first, or before each: none of them
    value   := ["!"] (low ".." high | low ".." | ".." high | null | literal)

Only the first colon divides; the one in the name of a field `custom:cf_…` does not. Text is compared without regard to
case. Our extensions: `"…"` and `\\` take the meaning from the characters above; an unquoted `null` is null.
"""

from dataclasses import dataclass

from offtake.errors import InvalidFilter
from offtake.model.filter import And, Condition, Filter, Operator, Or

_POINTER = "/filter"
_CUSTOM = "custom:cf_"  # and an id: one name, colon and all


def parse_minilang(text: str) -> Filter:
    """The unchecked tree. Raises InvalidFilter naming the character where it stopped making sense."""
    clauses = [_parse_clause(clause) for clause in _split(_scan(text), ";") if not _is_blank(clause)]
    return clauses[0] if len(clauses) == 1 else And(tuple(clauses))


@dataclass(frozen=True)
class _Character:
    """One character of the text, its place (from 1), and whether quotes or a backslash took its meaning."""

    text: str
    at: int
    is_plain: bool


_Span = list[_Character]


def _scan(text: str) -> _Span:
    span: _Span = []
    quoted_at = 0
    escaped = False
    for at, character in enumerate(text, 1):
        if escaped:
            span.append(_Character(character, at, False))
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            span.append(_Character("", at, False))  # so that "" is a value
            quoted_at = 0 if quoted_at else at
        else:
            span.append(_Character(character, at, not quoted_at))
    if escaped or quoted_at:
        what = "a backslash with nothing after it" if escaped else "a quote that is never closed"
        raise _wrong(f"there is {what}", quoted_at or len(text))
    return span


def _wrong(what: str, at: int) -> InvalidFilter:
    return InvalidFilter(
        f"At character {at} of the filter {what}.",
        hint='Write field:value;field:value,value;field:low..high, and "…" around a value that holds , ; : .. or !',
        pointer=_POINTER,
    )


def _split(span: _Span, separator: str) -> list[_Span]:
    parts: list[_Span] = [[]]
    for character in span:
        if character.is_plain and character.text == separator:
            parts.append([])
        else:
            parts[-1].append(character)
    return parts


def _is_blank(span: _Span) -> bool:
    return all(character.is_plain and character.text.isspace() for character in span)


def _trimmed(span: _Span) -> _Span:
    """Without the blanks around it that nobody quoted."""
    start, end = 0, len(span)
    while start < end and _is_blank([span[start]]):
        start += 1
    while end > start and _is_blank([span[end - 1]]):
        end -= 1
    return span[start:end]


def _plain(span: _Span) -> str:
    return "".join(character.text for character in span)


def _parse_clause(clause: _Span) -> Filter:
    at = _find(clause, ":")
    if _plain(_trimmed(clause[: at + 4])) == _CUSTOM:
        at = _find(clause, ":", at + 1)
    if at < 0:
        raise _wrong("a clause has no colon", clause[-1].at)
    field = _plain(_trimmed(clause[:at]))
    if not field:
        raise _wrong("a clause has no field", clause[at].at)
    colon = clause[at].at
    return _any_of(field, [_trimmed(value) for value in _split(clause[at + 1 :], ",")], colon)


def _any_of(field: str, values: list[_Span], colon: int) -> Filter:
    negations = [_starts_with(value, "!") for value in values]
    if any(negations) and not negations[0]:
        raise _wrong("`!` comes after values without it", values[negations.index(True)][0].at)
    bodies = [_trimmed(value[1:]) if negated else value for value, negated in zip(values, negations, strict=True)]
    conditions = _conditions(field, bodies, colon, negated=negations[0])
    if len(conditions) == 1:
        return conditions[0]
    return And(tuple(conditions)) if negations[0] else Or(tuple(conditions))


def _conditions(field: str, values: list[_Span], colon: int, *, negated: bool) -> list[Condition]:
    """One condition for all literals, then one for each range, then one for null."""
    literals: list[str] = []
    others: list[Condition] = []
    at = colon
    for value in values:
        at = value[0].at if value else at + 1
        if not value:
            raise _wrong("a value is missing", at)
        if _starts_with(value, "@"):
            raise _wrong("there is a named list (`@…`), and no lists are configured", at)
        if _is_null(value):
            others.append(Condition(field, Operator.IS_NOT_NULL if negated else Operator.IS_NULL))
        elif (bounds := _read_range(value)) is not None:
            others.append(Condition(field, Operator.NOT_BETWEEN if negated else Operator.BETWEEN, bounds))
        else:
            literals.append(_plain(value))
    if literals:
        others.insert(0, Condition(field, Operator.INE if negated else Operator.IEQ, tuple(literals)))
    return others


def _is_null(value: _Span) -> bool:
    return _plain(value) == "null" and all(character.is_plain for character in value)


def _starts_with(span: _Span, mark: str) -> bool:
    return bool(span) and span[0].is_plain and span[0].text == mark


def _find(span: _Span, mark: str, start: int = 0) -> int:
    for index in range(start, len(span)):
        if span[index].is_plain and span[index].text == mark:
            return index
    return -1


def _read_range(value: _Span) -> tuple[str | None, str | None] | None:
    """The two sides around the first plain `..`, or None if there is none."""
    at = _find(value, ".")
    while at >= 0 and not _starts_with(value[at + 1 :], "."):
        at = _find(value, ".", at + 1)
    if at < 0:
        return None
    low, high = _trimmed(value[:at]), _trimmed(value[at + 2 :])
    if not low and not high:
        raise _wrong("a range has no side", value[at].at)
    return (_plain(low) if low else None, _plain(high) if high else None)
