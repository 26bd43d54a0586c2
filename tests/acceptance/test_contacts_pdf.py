"""The contacts on paper: read by pypdf. How the pages look was judged by eye; see `docs/formats/pdf.md`."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pypdf import PdfReader

from acceptance.contacts import CHILE, Contact, chilean, plain

Export = Callable[..., Path]
ROWS = 400


def squeezed(text: str) -> str:
    """Cells wrap wherever they must, so spaces and line ends are not compared."""
    return "".join(text.split())


def pages(path: Path) -> Iterator[str]:
    return (squeezed(page.extract_text()) for page in PdfReader(path, strict=True).pages)


@pytest.mark.parametrize(("wishes", "shown"), [(CHILE, chilean), pytest.param((), plain, marks=pytest.mark.slow)])
def test_the_text_of_every_cell_is_there(
    wishes: tuple[str, ...], shown: Callable[[object], str | None], acme: list[Contact], export_contacts: Export
) -> None:
    known = {note for contact in acme if (note := contact["notes"])}
    assert {contact["notes"] for contact in acme[:ROWS]} >= known  # so every nasty note is on these pages
    rows = iter(acme[:ROWS])
    contact = next(rows, None)
    for text in pages(export_contacts("pdf", "--limit", str(ROWS), *wishes)):
        while contact is not None and contact["customerNumber"] in text:
            for name, value in contact.items():
                assert squeezed(shown(value) or "") in text, name
            contact = next(rows, None)
    assert contact is None, "its row is on no page"


@pytest.mark.slow
def test_every_contact_is_on_exactly_one_page(acme: list[Contact], export_contacts: Export) -> None:
    path = export_contacts("pdf", "--fields", "customerNumber,accountNumber", "--option", "header=none")
    lines = [line.split() for page in PdfReader(path).pages for line in page.extract_text().splitlines()]
    found = [tuple(line) for line in lines if len(line) == 2 and len(line[1]) == 20]
    assert found == [(contact["customerNumber"], contact["accountNumber"]) for contact in acme]
