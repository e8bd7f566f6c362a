"""Plane and the agent: the token, the workspace, the projects; what the agent is configured with."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

from pco.checks import Finding, Site, checks, fail, not_applicable, ok, unseen, warn, worst
from pco.ground import text
from pco.ground.config import Project
from pco.ground.errors import BadConfig, NotPermitted, PcoError
from pco.ground.ticket import KEY, LOCAL
from pco.outside import mcp, reach, upstream
from pco.outside.agents.claude import folder, settings
from pco.outside.plane import Forbidden, Person, Plane, ProjectInfo, Throttled

MEMBER = 15  # a guest may not change states
ANSWER = timedelta(seconds=4)
USER = "pco"  # whose units fetch repositories
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


@checks("2.1")
def token(site: Site) -> Finding:
    """Whose token it is, and what its user may do in each project."""
    me, every = _asked(site)
    known = {project.id: project for project in every}
    poor = []
    for wanted in site.config.plane.projects:
        project = known.get(wanted.id)
        if project is None or not project.is_member:
            poor.append(f"no member of {_name(wanted, project)}")
        elif project.role is not None and project.role < MEMBER:
            poor.append(f"a guest of {_name(wanted, project)}")
    if poor:
        return fail(f"{me.name} is {', '.join(poor)}", "in Plane: the project's settings, Members; role Member")
    return ok(f"it is {me.name}'s, a member of {text.count(len(site.config.plane.projects), 'project')}")


@checks("2.2")
def workspace(site: Site) -> Finding:
    """Whether the workspace answers to this token."""
    name = site.config.plane.workspace
    try:
        return ok(f"{name}: {text.count(len(_asked(site)[1]), 'project')} can be seen")
    except Forbidden as error:
        return fail(
            f"{name}: {error}", "sudo pco-setup --yes --workspace NAME (it stands in Plane's address: URL/NAME/)"
        )


@checks("2.3")
def projects(site: Site) -> Finding:
    """Whether each configured project exists, is open, and has a key and a repository that can be used."""
    wanted = site.config.plane.projects
    if not wanted:
        return fail("no project is configured", "sudo pco-setup")
    if site.comment and (wrong := site.comment()):
        return fail(f"no comment could be made: {wrong}", "mend it, then: pco-config check")
    with ThreadPoolExecutor(len(wanted)) as crew:
        repositories = crew.map(lambda project: _repository(site, project), wanted)
        known = {project.id: project for project in _asked(site)[1]}
        found, taken = [], dict[str, str]()
        for each, repository in zip(wanted, repositories, strict=True):
            found.append(_usable(each, known.get(each.id), taken))
            found.append(repository)
    told = worst(found)
    return told if told.status != "ok" else ok(", ".join(f"{key} ({name})" for key, name in taken.items()))


def _usable(wanted: Project, project: ProjectInfo | None, taken: dict[str, str]) -> Finding:
    name = _name(wanted, project)
    if project is None:
        return fail(f"{name} does not exist, or this token does not see it", "sudo pco-setup")
    key = wanted.key or project.identifier
    owner = taken.setdefault(key, name)
    if project.archived:
        return fail(f"{name} is archived in Plane", "restore it there, or take it out: sudo pco-setup")
    if not KEY.fullmatch(f"{key}-1") or key == LOCAL:
        return fail(f"{name}: {text.line(key, 40)!r} is no safe name for tickets", "sudo pco-setup (give it a key)")
    if owner is not name:
        return fail(f"{name} and {owner} have the same key {key}", "sudo pco-setup (give one of them another key)")
    return ok(name)


def _repository(site: Site, project: Project) -> Finding:
    """Whether it answers to who fetches it, and has the branch."""
    where = text.line(re.sub(r"//[^/@\s]*@", "//", project.repository), 200)
    as_pco = f"sudo -u {USER} " if site.systemd else ""
    mend = f"{as_pco}git ls-remote {where} says why"
    try:
        heads = upstream.heads(project.repository, ANSWER, USER if site.systemd else "")
    except PcoError as error:
        if site.systemd and not site.root:
            return unseen(f"{where} does not answer to this user: {error}")
        return fail(f"{where}: {error}", error.hint or mend)
    if project.branch not in heads.branches:
        return fail(f"{where} has no branch {project.branch}", "sudo pco-setup (name one that is there)")
    return ok(where)


@checks("2.4")
def agent(site: Site) -> Finding:
    """Whether the agent's configuration is whole, and its program where a session can run it."""
    config = site.config
    if config.agent != "claude":
        command = config.sessions.command
        return reachable(site, Path(command[0])) if command else fail("there is no agent", "sudo pco-setup")
    found = [reachable(site, config.claude.program)]
    if config.claude.template:
        folder.seed(config.claude.template)  # raises what is wrong with it
        found.append(_roots_own(site, config.claude.template))
    for path in _servers(site):
        settings.servers(path)
        found.append(_roots_own(site, path))
    told = worst(found)
    return told if told.status != "ok" else ok("; ".join(f.evidence for f in found))


