"""What is in place, what would be written there, and the writing: whole or not at all, with nothing lost."""

import os
import signal
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from difflib import unified_diff
from itertools import chain, count
from pathlib import Path
from typing import Any

from pco.commands.setting.talk import Talk
from pco.ground import apitoken, durable, yamlfile
from pco.ground.config import Config
from pco.ground.errors import BadConfig, BadData, NotPermitted, SystemFault
from pco.ground.frozen import dataclass
from pco.outside.agents.claude import login
from pco.rules import answers
from pco.rules.answers import Answers
from pco.run import DEFAULT_CONFIG

CREDENTIAL = Path("/etc/pco/credentials/plane-token")  # where the units take it from
AGENT = "agent"  # the name of the agent's key, beside it: pco-session@.service takes it from there


@dataclass(frozen=True)
class Place:
    """Where the configuration is, the token, the agent's key; `installed`: where the installed programs look."""

    config: Path
    token: Path
    key: Path

    @property
    def installed(self) -> bool:
        """Whether it is the machine's own pco."""
        return str(self.config) == DEFAULT_CONFIG


@dataclass(frozen=True)
class Present:
    """What is there: the file's text (None: no file), its values, what they mean; token and key, where readable."""

    text: str | None
    values: dict[str, Any]
    config: Config
    token: str = ""
    key: str = ""

    @property
    def complete(self) -> bool:
        """Whether only token and key could be missing."""
        return bool(self.config.plane.url and self.config.plane.workspace and self.config.plane.projects)


@dataclass(frozen=True)
class Change:
    """The new text of the configuration, the new token, the new key; None where nothing changes."""

    place: Place
    before: str | None
    config: str | None
    token: str | None
    key: str | None = None


def place(file: Path, token_to: str) -> Place:
    """Where things go.  Another configuration than the machine's has its token and key beside it, or where it says."""
    if str(file) == DEFAULT_CONFIG:
        return Place(file, CREDENTIAL, CREDENTIAL.with_name(AGENT))
    token, key = file.parent / "credentials" / CREDENTIAL.name, None
    with suppress(BadConfig, OSError, BadData):
        if not _unedited(file):
            config = yamlfile.load(file)
            token, key = config.plane.token_file or token, config.claude.key_file
    token = Path(token_to).absolute() if token_to else token
    return Place(file, token, key or token.with_name(AGENT))


def present(talk: Talk, where: Place) -> Present:
    """What is in place.  A file that cannot be understood offers no defaults; one that nobody has edited is none."""
    token, key = _secret(where.token, apitoken.parse), _secret(where.key, login.as_key)
    try:
        text = durable.read(where.config.resolve(), yamlfile.MOST_BYTES).decode("utf-8")
    except FileNotFoundError:
        return Present(None, {}, Config(), token, key)
    except (BadData, UnicodeDecodeError) as error:
        raise BadConfig(f"{where.config}: {error}", "move it away, and run pco-setup again") from error
    if _unedited(where.config):
        return Present(None, {}, Config(), token, key)
    try:
        return Present(text, yamlfile.values(where.config), yamlfile.load(where.config), token, key)
    except BadConfig as error:
        talk.warn(f"the present configuration offers no defaults: {error}", "it is kept under another name")
        return Present(text, {}, Config(), token, key)


def _unedited(file: Path) -> bool:
    """Whether a configuration is still the example that was installed."""
    example = file.with_name(f"{file.name}.example")
    if not example.exists():
        return False
    one, other = (durable.read(path.resolve(), yamlfile.MOST_BYTES) for path in (file, example))
    return one == other


def _secret(path: Path, read: Callable[[bytes], str]) -> str:
    try:
        return read(durable.read(os.path.realpath(path), login.MOST_KEY))
    except (OSError, BadData, BadConfig):
        return ""


