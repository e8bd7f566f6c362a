"""A server that answers each request with the bytes it was given: for what no real server does."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Reply = bytes | Callable[[socket.socket], None]


@dataclass
class Scripted:
    """A listening server; the last reply is repeated.  `requests` are heads and bodies as they came."""

    replies: list[Reply]
    listener: socket.socket
    requests: list[bytes] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        """Answer one connection after the other, one request each."""
        while not self.stopped.is_set():
            with suppress(OSError):
                connection, _ = self.listener.accept()
                with connection:
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        if not (request := _request(connection)):
            return
        self.requests.append(request)
        reply = self.replies[min(len(self.requests), len(self.replies)) - 1]
        if callable(reply):
            reply(connection)
        else:
            connection.sendall(reply)


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := connection.recv(65536)):
            return b""
        data += piece
    head = data.partition(b"\r\n\r\n")[0].lower()
    length = int(head.partition(b"content-length:")[2].split()[0]) if b"content-length:" in head else 0
    while len(data) < len(head) + 4 + length:
        data += connection.recv(65536)
    return data


def reply(status: int, body: object = None, raw: bytes | None = None, **headers: str) -> bytes:
    """The bytes of an answer with JSON, or with `raw`."""
    data = json.dumps(body).encode() if raw is None else raw
    lines = [f"HTTP/1.1 {status} Reason", "Connection: close"]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    lines += [f"{name}: {value}" for name, value in ({"Content-Length": str(len(data))} | named).items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + data


@contextmanager
def scripted(*replies: Reply) -> Iterator[Scripted]:
    """Run a server with these replies."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Scripted(list(replies), listener)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopped.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
