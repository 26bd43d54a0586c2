"""A TCP proxy that misbehaves when told to: between a client and a server that both know nothing of it."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from servers import free_port


class FaultProxy:
    """Forwards `127.0.0.1:port` to a port of this machine, until told otherwise. Every fault lasts until `forward`."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._listener: socket.socket | None = None
        self._live: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._delay_s = 0.0
        self._bytes_left: int | None = None

    def forward(self) -> None:
        """Behave."""
        self._delay_s, self._bytes_left = 0.0, None
        with self._lock:
            if self._listener is None:
                self._listener = socket.create_server(("127.0.0.1", self.port))
                threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def refuse(self) -> None:
        """Reset every connection and refuse new ones, as a server that died does."""
        with self._lock:
            listener, self._listener = self._listener, None
            live, self._live = self._live, set()
        if listener is not None:
            _end(listener)
        for each in live:
            _end(each)

    def refuse_for(self, seconds: float) -> None:
        """Refuse at once, and behave again after so many seconds."""
        self.refuse()
        threading.Timer(seconds, self.forward).start()

    def cut_after(self, bytes_sent: int) -> None:
        """Refuse as soon as clients have sent so many more bytes."""
        self._bytes_left = bytes_sent

    def delay(self, seconds: float) -> None:
        """Hold back what clients send, so long at every read."""
        self._delay_s = seconds

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    _end(client)
                    continue
                with self._lock:
                    self._live |= {client, server}
                threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        answers = threading.Thread(target=_pump, args=(server, client), daemon=True)
        answers.start()
        self._send(client, server)
        answers.join()
        with self._lock:
            self._live -= {client, server}
        client.close()
        server.close()

    def _send(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                time.sleep(self._delay_s)
                if self._bytes_left is not None:
                    self._bytes_left -= len(data)
                    if self._bytes_left <= 0:
                        self.refuse()
                        return
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def _end(each: socket.socket) -> None:
    """Close at once, with a reset instead of a goodbye, and wake the thread that waits on it."""
    with suppress(OSError):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        each.shutdown(socket.SHUT_RDWR)
    each.close()


@contextmanager
def run_proxy(target: int) -> Iterator[FaultProxy]:
    """A proxy in front of that port, for as long as the block runs."""
    proxy = FaultProxy(target)
    proxy.forward()
    try:
        yield proxy
    finally:
        proxy.refuse()
