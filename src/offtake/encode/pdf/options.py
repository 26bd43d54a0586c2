"""What a request may choose about a PDF."""

from dataclasses import dataclass
from typing import Literal

from offtake.encode.headers import Header


@dataclass(frozen=True)
class PdfOptions:
    """`title` stands above the first page's table (none = the dataset's label); `date_style` as in csv."""

    header: Header = "label"
    date_style: str | None = None
    title: str = ""
    paper: Literal["a4", "a3", "letter", "legal"] = "a4"
    orientation: Literal["auto", "portrait", "landscape"] = "auto"
