"""The simulator over HTTP: connections, bytes, compression, the log of requests."""

import gzip
import socket
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pco.sim import breakage, control
from pco.sim.breakage import Reply
from pco.sim.call import World
from pco.sim.gate import Request

# Smaller bodies are not worth compressing: Django's figure.
COMPRESSED_FROM = 200
# Bytes of a request's body kept in the log.
LOGGED = 65536


class Server(ThreadingHTTPServer):
    """A thread per connection, on the loopback interface only."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, world: World, port: int) -> None:
        self.world = world
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), Connection)

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, so that `stop` can end it."""
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        self.connections.discard(request)
        super().shutdown_request(request)

    def stop(self) -> None:
        """Stop answering: on new connections and on those kept alive."""
        self.shutdown()
        self.server_close()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Connection(BaseHTTPRequestHandler):
    """Requests of one client, one after the other."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "uvicorn", ""
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: requests are in the log that /_sim/requests shows."""

    def handle(self) -> None:
        """Serve until the client, or a stop, ends the connection."""
        with suppress(ConnectionError):
            super().handle()

    def serve(self) -> None:
        """Answer one request."""
        request = self.received()
        if request is None:
            self.close_connection = True
            return
        world = self.server.world
        if request.path.startswith("/_sim/"):
            self.send(request, breakage.plain(control.answer(world, request)))
            return
        hit = {} if request.person else world.faults.befalling(request.method, request.target)
        request.seen = control.entry(world, request, LOGGED)
        request.seen["faults"] = list(hit)
        reply = breakage.befallen(world, request, hit)
        request.seen["status"] = None if reply is None else reply.status
        if reply is None:
            self.close_connection = True
        else:
            self.send(request, reply)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve

    def received(self) -> Request | None:
        """Read one request whole; None if the client is gone before that: the real server drops such a one."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = headers.get("content-length", "0")
        body = self.rfile.read(int(length)) if length.isdigit() else b""
        if length.isdigit() and len(body) < int(length):
            return None
        return Request(self.command, self.path, headers, body, person="x-sim-person" in headers)

    def send(self, request: Request, reply: Reply) -> None:
        """Write a reply, compressed if the client can take it."""
        body, headers = reply.body, dict(reply.headers)
        takes = "gzip" in request.headers.get("accept-encoding", "")
        if takes and len(body) >= COMPRESSED_FROM and "Content-Encoding" not in headers and reply.promised is None:
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        self.send_response(reply.status)
        for name, value in {
            "X-Frame-Options": "DENY",
            "Vary": "Accept-Encoding, Cookie, origin",
            "X-Content-Type-Options": "nosniff",
            **headers,
        }.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(reply.promised or len(body)))
        self.close_connection = self.close_connection or reply.promised is not None
        self.end_headers()
        if request.method != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
