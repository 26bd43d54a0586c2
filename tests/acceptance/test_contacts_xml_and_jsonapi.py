"""All contacts as XML and JSON:API: read by lxml and json."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from lxml import etree

from acceptance.contacts import Contact, iso, plain, same_rows

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
Export = Callable[..., Path]


def test_the_xml_file_holds_every_value(acme: list[Contact], export_contacts: Export) -> None:
    rows = etree.parse(str(export_contacts("xml"))).getroot()
    found = ({cell.tag: None if cell.get(NIL) else cell.text or "" for cell in row} for row in rows)
    same_rows(found, ({name: plain(value) for name, value in contact.items()} for contact in acme))


def test_the_xml_elements_are_in_the_order_of_the_fields(acme: list[Contact], export_contacts: Export) -> None:
    root = etree.parse(str(export_contacts("xml"))).getroot()
    assert (root.tag, root[0].tag, [cell.tag for cell in root[0]]) == ("rows", "row", list(acme[0]))


def resource(contact: Contact) -> dict[str, Any]:
    """The contact as a resource object, numbers with all their digits."""
    attributes = dict(contact)
    for name in ("score", "netWorth"):
        attributes[name] = None if contact[name] is None else Decimal(str(contact[name]))
    for name in ("createdAt", "updatedAt"):
        attributes[name] = contact[name] and iso(contact[name])
    attributes["birthDate"] = contact["birthDate"] and str(contact["birthDate"])
    return {"type": "contacts", "id": attributes.pop("id"), "attributes": attributes}


def test_the_jsonapi_file_holds_every_value(acme: list[Contact], export_contacts: Export) -> None:
    document = json.loads(export_contacts("jsonapi").read_bytes(), parse_float=Decimal)
    same_rows(document["data"], map(resource, acme))
    assert document["meta"]["rows"] == len(document["data"]) == 20_000
