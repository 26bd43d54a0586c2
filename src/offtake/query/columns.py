"""Which columns a file has: what a principal sees of a dataset, what it chose of that, and one array made into rows."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from offtake.errors import InvalidRequest, UnknownField
from offtake.model.access import Principal
from offtake.model.dataset import Dataset, Field, FieldType, Mask, follow, inside
from offtake.model.export import Column, Expansion, ExportRequest, FieldChoice
from offtake.query.filters import find_column
from offtake.query.nearest import did_you_mean


@dataclass(frozen=True)
class View:
    """The dataset as one principal sees it: `shown` if nothing is chosen, `custom` if asked for, `columns` by name.

    Date-times are read in the zone.
    """

    dataset: Dataset
    shown: tuple[Column, ...]
    custom: tuple[Column, ...]
    columns: Mapping[str, Column]
    timezone: str


def view_of(dataset: Dataset, principal: Principal, timezone: str = "UTC") -> View:
    """The fields that exist for this principal, in dataset order, each under the mask it is seen through."""
    shown, custom = _seen(dataset.fields, principal), _seen(dataset.custom, principal)
    return View(dataset, shown, custom, {column.name: column for column in (*custom, *shown)}, timezone)


def visible_fields(dataset: Dataset, principal: Principal) -> tuple[Column, ...]:
    """The fields a file has for this principal if none are chosen."""
    return view_of(dataset, principal).shown


def _seen(fields: tuple[Field, ...], principal: Principal) -> tuple[Column, ...]:
    masks = ((field, _mask(field, principal)) for field in fields)
    return tuple(Column(field, mask=mask) for field, mask in masks if mask is not Mask.HIDE)


def _mask(field: Field, principal: Principal) -> Mask | None:
    return None if principal.lifts(field.unless_scope) else field.mask


def choose_columns(request: ExportRequest, view: View) -> tuple[tuple[Column, ...], Expansion | None]:
    """The columns to read, and how they become those of the file if an array is expanded.

    Raises UnknownField, or InvalidRequest if there is nothing to show or no array to expand.
    """
    array = _find_array(request.expand, view) if request.expand else None
    chosen = _every(view, array) if request.fields is None else _chosen(request.fields, view, array, request.locale)
    if request.include_all_custom_fields and not any(column.name in _names(view.custom) for column in chosen):
        chosen = (*chosen, *view.custom)
    if not chosen:
        raise InvalidRequest(f"{view.dataset.name} has no field that you may see.")
    chosen = _told_apart(chosen, view)
    if array is None:
        return chosen, None
    whole = Column(array)
    read = dict.fromkeys(column if column.field.column else whole for column in chosen)
    return tuple(read | {whole: None}), Expansion(array.name, chosen)


def _names(columns: tuple[Column, ...]) -> set[str]:
    return {column.name for column in columns}


def _every(view: View, array: Field | None) -> tuple[Column, ...]:
    if array is None:
        return view.shown
    parts = _every_part(array)
    if array.name not in _names(view.shown):
        return (*view.shown, *parts)
    return tuple(each for column in view.shown for each in (parts if column.name == array.name else (column,)))


def _chosen(
    choices: tuple[FieldChoice, ...], view: View, array: Field | None, locale: str | None
) -> tuple[Column, ...]:
    if not choices:
        raise InvalidRequest("No fields were asked for.", hint="Leave `fields` out to get all.", pointer="/fields")
    columns, chosen = view.columns, dict[str, Column]()
    for index, choice in enumerate(choices):
        pointer = f"/fields/{index}"
        found = _parts(choice.field, array, columns, pointer) if array else ()
        for column in found or (find_column(choice.field, columns, view.dataset.name, pointer),):
            if column.name in chosen:
                detail = f"{column.name} is asked for twice."
                raise InvalidRequest(detail, hint="Name each field once.", pointer=pointer)
            _check_group(choice, column, pointer)
            label = choose_text(choice.label, locale) if isinstance(choice.label, Mapping) else choice.label
            chosen[column.name] = Column(column.field, label, column.mask, _shown_as(choice, column, pointer))
    return tuple(chosen.values())


def _check_group(choice: FieldChoice, column: Column, pointer: str) -> None:
    if choice.group and choice.group.lower() != column.field.group.lower():
        detail = f"{column.name} is not a field of the form {choice.group[:80]!r}."
        raise UnknownField(detail, hint="Leave the group out, or name the form it belongs to.", pointer=pointer)


_NUMBERS = frozenset({FieldType.INTEGER, FieldType.NUMBER, FieldType.DECIMAL})
# As what a field may be shown, besides its own type, and text, which shows anything.
_SHOWN_AS = {
    FieldType.DATE: frozenset({FieldType.DATETIME}),
    FieldType.NUMBER: _NUMBERS,
}


def _shown_as(choice: FieldChoice, column: Column, pointer: str) -> FieldType | None:
    """What its values must become to be what the caller wants them to be; None if they are that. A mask is text."""
    wanted, own = choice.shown_as, column.field.type
    if wanted is None or wanted is own:
        return None
    if wanted is not FieldType.STRING and own not in _SHOWN_AS.get(wanted, ()):
        fitting = [own, *(each for each, types in _SHOWN_AS.items() if own in types and each is not own)]
        raise InvalidRequest(
            f"{column.name} is of the type {own.value} and cannot be shown as {wanted.value}.",
            hint=f"It can be shown as {', '.join(dict.fromkeys([*fitting, FieldType.STRING]))}.",
            pointer=f"{pointer}/as",
        )
    return None if column.mask or wanted is FieldType.NUMBER else wanted


def choose_text(texts: Mapping[str, str], locale: str | None) -> str | None:
    """The text in the reader's language (RFC 4647 §3.4), or in that language elsewhere, in English, or the first."""
    known = {_plain_tag(tag): text for tag, text in texts.items()}
    wanted = _plain_tag(locale or "en")
    language = wanted.partition("-")[0]
    while wanted and wanted not in known:
        wanted = wanted.rpartition("-")[0]
    akin = [tag for tag in known if tag.partition("-")[0] == language]
    fitting = (tag for tag in (wanted, *akin, "en", *known) if tag in known)
    return next((known[tag] for tag in fitting), None)


