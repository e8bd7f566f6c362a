"""Plane at its address, with a token, in a workspace: each tried at once, and asked for again where it is wrong."""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

from pco.commands.setting.talk import Talk
from pco.ground import apitoken, readers, text
from pco.ground.errors import BadConfig, PcoError
from pco.ground.frozen import dataclass
from pco.outside.plane import Forbidden, Person, Plane, ProjectInfo
from pco.rules import answers

TIMEOUT = timedelta(seconds=15)
PATIENCE = timedelta(seconds=75)  # Plane throttles by the minute, and a pco that runs uses the same token
MEMBER = 15  # a guest may not change states
_TOKEN_HINT = (
    "in Plane: a user of its own for pco, there Profile settings, Personal access tokens (or API tokens); copy it whole"  # noqa: S105
)
_MEMBER_HINT = "in Plane: the project's settings, Members; role Member"


@dataclass(frozen=True)
class Access:
    """What Plane is asked with; what is empty is not known."""

    url: str = ""
    workspace: str = ""
    token: str = ""


@dataclass(frozen=True)
class Site:
    """A Plane that answers: who pco is there, and the projects it can work in."""

    access: Access
    plane: Plane
    me: Person
    projects: tuple[ProjectInfo, ...]


def reach(talk: Talk, given: Access, offered: Access) -> Site:
    """Reach Plane with what was `given`; what is missing is asked for, with what is `offered` as default.

    Raises what is wrong where nobody can be asked.
    """
    while True:
        access = _asked(talk, given, offered)
        try:
            return _reached(talk, access)
        except PcoError as error:
            if not talk.asks:
                raise
            talk.fail(error)
            given = _without_the_wrong(error, access)
            offered = replace(access, token=given.token)


def _asked(talk: Talk, given: Access, offered: Access) -> Access:
    url = given.url or talk.ask("Address of Plane", offered.url, address)
    workspace = given.workspace or talk.ask("Workspace (in Plane's address: URL/WORKSPACE/)", offered.workspace, slug)
    return Access(url, workspace, given.token or _token(talk, offered))


def _token(talk: Talk, offered: Access) -> str:
    keep = " (Enter: as before)" if offered.token else ""
    while True:
        said = talk.secret(f"API token of the user that pco is in Plane; it is not shown{keep}")
        try:
            return apitoken.parse(said.encode()) if said or not offered.token else offered.token
        except BadConfig as error:
            talk.fail(error)


def _without_the_wrong(error: PcoError, access: Access) -> Access:
    """What need not be asked again."""
    if isinstance(error, Forbidden) and error.kind == "token":
        return replace(access, token="")
    if isinstance(error, Forbidden) and error.kind == "permission":
        return replace(access, workspace="")
    return replace(access, url="")


def _reached(talk: Talk, access: Access) -> Site:
    plane = Plane(access.url, access.workspace, access.token, TIMEOUT, patience=PATIENCE)
    parts = urlsplit(access.url)
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        talk.warn("http: everybody on the way can read the token", "use https where Plane has it")
    me = _me(plane, access.url)
    talk.ok(f"Plane at {access.url}")
    talk.ok(f"token of {me.name}")
    try:
        every = plane.projects()
    except Forbidden as error:
        error.hint = "the workspace stands in Plane's address: URL/WORKSPACE/; is the token's user invited to it?"
        told = f"Plane has no workspace {access.workspace} that {me.name} is in"
        raise Forbidden(told, error.kind, error.hint) from error
    fit = tuple(p for p in every if p.is_member and not p.archived and (p.role is None or p.role >= MEMBER))
    talk.ok(f"workspace {access.workspace}: {text.count(len(fit), 'project')} that {me.name} can work in")
    if others := [p for p in every if p not in fit and not p.archived]:
        names = [f"{p.identifier} ({'guest' if p.is_member else 'no member'})" for p in others[:10]]
        talk.note(f"not for {me.name}: {', '.join(names)}{', ...' if others[10:] else ''}", _MEMBER_HINT)
    if not fit:
        raise BadConfig(f"{me.name} can work in no project of {access.workspace}", _MEMBER_HINT)
    return Site(access, plane, me, fit)


def _me(plane: Plane, url: str) -> Person:
    try:
        return plane.me()
    except PcoError as error:
        if isinstance(error, Forbidden) and error.kind == "token":
            error.hint = _TOKEN_HINT
        error.args = (f"{url}: {error}",)
        raise


def address(value: str) -> str:
    """An address of Plane.  Raises ValueError."""
    return readers.url(value)


def slug(value: str) -> str:
    """A workspace's name in addresses.  Raises ValueError."""
    if not answers.WORKSPACE.fullmatch(value):
        raise ValueError("expected the name in the workspace's address, such as acme")
    return value
