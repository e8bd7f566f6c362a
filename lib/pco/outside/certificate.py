"""What a server shows in a TLS handshake: its certificate, whether this machine trusts it, and how it talks."""

import socket
import ssl
from datetime import UTC, datetime
from functools import cache
from typing import Any

from pco.ground.errors import TryLater
from pco.ground.frozen import dataclass

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
        with connected(host, port, timeout, at, context()) as trusted:
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
    old = context(verify=False)
    old.minimum_version = old.maximum_version = version
    old.set_ciphers("ALL:@SECLEVEL=0")
    try:
        with connected(host, port, timeout, at, old):
            return True
    except ssl.SSLError:
        return False
    except ConnectionResetError:
        return False
    except OSError as error:
        raise TryLater(f"{host}:{port}: {_why(error)}") from error


def context(*, verify: bool = True) -> ssl.SSLContext:
    """How to talk TLS: by this machine's store of certificates, or without looking at any."""
    if verify:
        return _trusting(ssl.get_default_verify_paths())
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


@cache
def _trusting(_store: ssl.DefaultVerifyPaths) -> ssl.SSLContext:
    """By the store of certificates there, read once: that takes longer than a handshake."""
    return ssl.create_default_context()


def connected(host: str, port: int, timeout: float, at: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    """A connection to `host`, at another address than its own if `at` is given.  Raises OSError."""
    plain = socket.create_connection((at or host, port), timeout)
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _untrusted(host: str, port: int, timeout: float, at: str) -> tuple[dict[str, Any], str, str]:
    """The same of one that is not trusted: it is read by trusting just this certificate, for this once."""
    try:
        with connected(host, port, timeout, at, context(verify=False)) as talking:
            leaf = talking.getpeercert(binary_form=True) or b""
            version, cipher = _talks(talking)
        only = ssl.create_default_context(cadata=ssl.DER_cert_to_PEM_cert(leaf))
        only.check_hostname = False
        only.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
        with connected(host, port, timeout, at, only) as talking:
            return dict(talking.getpeercert() or {}), version, cipher
    except (OSError, ValueError) as error:
        raise TryLater(f"{host}:{port}: {_why(error)}") from error


def _talks(connection: ssl.SSLSocket) -> tuple[str, str]:
    cipher = connection.cipher()
    return connection.version() or "", cipher[0] if cipher else ""


def _named(parts: Any) -> str:
    found = {name: value for group in parts for name, value in group}
    return str(found.get("commonName") or found.get("organizationName") or "nobody")


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
