"""Relative paths of offtake.yaml, made absolute: they mean the file's own folder, wherever the command is started."""

import re
from pathlib import Path

_FILE_URL = re.compile(r"(?P<scheme>(?:sqlite|duckdb)(?:\+\w+)?):///(?!/)(?P<path>[^?]+)(?P<query>\?.*)?")


def settle_url(url: str, folder: Path) -> str:
    """The URL with the path of a SQLite or DuckDB file made absolute; any other URL as it is."""
    found = _FILE_URL.fullmatch(url)
    if found is None or found["path"].startswith((":memory:", "file:")):
        return url
    return f"{found['scheme']}:///{settle_path(found['path'], folder)}{found['query'] or ''}"


def settle_path(path: str, folder: Path) -> str:
    """An absolute path or glob; an object store's URL as it is."""
    return path if "://" in path else str(folder.absolute() / path)
