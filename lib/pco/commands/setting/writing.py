"""What is in place, what would be written there, and the writing: whole or not at all, with nothing lost."""

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from difflib import unified_diff
from pathlib import Path
from typing import Any

from pco.command import DEFAULT_CONFIG
from pco.commands.setting.talk import Talk
from pco.ground import config, durable, yamlfile
from pco.ground.config import Config
from pco.ground.errors import BadConfig, BadData, NotPermitted, SystemFault
from pco.rules import answers
from pco.rules.answers import Answers

CREDENTIAL = Path("/etc/pco/credentials/plane-token")  # where the units take it from


@dataclass(frozen=True)
class Place:
    """Where the configuration is, and the token; `installed`: where the installed programs look for both."""

    config: Path
    token: Path

    @property
    def installed(self) -> bool:
        """Whether it is the machine's own pco."""
        return str(self.config) == DEFAULT_CONFIG


@dataclass(frozen=True)
class Present:
    """What is there: the file's text (None: no file), its values, what they mean; the token, if it can be read."""

    text: str | None
    values: dict[str, Any]
    config: Config
    token: str = ""

    @property
    def complete(self) -> bool:
        """Whether only the token could be missing."""
        return bool(self.config.plane.url and self.config.plane.workspace and self.config.plane.projects)


@dataclass(frozen=True)
class Change:
    """The new text of the configuration and the new token; None where nothing changes."""

    place: Place
    before: str | None
    config: str | None
    token: str | None


def place(file: Path, token_to: str) -> Place:
    """Where things go.  Another configuration than the machine's has its token beside it, or where it says."""
    if token_to:
        return Place(file, Path(token_to).absolute())
    if str(file) == DEFAULT_CONFIG:
        return Place(file, CREDENTIAL)
    with suppress(BadConfig, OSError, BadData):
        if not _unedited(file) and (named := yamlfile.load(file).plane.token_file):
            return Place(file, named)
    return Place(file, file.parent / "credentials" / CREDENTIAL.name)


def present(talk: Talk, where: Place) -> Present:
    """What is in place.  A file that cannot be understood offers no defaults; one that nobody has edited is none."""
    token = _token(where.token)
    try:
        text = durable.read(where.config.resolve(), yamlfile.MOST_BYTES).decode("utf-8")
    except FileNotFoundError:
        return Present(None, {}, Config(), token)
    except (BadData, UnicodeDecodeError) as error:
        raise BadConfig(f"{where.config}: {error}", "move it away, and run pco-setup again") from error
    if _unedited(where.config):
        return Present(None, {}, Config(), token)
    try:
        return Present(text, yamlfile.values(where.config), yamlfile.load(where.config), token)
    except BadConfig as error:
        talk.warn(f"the present configuration offers no defaults: {error}", "it is kept under another name")
        return Present(text, {}, Config(), token)


def _unedited(file: Path) -> bool:
    """Whether a configuration is still the example that was installed."""
    example = file.with_name(f"{file.name}.example")
    if not example.exists():
        return False
    one, other = (durable.read(path.resolve(), yamlfile.MOST_BYTES) for path in (file, example))
    return one == other


def _token(path: Path) -> str:
    try:
        return config.as_token(durable.read(path, config.MOST_TOKEN))
    except (OSError, BadData, BadConfig):
        return ""


def drawn_up(talk: Talk, where: Place, before: Present, said: Answers, token: str) -> Change:
    """The change that these answers mean.  Raises BadConfig if the result would not load."""
    values = answers.merged(before.values, said)
    names = {p.entry.id: f"{p.identifier}: {p.name}" for p in said.projects}
    text = None if values == before.values else answers.render(values, names)
    if text is not None:
        _try(text, values)
        for file in yamlfile.drop_ins(where.config):
            talk.note(f"{file} goes before {where.config.name}")
    return Change(where, before.text, text, None if token == before.token else token)


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
    return lines


def backup_name(where: Place, now: datetime) -> str:
    """The name under which a configuration that is replaced stays."""
    return f"{where.config.name}.bak-{now:%Y%m%dT%H%M%SZ}"


def write(change: Change, backup: str) -> None:
    """Do it.  Raises NotPermitted, SystemFault; then the old files are as they were, or whole new ones are there."""
    try:
        if change.config is not None:
            _write_config(change.place.config.resolve(), change.config, backup)
        if change.token is not None:
            _write_token(change.place, change.token)
    except PermissionError as error:
        raise NotPermitted(f"{error.filename}: {error.strerror}", "as root: sudo pco-setup") from error
    except OSError as error:
        raise SystemFault(f"{error.filename or change.place.config}: {error.strerror}") from error


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


def _write_token(where: Place, token: str) -> None:
    folder = where.token.parent
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        os.chmod(folder, 0o700)
    elif where.token == CREDENTIAL:
        os.chmod(folder, 0o700)
    durable.replace(where.token, f"{token}\n".encode("ascii"), 0o600)
