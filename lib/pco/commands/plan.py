"""What a session needs, made while its ticket is still approved: what can fail fails before the claim."""

import secrets
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pco.commands import purse
from pco.ground import attempt, durable
from pco.ground.attempt import Launch
from pco.ground.config import Project
from pco.ground.errors import BadConfig, BadData, SystemFault
from pco.ground.frozen import dataclass
from pco.ground.ticket import Ticket
from pco.outside import agents
from pco.outside.agents import Prepared
from pco.outside.git import Mirror, branch_of
from pco.outside.runners import Place, Runner
from pco.rules import budget, prompt
from pco.run import Pco, share

MOST_TEMPLATE = 1 << 20


@dataclass(frozen=True)
class Plan:
    """The next attempt of a ticket: `home` is its folder, `files` (name: content) lie in it beside launch.json.

    `sealed`: the session is given the repository as a bundle, for it does not see the mirror.
    """

    ticket: Ticket
    home: Path
    launch: Launch
    files: dict[str, bytes]
    sealed: bool = False


def draw_up(pco: Pco, ticket: Ticket, runner: Runner) -> Plan:
    """Make the plan of the next attempt.  Raises BadConfig if the template or the agent's configuration is wrong."""
    project = project_of(pco, ticket)
    number = len(ticket.round.attempts) + 1
    home = attempt.folder(pco.config.paths.sessions, ticket.key, ticket.round.n, number)
    place = runner.place(home)
    where = prompt.target_of(project, pco.config)
    claude, conversation = pco.config.claude_of(project), prompt.conversation(ticket)
    session = agents.Session(
        key=ticket.key,
        round=ticket.round.n,
        attempt=number,
        home=home,
        prompt=home / "prompt.md",
        workspace=place.workspace,
        out=place.out,
        command=pco.config.sessions.command,
        permission_mode=where.permission_mode,
        claude=replace(claude, template=claude.template or share("claude/template")),
        conversation=conversation,
        left=budget.left(ticket, purse.read(pco)),
    )
    agent = prompt.SCRIPTED if ticket.scripted else pco.config.agent
    prepared = agents.named(agent).prepare(session)
    form, nonce = template(pco), secrets.token_hex(8)
    words = {"prompt.md": prompt.render(form, ticket, where, nonce, resumed=bool(conversation))}
    if conversation:
        words[attempt.AFRESH] = prompt.render(form, ticket, where, nonce)
    files = {**{name: text.encode("utf-8", "replace") for name, text in words.items()}, **prepared.files}
    return Plan(ticket, home, _launch(pco, project, session, prepared, place, agent), files, place.sealed)


def lay_out(plan: Plan) -> None:
    """Make the attempt's folder, whole and flushed, for the session's user to read.  Raises SystemFault, TryLater."""
    home = plan.home
    try:
        with suppress(FileExistsError):
            home.parent.mkdir()
            home.parent.chmod(0o755)
        _clear(home)
        for folder in (home,) if plan.sealed else (home, Path(plan.launch.out)):
            folder.mkdir()
            folder.chmod(0o755)  # whatever the umask
        if plan.sealed:
            Mirror(Path(plan.launch.mirror), "").export(Path(plan.launch.source), plan.launch.base, plan.launch.branch)
        for name, content in plan.files.items():
            durable.write_new(home / name, content, 0o644)
        attempt.write_launch(home, plan.launch)
        for folder in (home.parent, home.parent.parent):
            durable.sync_folder(folder)
    except OSError as error:
        raise SystemFault(f"{error.filename or home}: {error.strerror}") from error


def give_up(plan: Plan) -> None:
    """The ticket was not claimed: remove the folder."""
    shutil.rmtree(plan.home, ignore_errors=True)


def project_of(pco: Pco, ticket: Ticket) -> Project:
    """The ticket's project; admission keeps back what has none."""
    project = pco.config.project(ticket.project)
    assert project, ticket.key
    return project


def mirror_of(pco: Pco, project: Project) -> Path:
    """Where the mirror of a project is."""
    return pco.config.paths.mirrors / f"{project.id}.git"


def _clear(home: Path) -> None:
    """Make way: what was never begun goes (a run that died before its claim), what ran is kept under another name."""
    if (home / "out" / "birth").exists():
        # By a spool that was restored from a backup; this birth would keep the new attempt from beginning.
        home.rename(home.with_name(f"{home.name}.{time.time_ns()}"))
    elif home.exists():
        shutil.rmtree(home)


def template(pco: Pco) -> str:
    """The form of the prompt: that of the configuration, else the installed one.  Raises BadConfig."""
    path = pco.config.sessions.prompt or share("prompt.md")
    try:
        return durable.read(path, MOST_TEMPLATE).decode("utf-8")
    except OSError as error:
        raise BadConfig(f"sessions.prompt: {path}: {error.strerror}") from error
    except (BadData, UnicodeDecodeError) as error:
        raise BadConfig(f"sessions.prompt: {path}: {error}") from error


def _launch(
    pco: Pco, project: Project, session: agents.Session, prepared: Prepared, place: Place, agent: str
) -> Launch:
    return Launch(
        key=session.key,
        round=session.round,
        attempt=session.attempt,
        out=str(place.out),
        workspace=str(session.workspace),
        mirror=str(mirror_of(pco, project)),
        base=project.branch,
        branch=branch_of(session.key),
        prompt=str(session.prompt),
        trigger=str(pco.config.paths.trigger),
        argv=prepared.argv,
        environment=dict(prepared.environment),
        agent=agent,
        source=str(session.home / attempt.SOURCE) if place.sealed else "",
        clone_within=pco.config.sessions.clone_within.total_seconds(),
        # Often enough that a screen that changes is never taken for a stalled session.
        screen_every=min(60.0, pco.config.sessions.stall_after.total_seconds() / 4),
    )
