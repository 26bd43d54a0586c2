"""How a file is called when it is downloaded: by the server, or by the bucket itself."""

from urllib.parse import quote


def content_disposition(filename: str) -> str:
    """An attachment under its name: plain for old clients (RFC 6266), whole in UTF-8 (RFC 8187 §3.2)."""
    plain = filename.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_").replace("\\", "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
