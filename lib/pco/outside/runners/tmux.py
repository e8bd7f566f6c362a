"""Sessions in a private tmux server: one tmux session for each key, as the same user; for the demo, tests, small sites.

tmux runs `#(command)` found in names and formats, and takes a prefix for a name: so only keys become names, they are
given as `=KEY`, and no text of a ticket ever reaches a tmux command.
"""

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from pco.ground import text
from pco.ground.errors import BadConfig, TryLater
from pco.ground.ticket import KEY
from pco.outside import process
from pco.outside.runners import Place, Runner, RunnerSession, checked

_CONFIG = Path(__file__).with_name("tmux.conf")
_PATIENCE = timedelta(seconds=10)
_LONGEST = 107  # bytes of the path of a Unix socket
_NOBODY = ("no server running", "error connecting to", "can't find session", "no current session", "no sessions")

# By the session's number, which is never used again: its key may be a later attempt's by then.  It is asked for by
# list-panes, which fails if the session is gone; run-shell would take another session's pane in its place.  There it
# would also show whatever a job says, and that it failed.
_KILL = """exec 2>/dev/null; t() { tmux -S "${TMUX%,*,*}" "$@"; }
p=$(t list-panes -s -t 'SESSION' -F '##{pane_pid}') && kill -KILL $p; true"""


class Tmux(Runner):
    """The tmux server at `socket`; at the end of a session it rings `trigger`, a FIFO."""

    def __init__(self, socket: Path, trigger: Path) -> None:
        if len(os.fsencode(socket)) > _LONGEST:
            raise BadConfig(f"{socket}: a socket's path has at most {_LONGEST} bytes", "choose a shorter paths.run")
        self.socket = socket
        self.trigger = trigger

    def place(self, home: Path) -> Place:
        """Where a session writes: beside its prompt, and the workspace in the ticket's folder."""
        return Place(home / "out", home.parent / "workspace")

    def places(self) -> tuple[Path, ...]:
        """None: workspaces lie beside the attempts."""
        return ()

    def start(self, session: RunnerSession) -> None:
        """Start a session; one of that key that is there already is left as it is."""
        size = ("-x", str(session.width), "-y", str(session.height))
        named = tuple(f"-e{name}={value}" for name, value in session.environment.items())
        # A single word would be run by a shell.
        argv = session.argv if len(session.argv) > 1 else ("env", *session.argv)
        args = ("new-session", "-d", "-s", checked(session.key), *size, *named, "--", *argv)
        result = self._tmux(args, session.home)
        if result.code != 0 and "duplicate session" not in result.error:
            raise TryLater(f"tmux cannot start the session: {text.line(result.error, 300)}")

    def stop(self, key: str, grace: timedelta) -> None:
        """Ask a session to end (TERM to its first process); tmux itself kills what is left after `grace`."""
        show = ("list-panes", "-t", f"={checked(key)}:", "-F", "#{session_id} #{pane_pid}")
        found = self._tmux(show).out.decode("ascii", "replace").split()
        if len(found) < 2:
            return
        session, pid = found[0], found[1]
        self._tmux(("run-shell", "-t", f"{session}:", f"kill -TERM {int(pid)}"))
        self._tmux(("run-shell", "-b", "-d", f"{max(grace.total_seconds(), 0):.1f}", _KILL.replace("SESSION", session)))

    def attach(self, key: str, *, read_only: bool = False) -> tuple[str, ...]:
        """The command that puts a person before a session's terminal; read-only it takes only the keys that leave."""
        return (*self._command(), "attach-session", *(("-r",) if read_only else ()), "-t", f"={checked(key)}")

    def list(self) -> frozenset[str] | None:
        """The keys of all sessions that are there; None if tmux did not answer."""
        try:
            result = self._tmux(("list-sessions", "-F", "#{session_name}"))
        except TryLater:
            return None
        if result.code != 0:
            # "error connecting" also says that a socket may not be used: that is no word about sessions.
            gone = any(said in result.error for said in _NOBODY) and "ermission" not in result.error
            return frozenset() if gone else None
        return frozenset(name for name in result.out.decode("ascii", "replace").split("\n") if KEY.fullmatch(name))

    def halted(self) -> bool:
        """Never: nobody can tell a stopped tmux server from one that was not needed yet."""
        return False

    def kept(self) -> tuple[str, ...]:
        """None: the same user wrote it all."""
        return ()

    def clean(self, key: str) -> None:
        """Nothing is where pco could not remove it."""

    def _command(self) -> tuple[str, ...]:
        return ("tmux", "-u", "-S", str(self.socket), "-f", str(_CONFIG))

    def _tmux(self, args: Sequence[str], cwd: Path = Path("/")) -> process.Result:
        # A word that ends with `;` would end the tmux command.
        words = [f"{word[:-1]}\\;" if word.endswith(";") else word for word in args]
        return process.run([*self._command(), *words], self._environment(), _PATIENCE, cwd=cwd)

    def _environment(self) -> dict[str, str]:
        """All that the server, and so each session, inherits: of the caller's only where programs and home are."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "USER", "LOGNAME", "TZ") if name in os.environ}
        fixed = {"LC_ALL": "C.UTF-8", "TERM": "screen-256color", "SHELL": "/bin/sh", "PCO_TRIGGER": str(self.trigger)}
        return {"PATH": os.defpath, **kept, **fixed}
