"""The XLSX format: start reading at `book.py`."""

from offtake.encode.xlsx.book import XLSX, XlsxOptions, encode_xlsx

__all__ = ["XLSX", "XlsxOptions", "encode_xlsx"]
