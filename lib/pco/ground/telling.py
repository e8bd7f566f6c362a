"""The sections of pco.yaml that are about people: `notify`, how they are told, and `contacts`, who they are."""

from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pco.ground import shape, text, times
from pco.ground.frozen import dataclass
from pco.ground.notice import EVENTS
from pco.ground.readers import address, addresses, arguments, path, read, server, topic, url, words

LONGEST = timedelta(seconds=60)  # for one hook; below half of WatchdogSec= of pco-notify.service


def _events(value: Any) -> tuple[str, ...]:
    found = shape.load(_Names, {"names": value}).names
    for name in found:
        if name not in EVENTS:
            raise ValueError(f"{text.line(name, 40)!r} is no event{text.meant(name, list(EVENTS))}")
    return found


def _timeout(value: Any) -> timedelta:
    span = times.parse_duration(value) if isinstance(value, str) else timedelta()
    if not timedelta(seconds=1) <= span <= LONGEST:
        raise ValueError("expected a duration from 1s to 60s")
    return span


def _account(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable() or len(value) > 256 or value.startswith("-"):
        raise ValueError("expected the name of an account")
    return value


@dataclass(frozen=True)
class _Names:
    names: tuple[str, ...]


@dataclass(frozen=True)
class Mail:
    """Mail to `to`, by the server `smtp`, or by a program like sendmail(1); none without an address.

    `tls: auto` is STARTTLS, except with port 465 (TLS from the start) and on this machine (none).  With a `user` the
    password is the unit's credential notify-mail, else in `password_file`.
    """

    to: tuple[str, ...] = read(addresses, ())
    from_: str = read(lambda value: address(value) if value else "", "")
    smtp: str = read(server, "localhost:25")
    tls: Literal["auto", "none", "starttls", "tls"] = "auto"
    user: str = read(_account, "")
    password_file: Path | None = read(path)
    sendmail: tuple[str, ...] = read(arguments, ())
    events: tuple[str, ...] = read(_events, ())
    details: bool = True


@dataclass(frozen=True)
class Webhook:
    """A webhook as Slack has them; none without `url_file`.  The unit's credential notify-webhook goes before it."""

    url_file: Path | None = read(path)
    events: tuple[str, ...] = read(_events, ())
    details: bool = True


@dataclass(frozen=True)
class Ntfy:
    """A topic of an ntfy server; none without `topic`.  The token: the unit's credential notify-ntfy, else a file."""

    url: str = read(url, "https://ntfy.sh")
    topic: str = read(topic, "")
    token_file: Path | None = read(path)
    events: tuple[str, ...] = read(_events, ())
    details: bool = False


@dataclass(frozen=True)
class Notify:
    """How people are told.  `url` is where the board is served; what comes within `throttle` becomes one message."""

    throttle: timedelta = timedelta(minutes=5)
    timeout: timedelta = read(_timeout, timedelta(seconds=30))
    url: str = read(lambda value: url(value) if value else "", "")
    mail: Mail = Mail()
    webhook: Webhook = Webhook()
    ntfy: Ntfy = Ntfy()


@dataclass(frozen=True)
class Contacts:
    """Whom to turn to: names, addresses, telephone numbers, links."""

    owner: str = read(words, "")
    on_call: str = read(words, "")
    tracker: str = read(words, "")
    infrastructure: str = read(words, "")
    feedback: str = read(words, "")

    def given(self) -> dict[str, str]:
        """Those that are filled in, by the words that people read."""
        found = {f.name.replace("_", " "): text.line(getattr(self, f.name)) for f in fields(self)}
        return {name: value for name, value in found.items() if value}
