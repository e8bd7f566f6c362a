"""The terminal that a session runs in, as it looks: the pane of tmux around this process, if there is one."""

import os
from collections.abc import Mapping
from datetime import timedelta

from pco.ground.errors import PcoError
from pco.outside import process

MOST_BYTES = 1 << 20
_PATIENCE = timedelta(seconds=5)


def capture(environ: Mapping[str, str]) -> bytes | None:
    """The pane's content with escape sequences; None outside tmux, or if tmux does not answer."""
    if "TMUX" not in environ or "TMUX_PANE" not in environ:
        return None
    argv = ["tmux", "capture-pane", "-e", "-p", "-t", environ["TMUX_PANE"]]
    kept = {"PATH": environ.get("PATH", os.defpath), "TMUX": environ["TMUX"], "LC_ALL": "C.UTF-8"}
    try:
        result = process.run(argv, kept, _PATIENCE, MOST_BYTES)
    except PcoError:
        return None  # the screen is for people to look at; the session does not hang on it
    return result.out if result.code == 0 else None
