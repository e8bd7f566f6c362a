"""Plane and the agent: the token, the workspace, the projects; what the agent is configured with."""

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from pco.checks import Finding, Site, checks, fail, not_applicable, ok, unseen, warn, worst
from pco.ground.config import Project
from pco.ground.errors import BadConfig, NotPermitted, PcoError
from pco.outside import process, reach
from pco.outside.agents.claude import folder, settings
from pco.outside.plane import Forbidden, Person, Plane, ProjectInfo

MEMBER = 15  # a guest may not change states
ANSWER = timedelta(seconds=4)
_HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "pco-doctor", "version": "1"},
}
_AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--")
T = TypeVar("T")


@checks("2.1")
def token(site: Site) -> Finding:
    """Whose token it is, and what its user may do in each project."""
    me, every = _me(site), _projects(site)
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
    return ok(f"it is {me.name}'s, a member of all {len(site.config.plane.projects)} projects")


@checks("2.2")
def workspace(site: Site) -> Finding:
    """Whether the workspace answers to this token."""
    name = site.config.plane.workspace
    try:
        return ok(f"{name}: {len(_projects(site))} projects can be seen")
    except Forbidden as error:
        return fail(f"{name}: {error}", "sudo pco-setup (the name stands in Plane's address: URL/WORKSPACE/)")


@checks("2.3")
def projects(site: Site) -> Finding:
    """Whether each configured project exists, is open, and has a key and a repository that can be used."""
    wanted = site.config.plane.projects
    if not wanted:
        return fail("no project is configured", "sudo pco-setup")
    known = {project.id: project for project in _projects(site)}
    taken: dict[str, str] = {}
    found = []
    for each in wanted:
        project = known.get(each.id)
        name = _name(each, project)
        if project is None:
            found.append(fail(f"{name} does not exist, or this token does not see it", "sudo pco-setup"))
            continue
        key = each.key or project.identifier.upper()
        if project.archived:
            found.append(fail(f"{name} is archived in Plane", "restore it there, or take it out: sudo pco-setup"))
        if key in taken:
            found.append(fail(f"{name} and {taken[key]} have the same key {key}", "set key: for one of them"))
        taken[key] = name
        if each.repository.startswith("/") and not site.at(each.repository).is_dir():
            found.append(fail(f"{name}: {each.repository} is not there", "sudo pco-setup"))
    return worst(found) if found else ok(", ".join(f"{key} ({name})" for key, name in taken.items()))


@checks("2.4")
def agent(site: Site) -> Finding:
    """Whether the agent's configuration is whole, and its program where a session can run it."""
    config = site.config
    if config.agent != "claude":
        return (
            _reachable(Path(config.sessions.command[0]))
            if config.sessions.command
            else fail("no agent", "sudo pco-setup")
        )
    found = [_reachable(config.claude.program)]
    if config.claude.template:
        folder.seed(config.claude.template)  # raises what is wrong with it
        found.append(_roots_own(config.claude.template))
    for path in {config.claude.mcp_config, *(project.claude.mcp_config for project in config.plane.projects)} - {None}:
        assert path
        settings.servers(path)
        found.append(_roots_own(path))
    told = worst(found)
    return told if told.status != "ok" else ok("; ".join(f.evidence for f in found))


@checks("2.5")
def servers(site: Site) -> Finding:
    """Whether each server of tools starts, as nobody, and lists its tools."""
    config = site.config
    paths = {config.claude.mcp_config, *(project.claude.mcp_config for project in config.plane.projects)} - {None}
    if config.agent != "claude" or not paths:
        return not_applicable("no server of tools is configured (claude.mcp_config)")
    found = []
    for path in paths:
        assert path
        value = json.loads(settings.servers(path))["mcpServers"]
        found += [_listed(site, name, server) for name, server in value.items()]
    return worst(found) if found else not_applicable("claude.mcp_config names no server")


def _plane(site: Site) -> Plane:
    if site.plane is None:
        raise NotPermitted("Plane is not asked", "")
    try:
        return site.once("plane", site.plane)
    except BadConfig as error:
        if not site.root and site.config.plane.token_file is None:
            raise NotPermitted("the token is for root and the units alone", "sudo pco-doctor") from error
        raise


def _me(site: Site) -> Person:
    return site.once("me", lambda: _asked(_plane(site).me))


def _projects(site: Site) -> tuple[ProjectInfo, ...]:
    return site.once("projects", lambda: _asked(_plane(site).projects))


def _asked(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except Forbidden as error:
        if error.kind == "token":
            raise BadConfig(str(error), "sudo pco-setup --token-file FILE, with a new token of Plane") from error
        raise


def _name(wanted: Project, project: ProjectInfo | None) -> str:
    return project.name or project.identifier if project else wanted.key or wanted.id


def _reachable(path: Path) -> Finding:
    if not path.is_absolute():
        return ok(f"{path}, by the path")
    try:
        why = reach.obstacle(path)
    except OSError as error:
        return fail(f"{path}: {error.strerror}", "sudo pco-setup")
    return (
        fail(f"{path}: {why}", "put it where every user can run it, such as /usr/local/bin") if why else ok(str(path))
    )


def _roots_own(path: Path) -> Finding:
    facts = os.stat(path)
    if facts.st_uid != 0 or facts.st_mode & 0o022:
        return warn(f"others than root may change {path}", f"sudo chown -R root: {path} && sudo chmod -R go-w {path}")
    return ok(str(path))


def _listed(site: Site, name: str, server: Any) -> Finding:
    if not isinstance(server, dict) or not isinstance(server.get("command"), str):
        return unseen(f"{name} is no program on this machine: it is not started", "try it in a session")
    argv = [server["command"], *map(str, server.get("args") or [])]
    asked = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": _HELLO},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
    ]
    reading, writing = os.pipe()
    try:
        os.write(writing, "".join(json.dumps(one) + "\n" for one in asked).encode())
        os.close(writing)
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", **_strings(server.get("env"))}
        argv = [*(_AS_NOBODY if site.root else ()), *argv]
        said = process.run(argv, environment, ANSWER, 1 << 20, stdin=reading, cwd=Path("/"))
    except PcoError as error:
        return fail(f"{name}: {error}", f"try it by hand: {' '.join(argv)}")
    finally:
        os.close(reading)
    tools = _tools(said.out)
    if tools is None:
        return fail(f"{name} starts, but lists no tools (exit {said.code})", f"try it by hand: {' '.join(argv)}")
    return ok(f"{name}: {', '.join(tools[:8])}{' …' if len(tools) > 8 else ''}")


def _tools(out: bytes) -> list[str] | None:
    for line in out.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and value.get("id") == 2 and isinstance(value.get("result"), dict):
            return [str(tool.get("name")) for tool in value["result"].get("tools", []) if isinstance(tool, dict)]
    return None


def _strings(value: Any) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, dict) else {}
