"""The token of Plane's API: where it is read from, and what one looks like.  It is in no message."""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from pco.ground import durable
from pco.ground.config import Plane
from pco.ground.errors import BadConfig, BadData

MOST_BYTES = 4096  # of a file with a token


def read(plane: Plane, environ: Mapping[str, str]) -> str:
    """The token of Plane's API: a credential of the unit, else a private file.  Raises BadConfig."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if folder and (Path(folder) / "plane-token").exists():
        return _in(Path(folder) / "plane-token")
    if plane.token_file is None:
        raise BadConfig("there is no token for Plane", "set plane.token_file, or the unit's credential plane-token")
    try:
        mode = os.stat(plane.token_file).st_mode
    except OSError as error:
        raise BadConfig(f"plane.token_file: {plane.token_file}: {error.strerror}") from error
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise BadConfig(f"plane.token_file: others can read {plane.token_file}", f"chmod 600 {plane.token_file}")
    return _in(plane.token_file)


def _in(path: Path) -> str:
    try:
        return parse(durable.read(os.path.realpath(path), MOST_BYTES))
    except (OSError, BadData):
        raise BadConfig(f"{path} cannot be read, or is no token") from None
    except BadConfig as error:
        raise BadConfig(f"{path}: {error}") from None


def parse(data: bytes) -> str:
    """The token that a file or a person gave.  Raises BadConfig, which does not repeat it."""
    token = data.decode("ascii", "replace").strip()
    if not re.fullmatch(r"[\x21-\x7e]{8,512}", token):
        raise BadConfig("this is no token (one line of 8 to 512 characters)")
    return token
