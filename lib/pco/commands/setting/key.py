"""The agent's key: asked for hidden, or taken from a file, and tried if nobody minds; never shown."""

import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlsplit

from pco.commands.setting.talk import Talk
from pco.commands.setting.writing import Present
from pco.ground import durable
from pco.ground.config import Claude
from pco.ground.errors import BadConfig, BadData, NotPermitted, PcoError
from pco.outside.agents.claude import login
from pco.rules.answers import Agent

OPTION = "--agent-key-file"
ANSWERS_WITHIN = timedelta(seconds=15)
_QUESTION = "Key of the agent: an API key, or what `claude setup-token` prints; it is not shown"
LATER = f"sessions fail until there is one: pco-setup {OPTION} FILE"


def read(talk: Talk, source: str | None) -> str:
    """The key in a file, or on standard input, or typed there; empty if no option says so.  Raises BadData."""
    if source is None:
        return ""
    try:
        if source == "-" and talk.asks:
            return _typed(talk, "")
        if source == "-":
            return login.as_key(sys.stdin.buffer.read(login.MOST_KEY))
        return login.as_key(durable.read(os.path.realpath(source), login.MOST_KEY))
    except OSError as error:
        raise BadData(f"{OPTION}: {source}: {error.strerror}") from error
    except (BadConfig, BadData) as error:
        raise BadData(f"{OPTION}: {source}: {error}") from error


def key(talk: Talk, given: str, before: Present, agent: Agent, *, prove: bool) -> str:
    """The key that Claude Code shall have; empty if it has none.  Raises NotPermitted if one that was given is refused.

    A key that is in place is not sent to another address than before, but where a person says so.
    """
    environment = before.config.claude.environment
    if given or not talk.asks:
        if given:
            _look(talk, given, agent.base_url)
        if given and prove:
            proved(talk, given, agent.base_url, environment)
        elif not given and before.key and agent.base_url != before.config.claude.base_url:
            talk.note(f"the key in place is sent to {agent.base_url or login.VENDOR} from now on", f"another: {OPTION}")
        return given or before.key
    if not login.needed(environment):
        talk.note("the agent needs no key: claude.environment says how it logs in")
        return before.key
    offered = before.key
    while True:
        said = _typed(talk, offered) or offered
        if not said:
            talk.warn("the agent has no key", LATER)
            return ""
        _look(talk, said, agent.base_url)
        where = urlsplit(agent.base_url or login.VENDOR).hostname
        if not prove or not talk.confirm(f"Try it now? One request to {where}, for its list of models"):
            talk.note(f"{login.kind(said)}, not tried")
            return said
        try:
            proved(talk, said, agent.base_url, environment)
            return said
        except NotPermitted as error:
            talk.fail(error)
            offered = ""


def check(talk: Talk, key: str, claude: Claude, *, prove: bool) -> None:
    """A key that changes alone.  Raises NotPermitted if it is refused."""
    _look(talk, key, claude.base_url)
    if prove:
        proved(talk, key, claude.base_url, claude.environment)


def proved(talk: Talk, key: str, base_url: str, environment: Mapping[str, str]) -> None:
    """Ask the API whether it takes the key; one that cannot be tried is a warning.  Raises NotPermitted."""
    kind = login.kind(key)
    try:
        login.proved(key, base_url, environment, ANSWERS_WITHIN)
    except NotPermitted as error:
        hint = "make another one; to write it untried: --no-key-check"
        raise NotPermitted(f"the agent's {kind}: {error}", hint) from error
    except PcoError as error:
        talk.warn(f"the agent's {kind} could not be tried: {error}", "the first session will show whether it is taken")
    else:
        talk.ok(f"the agent's {kind} is taken by {urlsplit(base_url or login.VENDOR).hostname}")


def _look(talk: Talk, key: str, base_url: str) -> None:
    """Warn of what can be seen without asking anybody."""
    if doubt := login.doubt(key, base_url):
        talk.warn(f"the agent's key: {doubt}", "was it copied whole?")
    parts = urlsplit(base_url)
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        talk.warn("http: everybody on the way can read the agent's key", "use https where the gateway has it")


def _typed(talk: Talk, offered: str) -> str:
    """What a person types; empty for what is offered, or for none."""
    keep = " (Enter: as before)" if offered else " (Enter: none for now)"
    while True:
        said = talk.secret(f"{_QUESTION}{keep}")
        try:
            return login.as_key(said.encode("ascii", "replace")) if said else ""
        except BadConfig as error:
            talk.fail(error)
