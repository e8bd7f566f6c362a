"""A dashboard as its readers see it, from any machine: what it shows in the handshake, and what it answers."""

import ssl
from datetime import datetime
from urllib.parse import urlsplit

from pco.checks import Finding, fail, not_applicable, ok, warn
from pco.ground import times
from pco.ground.errors import BadData, TryLater
from pco.outside import certificate, website
from pco.outside.certificate import Shown

SOON, LATE = 30, 7  # days before a certificate expires
THERE = "on that machine: sudo pco-doctor"
RELOAD = "sudo nginx -t && sudo systemctl reload nginx"
OPEN = f"on that machine: sudoedit /etc/pco/nginx/access.inc; {RELOAD}"


def look(url: str, now: datetime, within: float) -> dict[str, Finding]:
    """What is found, by box.  Raises BadData for what is no address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadData(f"{url[:80]!r} is no address such as https://pco.example.org")
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    found = _secure(parts.hostname, parts.port or 443, now, within) if parts.scheme == "https" else _open()
    return {**found, **_served(base, within)}


def expiry(shown: Shown, now: datetime, mend: str = THERE) -> Finding:
    """How long a certificate is good for."""
    left = (shown.ends - now).days
    said = f"{', '.join(shown.names[:3]) or 'no name'}, by {shown.issuer}, {left} days left"
    if shown.distrust and shown.ends < now:
        return fail(f"expired {times.ago(shown.ends, now)}: {said}", mend)
    if shown.distrust:
        return fail(f"{shown.distrust}: {said}", mend)
    return fail(said, mend) if left < LATE else warn(said, mend) if left < SOON else ok(said)


def signed(shown: Shown, mend: str = THERE) -> Finding:
    """Whether somebody else vouches for it."""
    if shown.self_signed:
        return fail(f"the certificate is signed by itself ({shown.issuer})", mend)
    return ok(f"signed by {shown.issuer}")


def versions(host: str, port: int, shown: Shown, within: float, at: str = "", mend: str = THERE) -> Finding:
    """Which versions of TLS it talks, and whether browsers are told to insist on it."""
    old = [
        name
        for name, version in (("TLS 1.0", ssl.TLSVersion.TLSv1), ("TLS 1.1", ssl.TLSVersion.TLSv1_1))
        if certificate.accepts(host, port, within, version, at)
    ]
    page = website.get(f"https://{host}:{port}/", within, verify=False, at=at)
    told = page.headers.get("strict-transport-security", "")
    said = f"{shown.version} ({shown.cipher}), HSTS {told or 'is missing'}"
    if old:
        return fail(f"it still talks {' and '.join(old)}: {said}", mend)
    return ok(said) if told else warn(said, mend)


def _secure(host: str, port: int, now: datetime, within: float) -> dict[str, Finding]:
    try:
        shown = certificate.handshake(host, port, within)
        return {"1.6": expiry(shown, now), "3.1": signed(shown), "3.4": versions(host, port, shown, within)}
    except TryLater as error:
        lost = fail(str(error), THERE)
        return {"1.6": lost, "3.1": lost, "3.4": lost}


def _open() -> dict[str, Finding]:
    bare = fail("it is served without TLS: everybody on the way can read it", THERE)
    return {"1.6": not_applicable("there is no certificate: http"), "3.1": bare, "3.4": bare}


def _served(base: str, within: float) -> dict[str, Finding]:
    try:
        page = website.get(f"{base}/", within, verify=False)
        health = website.get(f"{base}/health", within, verify=False)
    except TryLater as error:
        lost = fail(str(error), THERE)
        return dict.fromkeys(("4.2", "8.2", "18.3"), lost)
    return {"4.2": origins(page), "8.2": healthy(health), "18.3": answered(page)}


def origins(page: website.Answer, mend: str = THERE) -> Finding:
    """Whether another site's scripts may read it."""
    allowed = page.headers.get("access-control-allow-origin")
    if allowed:
        return fail(f"Access-Control-Allow-Origin: {allowed}", mend)
    policy = page.headers.get("content-security-policy", "")
    if page.status == website.OK and "default-src 'none'" not in policy:
        return fail(f"Content-Security-Policy: {policy or 'is missing'}", mend)
    return ok("no other origin is allowed" + (f"; {policy}" if policy else ""))


def healthy(health: website.Answer) -> Finding:
    """What /health says."""
    if health.status == website.OK:
        return ok("/health answers 200")
    if health.status == website.UNAVAILABLE:
        return warn(f"/health answers 503: {'; '.join(health.reasons) or 'without reasons'}", THERE)
    if health.status in website.CLOSED:
        return warn(f"/health answers {health.status}: it is closed for this machine", OPEN)
    return fail(f"/health answers {health.status}", THERE)


def answered(page: website.Answer) -> Finding:
    """Whether the board is served."""
    if page.status == website.OK:
        return ok("the board is served")
    if page.status in website.CLOSED:
        return warn(f"it answers {page.status}: it is closed for this machine", OPEN)
    return fail(f"it answers {page.status}", THERE)
