"""Web servers for tests, on loopback, and an authority that signs their certificates."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Pages:
    """What a server answers to every request, or by path."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    paths: dict[str, "Pages"] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)  # the Host of each request


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    url: str
    port: int


class Authority:
    """One that signs certificates, made by openssl; it is trusted where SSL_CERT_FILE names its `root`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.today = datetime.now(UTC)
        self.root = self.itself("Test Authority").certificate

    def itself(self, name: str) -> Pair:
        """A certificate that is signed by itself."""
        pair = Pair(self.folder / f"{name}-self.pem", self.folder / f"{name}-self.key")
        self._openssl("req", "-x509", "-days", "3650", "-out", str(pair.certificate), *self._asked(pair, name))
        return pair

    def signs(self, name: str, days: int = 90) -> Pair:
        """A certificate for a name that is good for so many days more; below zero: that was."""
        pair = Pair(self.folder / f"{name}{days}.pem", self.folder / f"{name}{days}.key")
        request, wide = self.folder / "request", self.folder / "extensions"
        self._openssl("req", "-out", str(request), *self._asked(pair, name))
        wide.write_text(f"subjectAltName=DNS:{name}\n")
        begins, ends = (f"{self.today + timedelta(days=n):%y%m%d%H%M%SZ}" for n in (-10, days))
        (self.folder / "index.txt").write_text("")
        (self.folder / "ca.conf").write_text(CA)
        signed = ["-cert", self.root, "-keyfile", self.root.with_suffix(".key"), "-in", request, "-out"]
        self._openssl(
            *("ca", "-batch", "-config", "ca.conf", "-startdate", begins, "-enddate", ends),
            *("-extfile", str(wide), *map(str, signed), str(pair.certificate)),
        )
        return pair

    def _asked(self, pair: Pair, name: str) -> list[str]:
        given = [
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            str(pair.key),
            "-subj",
            f"/CN={name}",
        ]
        return [*given, "-addext", f"subjectAltName=DNS:{name.replace(' ', '-')}"]

    def _openssl(self, *words: str) -> None:
        done = subprocess.run(["openssl", *words], cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


CA = """\
[ca]
default_ca = this
[this]
database = index.txt
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
rand_serial = yes
[any]
commonName = supplied
"""


@contextmanager
def serving(pages: Pages, pair: Pair | None = None, least: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> Iterator[Server]:
    """A server on a port of its own, over TLS if it is given a pair."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pages.asked.append(self.headers.get("Host", ""))
            page = pages.paths.get(self.path, pages)
            self.send_response(page.status)
            for name, value in page.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(page.body.encode())))
            self.end_headers()
            self.wfile.write(page.body.encode())

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass  # a handshake that the client breaks off

    server = Quiet(("127.0.0.1", 0), Handler)
    if pair:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        context.minimum_version = least
        if least < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("ALL:@SECLEVEL=0")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        port = server.server_port
        yield Server(f"{'https' if pair else 'http'}://{'localhost' if pair else '127.0.0.1'}:{port}", port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
