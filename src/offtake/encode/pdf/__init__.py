"""PDF (ISO 32000-1): a table people would print, page by page, with the fonts at its end.

The first batch decides the widths. Every page is written as soon as it is full; the number of all pages stands in one
small drawing that the last lines of the file define. Clocks inside are the snapshot's, so equal rows give equal bytes.
"""

from offtake.encode.pdf.options import PdfOptions
from offtake.model.ports import Chunks, Format, RowStream

__all__ = ["PDF", "PdfOptions", "encode_pdf"]


def encode_pdf(stream: RowStream, options: PdfOptions) -> Chunks:
    """One chunk a page, then fonts and tables. Headers repeat; long cells wrap; nothing is left out."""
    # Font tools take a third of a second to import: only who wants a PDF waits for them.
    from offtake.encode.pdf.book import write_book

    return write_book(stream, options)


PDF = Format("pdf", "application/pdf", "pdf", PdfOptions, encode_pdf)
