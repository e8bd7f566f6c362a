"""What pco shall serve, chosen from what is there: projects, repositories, states, labels.

What an option says is taken, or is a usage error; else a person is asked; else it stays as it was.
"""

import re
import shlex
from collections.abc import Sequence
from datetime import timedelta

import click

from pco.commands.setting.reaching import Site
from pco.commands.setting.talk import Talk
from pco.ground import text
from pco.ground.config import Config, Project, Triggers
from pco.ground.errors import BadConfig, PcoError
from pco.ground.frozen import dataclass
from pco.ground.ticket import PlaneState
from pco.outside import reach, upstream
from pco.outside.plane import ProjectInfo
from pco.rules import answers, workflow
from pco.rules.answers import Chosen, Wanted

ANSWERS_WITHIN = timedelta(seconds=30)
GROUPS = ("group:started", "group:completed", workflow.NONE)
_SSH = re.compile(r"ssh://|[^/:]+@[^/:]+:")


@dataclass(frozen=True)
class Lists:
    """What the chosen projects have: states in the order of the workflow by project, names of labels."""

    states: dict[str, tuple[PlaneState, ...]]
    labels: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all states, each once."""
        return tuple(dict.fromkeys(state.name for states in self.states.values() for state in states))


# Projects.


def projects(talk: Talk, site: Site, wanted: Sequence[Wanted], before: Config, user: str) -> tuple[Chosen, ...]:
    """The projects to serve, each with its repository, branch and key; `user`: who fetches, if it is not the caller."""
    known = {project.id: project for project in before.plane.projects}
    chosen: list[Chosen] = []
    for info, want in _infos(talk, site, wanted, known):
        taken = [other.key for other in chosen]
        chosen.append(_project(talk, info, want, known.get(info.id), taken, user))
    return tuple(chosen)


def _infos(
    talk: Talk, site: Site, wanted: Sequence[Wanted], known: dict[str, Project]
) -> list[tuple[ProjectInfo, Wanted]]:
    rows = [(info.identifier, info.name, info.id) for info in site.projects]
    if wanted:
        return [(site.projects[_index(want, rows)], want) for want in wanted]
    here = [info for info in site.projects if info.id in known]
    for id in known.keys() - {info.id for info in here}:
        talk.warn(f"project {id} of the present configuration: Plane has none such for {site.me.name}; left out")
    if not talk.asks:
        return [(info, Wanted("")) for info in here]
    default = ",".join(str(n) for n, info in enumerate(site.projects, 1) if info in here or len(rows) == 1)
    numbers = talk.choose(f"Projects of {site.access.workspace}", rows, default)
    return [(site.projects[number], Wanted("")) for number in numbers]


def _index(want: Wanted, rows: Sequence[Sequence[str]]) -> int:
    exact = [n for n, row in enumerate(rows) if want.name in (row[0], row[2])]
    try:
        found = exact or answers.picked(want.name, rows)
    except ValueError as error:
        raise click.UsageError(f"--project: {error}") from None
    if len(found) != 1:
        raise click.UsageError("--project: expected one project: KEY=REPOSITORY")
    return found[0]


def _project(
    talk: Talk, info: ProjectInfo, want: Wanted, before: Project | None, taken: list[str], user: str
) -> Chosen:
    label = text.line(info.identifier, 40)
    if talk.asks:
        click.echo(err=True)
    key = want.key or (before.key if before else "")
    if want.key and not answers.fit(want.key):
        raise click.UsageError(f"--project {label}: the key {want.key!r} is none: 1 to 12 of A-Z 0-9 _")
    if not answers.fit(key or info.identifier) or (key or info.identifier) in taken:
        key = _key(talk, info, taken)
    repository, found = _repository(talk, info, want.repository, before.repository if before else "", user)
    branch = want.branch or (before.branch if before else "")
    offered = branch or (found.default if found else "") or "main"
    if talk.asks and not (want.repository or want.branch):
        branch = talk.ask(f"{label}: branch to begin from", offered, lambda said: _branch(info.id, said))
    try:
        entry = answers.entry(info.id, repository, branch or offered, key)
    except ValueError as error:
        raise click.UsageError(f"--project {label}: {error}") from None
    if found and entry.branch not in found.branches:
        near = text.meant(entry.branch, list(found.branches))
        talk.warn(f"{label}: the repository has no branch {entry.branch}{near}", "sessions begin from it: push one")
    elif found:
        talk.ok(f"{label}: {repository} has branch {entry.branch}")
    return Chosen(entry, info.identifier, info.name)


def _key(talk: Talk, info: ProjectInfo, taken: list[str]) -> str:
    shown, near = text.line(info.identifier, 40), answers.proposed(info.identifier, taken)
    why = f"{shown!r} is no safe name for tickets" if info.identifier not in taken else f"{shown} is another's key"
    if not talk.asks:
        spec = f"{shown}:{near or 'KEY'}=REPOSITORY"
        raise click.UsageError(f"{why}; give the project a key: --project {shlex.quote(spec)}")
    talk.note(f"{why}: 1 to 12 of A-Z 0-9 _")

    def check(said: str) -> str:
        if not answers.fit(said) or said in taken:
            raise ValueError("a key has 1 to 12 of A-Z 0-9 _, and each project its own")
        return said

    return talk.ask(f"{shown}: key of its tickets", near, check)


def _repository(
    talk: Talk, info: ProjectInfo, wanted: str, before: str, user: str
) -> tuple[str, upstream.Heads | None]:
    """Where a project's sources are, and what is there; one that does not answer may be the right one all the same."""
    label = text.line(info.identifier, 40)
    if not talk.asks or wanted:
        if not (wanted or before):
            raise click.UsageError(f"--project {label}: which repository?  --project {label}=REPOSITORY[#BRANCH]")
        try:
            repository = answers.entry(info.id, wanted or before, "main").repository
        except ValueError as error:
            raise click.UsageError(f"--project {label}: {error}") from None
        return repository, _looked(talk, label, repository, user)
    while True:
        question = f"{label}: repository (path or address)"
        repository = talk.ask(question, before, lambda said: answers.entry(info.id, said, "main").repository)
        found = _looked(talk, label, repository, user)
        if found or talk.confirm("Keep it all the same?"):
            return repository, found
        before = repository


