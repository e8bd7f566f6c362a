"""What a server shows in a TLS handshake: its certificate, whether this machine trusts it, and how it talks."""

import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pco.ground.errors import TryLater

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL; Python has no name for it


@dataclass(frozen=True)
class Shown:
    """`distrust` says why this machine does not trust it, empty if it does; `ends` is when the certificate expires."""

    names: tuple[str, ...]
    issuer: str
    self_signed: bool
    ends: datetime
    distrust: str
    version: str
    cipher: str


def handshake(host: str, port: int, timeout: float, at: str = "") -> Shown:
    """What it shows; `at` is the address to connect to, if not that of `host`.

    Raises TryLater if nobody answers, or not with TLS.
    """
    distrust = ""
    try:
        with _connected(host, port, timeout, at, ssl.create_default_context()) as trusted:
            version, cipher = _talks(trusted)
            found: dict[str, Any] = dict(trusted.getpeercert() or {})
    except ssl.SSLCertVerificationError as error:
        distrust = error.verify_message or "its certificate cannot be verified"
        found, version, cipher = _untrusted(host, port, timeout, at)
    except (OSError, ValueError) as error:
        raise TryLater(f"{host}:{port}: {_why(error)}") from error
    names = tuple(name for kind, name in found.get("subjectAltName", ()) if kind in ("DNS", "IP Address"))
    issuer, subject = _named(found.get("issuer", ())), _named(found.get("subject", ()))
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(found["notAfter"]), UTC)
    return Shown(names, issuer, issuer == subject, ends, distrust, version, cipher)


def accepts(host: str, port: int, timeout: float, version: ssl.TLSVersion, at: str = "") -> bool:
    """Whether it still talks an old version of TLS.  Raises TryLater if nobody answers at all."""
    context = _blind()
    context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    try:
        with _connected(host, port, timeout, at, context):
            return True
    except ssl.SSLError:
        return False
    except ConnectionResetError:
        return False
    except OSError as error:
        raise TryLater(f"{host}:{port}: {_why(error)}") from error


def _untrusted(host: str, port: int, timeout: float, at: str) -> tuple[dict[str, Any], str, str]:
    """The same of one that is not trusted: it is read by trusting just this certificate, for this once."""
    try:
        with _connected(host, port, timeout, at, _blind()) as talking:
            leaf = talking.getpeercert(binary_form=True) or b""
            version, cipher = _talks(talking)
        context = ssl.create_default_context(cadata=ssl.DER_cert_to_PEM_cert(leaf))
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
        with _connected(host, port, timeout, at, context) as talking:
            return dict(talking.getpeercert() or {}), version, cipher
    except (OSError, ValueError) as error:
        raise TryLater(f"{host}:{port}: {_why(error)}") from error


def _talks(connection: ssl.SSLSocket) -> tuple[str, str]:
    cipher = connection.cipher()
    return connection.version() or "", cipher[0] if cipher else ""


def _blind() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _connected(host: str, port: int, timeout: float, at: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection((at or host, port), timeout)
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _named(parts: Any) -> str:
    found = {name: value for group in parts for name, value in group}
    return str(found.get("commonName") or found.get("organizationName") or "nobody")


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
