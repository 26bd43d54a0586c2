"""How a connection ends: a file that was cut must end so that every client takes it for a failure."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

RESET = struct.pack("ii", 1, 0)  # linger on, for 0 s: closing sends a reset (socket(7))


class CuttingProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, safe for clients of HTTP/1.0, which nginx is by default to what stands behind it.

    Their bodies end where the connection ends (RFC 9112 §6.3): closed in the ordinary way, half a file looks whole.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection."""
        super().connection_made(transport)
        self.transport = _Resettable(transport, self._is_cut)  # type: ignore[assignment]

    def _is_cut(self) -> bool:
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            return False
        return cycle.scope["http_version"] == "1.0"


class _Resettable:
    """A transport that resets its connection instead of closing it when `is_cut` says so."""

    def __init__(self, transport: asyncio.Transport, is_cut: Callable[[], bool]) -> None:
        self._transport = transport
        self._is_cut = is_cut

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def close(self) -> None:
        """End the connection."""
        if self._is_cut():
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self._transport.abort()
        else:
            self._transport.close()