def drawn_up(talk: Talk, where: Place, before: Present, said: Answers, token: str, key: str) -> Change:
    """The change that these answers mean.  Raises BadConfig if the result would not load."""
    values = answers.merged(before.values, said)
    names = {p.entry.id: f"{p.identifier}: {p.name}" for p in said.projects}
    text = None if values == before.values else answers.render(values, names)
    if text is not None:
        _try(text, values)
        for file in yamlfile.drop_ins(where.config):
            talk.note(f"{file} goes before {where.config.name}")
    changed = [None if new == old else new for new, old in ((token, before.token), (key, before.key))]
    return Change(where, before.text, text, *changed)


def _try(text: str, values: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory(prefix="pco-setup-") as folder:
        file = Path(folder) / "pco.yaml"
        file.write_text(text, "utf-8")
        yamlfile.load(file)
        if yamlfile.values(file) != values:
            raise AssertionError("the configuration does not say what was chosen")


def described(change: Change, backup: str) -> list[str]:
    """What a person reads before it is done: the new file, or how it differs; never the token."""
    lines = []
    if change.config is not None and change.before is None:
        lines += [f"{change.place.config}, new:", *(f"    {line}".rstrip() for line in change.config.splitlines())]
    elif change.config is not None:
        lines += [f"{change.place.config}, changed (the present one is kept as {backup}):"]
        pieces = (change.before or "").splitlines(), change.config.splitlines()
        lines += [f"    {line}".rstrip() for line in list(unified_diff(*pieces, lineterm="", n=2))[2:]]
    if change.token is not None:
        lines += [f"{change.place.token}: the token, for its owner alone (0600)"]
    if change.key is not None:
        lines += [f"{change.place.key}: the agent's {login.kind(change.key)}, for its owner alone (0600)"]
    return lines


def backup_name(where: Place, now: datetime) -> str:
    """The name under which a configuration that is replaced stays; two of one second have two names."""
    name = f"{where.config.name}.bak-{now:%Y%m%dT%H%M%SZ}"
    names = chain([name], (f"{name}.{number}" for number in count(2)))
    return next(name for name in names if not os.path.lexists(where.config.resolve().with_name(name)))


def write(change: Change, backup: str) -> None:
    """Do it, all of it whatever keys are pressed.  Raises NotPermitted, SystemFault; then each file is old or new."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        if change.config is not None:
            _write_config(change.place.config.resolve(), change.config, backup)
        if change.token is not None:
            _write_secret(change.place, change.place.token, change.token)
        if change.key is not None:
            _write_secret(change.place, change.place.key, change.key)
    except PermissionError as error:
        raise NotPermitted(f"{error.filename}: {error.strerror}", "as root: sudo pco-setup") from error
    except OSError as error:
        raise SystemFault(f"{error.filename or change.place.config}: {error.strerror}") from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _write_config(path: Path, text: str, backup: str) -> None:
    if not path.parent.exists():
        path.parent.mkdir(parents=True)
        path.parent.chmod(0o755)  # whatever the umask
    # Looked at now, not when the questions began: what somebody put there meanwhile is kept, too.
    if not path.exists():
        durable.replace(path, text.encode("utf-8"), 0o644)
        return
    now = path.stat()
    if not _unedited(path):
        _write_as(now, path.with_name(backup), durable.read(path, yamlfile.MOST_BYTES))
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    _write_as(now, fresh, text.encode("utf-8"))
    os.rename(fresh, path)
    durable.sync_folder(path.parent)


def _write_as(like: os.stat_result, path: Path, data: bytes) -> None:
    """A new file with owner, group and mode of another one: who could read the old configuration can read the new."""
    durable.write_new(path, data, like.st_mode & 0o777)
    with suppress(PermissionError):  # not root: then it is the caller's
        os.chown(path, like.st_uid, like.st_gid)


def _write_secret(where: Place, path: Path, secret: str) -> None:
    folder = path.parent
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        os.chmod(folder, 0o700)
    elif where.installed:
        os.chmod(folder, 0o700)
    durable.replace(path, f"{secret}\n".encode("ascii"), 0o600)