@checks("2.5")
def servers(site: Site) -> Finding:
    """Whether each server of tools starts, as nobody, and lists its tools."""
    paths = _servers(site)
    if site.config.agent != "claude" or not paths:
        return not_applicable("no server of tools is configured (claude.mcp_config)")
    named: dict[tuple[str, str], Any] = {}
    for path in paths:
        named |= {
            (name, str(server)): server for name, server in json.loads(settings.servers(path))["mcpServers"].items()
        }
    with ThreadPoolExecutor(max(len(named), 1)) as crew:
        found = list(crew.map(lambda one: _listed(site, one[0][0], one[1]), named.items()))
    return worst(found) if found else not_applicable("claude.mcp_config names no server")


def _servers(site: Site) -> list[Path]:
    """The files that name servers of tools."""
    named = (site.config.claude.mcp_config, *(project.claude.mcp_config for project in site.config.plane.projects))
    return sorted({path for path in named if path})


def _plane(site: Site) -> Plane:
    if site.plane is None:
        raise NotPermitted("Plane is not asked", "")
    try:
        return site.plane()
    except BadConfig as error:
        if site.systemd and not site.root:
            raise NotPermitted("the token is for root and the units alone", "sudo pco-doctor") from error
        raise


def _asked(site: Site) -> tuple[Person, tuple[ProjectInfo, ...]]:
    """Whose the token is, and all projects that it sees: two requests for all boxes."""

    def ask() -> tuple[Person, tuple[ProjectInfo, ...]]:
        plane = _plane(site)
        try:
            return plane.me(), plane.projects()
        except Forbidden as error:
            if error.kind == "token":
                raise BadConfig(
                    str(error), "sudo pco-setup --yes --token-file FILE, with a new token of Plane"
                ) from error
            raise
        except Throttled as error:
            seconds = error.retry_after.total_seconds()
            raise NotPermitted(str(error), f"pco-doctor, in {seconds:.0f} s") from error
        finally:
            plane.close()

    return site.once("asked", ask)


def _name(wanted: Project, project: ProjectInfo | None) -> str:
    return project.name or project.identifier if project else wanted.key or wanted.id


def reachable(site: Site, path: Path) -> Finding:
    """Whether sessions can run a program."""
    if not path.is_absolute():
        found = site.program(str(path))
        return ok(f"{path}: {found}") if found else fail(f"{path} is not in the path of sessions", "sudo pco-setup")
    try:
        why = reach.obstacle(path)
    except OSError as error:
        return fail(f"{path}: {error.strerror}", "sudo pco-setup")
    if why and site.systemd:
        return fail(f"{path}: {why}", f"sudo install -m 755 {path} /usr/local/bin/, and name it there: sudo pco-setup")
    return ok(str(path))


def _roots_own(site: Site, path: Path) -> Finding:
    facts = path.stat()
    if facts.st_uid not in (0, site.config_path.stat().st_uid) or facts.st_mode & 0o022:
        return warn(f"others than root may change {path}", f"sudo chown -R root: {path} && sudo chmod -R go-w {path}")
    return ok(str(path))


def _listed(site: Site, name: str, server: Any) -> Finding:
    shown = text.line(name, 60)
    if not isinstance(server, dict) or not isinstance(server.get("command"), str):
        return unseen(
            f"{shown} is no program on this machine: it is not started", "try it in a session, and attest 2.5"
        )
    given = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", **site.config.claude.environment}
    own: Any = server.get("env")
    more = own.items() if isinstance(own, dict) else ()
    environment = {**given, **{str(key): _filled(str(value), given) for key, value in more}}
    argv = [_filled(word, environment) for word in (server["command"], *map(str, server.get("args") or []))]
    by_hand = f"try it by hand: {text.line(' '.join(argv), 200)}"
    try:
        tools = mcp.tools([*(reach.NOBODY if site.root else ()), *argv], environment, ANSWER)
    except PcoError as error:
        return fail(f"{shown}: {error}", by_hand)
    if not tools:
        return warn(f"{shown} starts, and has no tools", by_hand)
    return ok(f"{shown}: {', '.join(tools[:8])}{' …' if len(tools) > 8 else ''}")


def _filled(words: str, variables: dict[str, str]) -> str:
    """The words with ${NAME} and ${NAME:-else} as the agent fills them in."""
    return _VARIABLE.sub(lambda found: variables.get(found[1], found[2] or ""), words)
