"""The ways on which people are told: those that the configuration switches on, and an administrator's programs."""

import os
import sys
from functools import cached_property
from pathlib import Path

from pco.ground.config import Config
from pco.ground.frozen import dataclass
from pco.ground.notice import EVENTS
from pco.outside import hooks
from pco.outside.hooks import Refused
from pco.run import Pco, share

ALL = "all"  # the folder of programs that are run on every event
PASSED = ("CREDENTIALS_DIRECTORY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy")


@dataclass(frozen=True)
class Way:
    """One way; `events` are those that go there, `details` whether it is told what tickets say."""

    name: str
    argv: tuple[str, ...]
    events: tuple[str, ...]
    details: bool = True

    @property
    def where(self) -> str:
        """What people read of it."""
        return " ".join(self.argv)


class Ways:
    """All ways of this pco."""

    def __init__(self, pco: Pco) -> None:
        self._config: Config = pco.config
        self.folder = pco.config_path.parent / "hooks.d"
        # In a checkout everything, the configuration too, is of who runs it.
        self._owners = {0} if pco.config.paths.root is None else {0, os.geteuid()}
        self.refused: list[Refused] = []

    def of(self, event: str) -> list[Way]:
        """The ways of an event, in the order of their names."""
        return [way for way in self.all if event in way.events]

    @cached_property
    def names(self) -> set[str]:
        """The names of all."""
        return {way.name for way in self.all}

    @cached_property
    def all(self) -> list[Way]:
        """All ways.  Raises BadConfig where pco is not whole, SystemFault."""
        return [*self._shipped(), *self._programs()]

    def _programs(self) -> list[Way]:
        found = []
        for folder in (*EVENTS, ALL):
            programs, refused = hooks.find(self.folder, folder, self._owners)
            self.refused += refused
            events = tuple(EVENTS) if folder == ALL else (folder,)
            found += [Way(program.name, (str(program.path),), events) for program in programs]
        return found

    def _shipped(self) -> list[Way]:
        mail, webhook, ntfy = self._config.notify.mail, self._config.notify.webhook, self._config.notify.ntfy
        found = []
        if mail.to:
            found.append(_way("mail", self._mail(), mail.events, mail.details))
        if webhook.url_file:
            words = ["--url-file", _secret("notify-webhook", webhook.url_file)]
            found.append(_way("webhook", words, webhook.events, webhook.details))
        if ntfy.topic:
            words = ["--url", ntfy.url, "--topic", ntfy.topic]
            token = _secret("notify-ntfy", ntfy.token_file)
            words += ["--token-file", token] if token else []
            found.append(_way("ntfy", words, ntfy.events, ntfy.details))
        return found

    def _mail(self) -> list[str]:
        mail = self._config.notify.mail
        words = [word for to in mail.to for word in ("--to", to)]
        words += ["--from", mail.from_ or f"pco@{os.uname().nodename}"]
        if mail.sendmail:
            return [*words, "--", *mail.sendmail]
        words += ["--smtp", mail.smtp, "--tls", mail.tls]
        if mail.user:
            words += ["--user", mail.user, "--password-file", _secret("notify-mail", mail.password_file)]
        return words


def _way(name: str, words: list[str], events: tuple[str, ...], details: bool) -> Way:
    return Way(name, (sys.executable, str(share(f"hooks/{name}")), *words), events or tuple(EVENTS), details)


def _secret(name: str, file: Path | None) -> str:
    """The file with a secret: a credential of the unit, if it is there and not empty, else `file`; empty if neither."""
    granted = os.environ.get("CREDENTIALS_DIRECTORY", "")
    path = os.path.join(granted, name)
    try:
        with open(path, "rb") as credential:
            if granted and credential.read(4096).strip():
                return path
    except OSError:
        pass
    return str(file or "")


def environment(event: str) -> dict[str, str]:
    """All that a program finds in its environment."""
    kept = {name: os.environ[name] for name in PASSED if name in os.environ}
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {**kept, "PATH": path, "HOME": "/nonexistent", "LANG": "C.UTF-8", "PCO_EVENT": event}