def _branch(id: str, said: str) -> str:
    return answers.entry(id, "/", said).branch


def _looked(talk: Talk, label: str, repository: str, user: str) -> upstream.Heads | None:
    """What is in a repository, as the user who fetches reaches it; None, with a warning, if it does not."""
    if user and any(repository == folder or repository.startswith(f"{folder}/") for folder in reach.PRIVATE):
        talk.warn(f"{label}: pco's units do not see what is under {repository}", "move it, to /srv/git say")
    try:
        return upstream.heads(repository, ANSWERS_WITHIN, user)
    except PcoError as error:
        become = f"sudo -u {user} -H " if user else ""
        needs = "an ssh key there and the host's key here are needed; " if _SSH.match(repository) else ""
        hint = error.hint or f"{needs}what does this say: {become}git ls-remote {shlex.quote(repository)}"
        talk.warn(f"{label}: {repository}: {error}", hint)
        return None


# States and labels.


def lists(site: Site, chosen: Sequence[Chosen]) -> Lists:
    """The states and labels of the chosen projects.  Raises what Plane says."""
    states, labels = {}, dict[str, None]()
    for project in chosen:
        found = sorted(site.plane.states(project.entry.id), key=lambda each: each.sequence)
        states[project.key] = tuple(each.state for each in found if each.state.group != "triage")
        labels.update(dict.fromkeys(sorted(site.plane.labels(project.entry.id).values(), key=str.casefold)))
    return Lists(states, tuple(labels))


def into_states(talk: Talk, found: Lists, wanted: Sequence[str], before: Sequence[str]) -> tuple[str, ...]:
    """The states that make a ticket of what is moved into them."""
    if wanted:
        return _named("--into-state", wanted, found.names)
    groups = {state.name: state.group for states in found.states.values() for state in states}
    here = _known(before or Triggers().into_states, found.names)
    here = here or tuple(name for name in found.names if groups[name] in ("unstarted", "started"))
    if talk.asks:
        rows = [(name, groups[name]) for name in found.names]
        title = "States: an item moved into one of these is work for pco"
        return tuple(found.names[n] for n in talk.choose(title, rows, _numbers(here, found.names)))
    return tuple(before) if _told_missing(talk, "triggers.into_states", before, found.names) else here


def labels(talk: Talk, found: Lists, wanted: Sequence[str], before: Sequence[str]) -> tuple[str, ...]:
    """The labels of which an item must have one; none: every item is taken."""
    if wanted:
        return _named("--label", [name for name in wanted if name not in ("", answers.NOTHING)], found.labels)
    if talk.asks and found.labels:
        here = _numbers(_known(before, found.labels), found.labels) or answers.NOTHING
        title = "Labels: only items with one of these are taken; with none of them, all items"
        return tuple(found.labels[n] for n in talk.choose(title, [(n,) for n in found.labels], here, empty=True))
    _told_missing(talk, "filters.labels", before, found.labels)
    return tuple(before)


def post_state(talk: Talk, found: Lists, wanted: str, before: str) -> str:
    """Where an item goes with the comment."""
    offered = (*GROUPS, *found.names)
    groups = {f"{workflow.GROUP}{s.group}" for states in found.states.values() for s in states}
    state = wanted if wanted in groups else _named("--post-state", [wanted], offered)[0] if wanted else before
    if talk.asks and not wanted:
        about = {GROUPS[0]: "the first state under way", GROUPS[1]: "the first state that is done", GROUPS[2]: "stays"}
        rows = [(name, about.get(name, "")) for name in offered]
        default = _numbers([before], offered)
        state = offered[talk.choose("With the comment the item goes to", rows, default, one=True)[0]]
    for key, states in found.states.items() if state != workflow.NONE else ():
        try:
            workflow.goal(states, state, states[0])
        except BadConfig as error:
            talk.warn(f"{key}: {error}", "its items stay where they are; group:NAME suits every project")
    return state


def _named(option: str, wanted: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The names as Plane writes them.  Raises UsageError."""
    found: list[str] = []
    for name in wanted:
        here = _known([name], known)
        if not here:
            has = text.line(", ".join(known), 300) or "none"
            raise click.UsageError(f"{option}: Plane has no {name!r}{text.meant(name, list(known))}; it has: {has}")
        found += here
    return tuple(dict.fromkeys(found))


def _known(names: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Those of `names` that are known; upper and lower case do not matter."""
    wanted = {name.strip().casefold() for name in names}
    return tuple(name for name in known if name in names or name.strip().casefold() in wanted)


def _numbers(names: Sequence[str], known: Sequence[str]) -> str:
    return ",".join(str(n) for n, name in enumerate(known, 1) if name in names)


def _told_missing(talk: Talk, setting: str, names: Sequence[str], known: Sequence[str]) -> bool:
    """Warn of names that Plane does not have (any more); whether it has some of them."""
    missing = [name for name in names if not _known([name], known)]
    if missing:
        talk.warn(f"{setting}: no project has {text.line(', '.join(missing), 200)}", "it stays in the configuration")
    return len(missing) < len(names)