def _plain_tag(tag: str) -> str:
    return tag.replace("_", "-").lower()


def _told_apart(columns: tuple[Column, ...], view: View) -> tuple[Column, ...]:
    """Custom fields that were given one label get their form's name behind it."""
    custom = _names(view.custom)
    given = Counter(column.label for column in columns if column.name in custom and column.label)
    return tuple(
        replace(column, label=f"{column.label} ({column.field.group_label or column.field.group})")
        if column.label and column.name in custom and column.field.group and given[column.label] > 1
        else column
        for column in columns
    )


def _find_array(name: str, view: View) -> Field:
    pointer = "/expand"
    arrays = [column.name for column in view.shown if column.type is FieldType.LIST]
    hint = f"Arrays of {view.dataset.name}: {', '.join(arrays) or 'none'}."
    try:
        column = find_column(name, view.columns, view.dataset.name, pointer)
    except UnknownField as error:
        raise InvalidRequest(error.detail, hint=hint, pointer=pointer) from None
    if column.mask is not None:
        raise InvalidRequest(f"{column.name} is masked, so it cannot be expanded.", hint=hint, pointer=pointer)
    if column.type is not FieldType.LIST:
        detail = f"{column.name} is of the type {column.type.value}, not an array."
        raise InvalidRequest(detail, hint=hint, pointer=pointer)
    return column.field


def _item(array: Field) -> Field:
    """One item, as a field without a column: what is inside it is a part, whose path begins at the item."""
    return Field(array.name, array.items or FieldType.STRING, "", array.label, fields=array.fields)


def _every_part(array: Field) -> tuple[Column, ...]:
    """What an array's items have, or the items themselves if they have no parts."""
    item = _item(array)
    if item.type is not FieldType.STRUCT:
        return (Column(item),)
    return tuple(Column(part) for member in item.fields if (part := inside(item, (member.name,))))


def _parts(name: str, array: Field, columns: Mapping[str, Column], pointer: str) -> tuple[Column, ...]:
    """The parts of an item that the name means: one, or all if it is the array's own name; none if it means neither."""
    if name in columns and name != array.name:
        return ()
    dotted = name.replace("/", ".")
    if array.name in (name, dotted):
        return _every_part(array)
    led = follow(name, {array.name}) or follow(dotted, {array.name})
    if led is None:
        return ()
    item, keys = _item(array), led[1]
    # What is inside json arrives as one text, out of which nothing can be taken any more.
    holders = [inside(item, keys[:at]) for at in range(1, len(keys))]
    part = inside(item, keys)
    if part is None or any(holder is None or holder.type is not FieldType.STRUCT for holder in (item, *holders)):
        raise UnknownField(
            f"The items of {array.name} have no part {name[:80]!r}.",
            hint=did_you_mean(name, [column.name for column in _every_part(array)], "Parts"),
            pointer=pointer,
        )
    return (Column(part),)
