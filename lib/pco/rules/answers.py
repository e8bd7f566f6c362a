"""What a person answers pco-setup, and the configuration that says so.

Values in, values out: `merged` puts answers into what a pco.yaml holds and leaves the rest of it alone, `render` writes
that down.  Names come from Plane and are hostile: in YAML they are quoted, in its comments they are cleaned.
"""

import math
import re
import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple

from pco.ground import shape, text
from pco.ground.config import Budget, Claude, PostTo, Project, Sessions, Triggers
from pco.ground.frozen import dataclass

WORKSPACE = re.compile(r"[A-Za-z0-9_-]{1,100}")
NOTHING = "-"  # says "none of them" where a list has a default

_HEAD = """\
# Configuration of pco, made by pco-setup.  Change it as you like: pco-setup offers what stands here as defaults.
# All settings with their defaults, explained: pco.yaml.example beside this file.  What stands in pco.yaml.d/*.yaml
# goes before this.  No secret belongs here; another token: pco-setup --token-file FILE, another key of the agent:
# pco-setup --agent-key-file FILE.
"""
_ABOUT = {
    "triggers": "New items and comments make tickets, and moving into one of these states.",
    "filters": "Which items are taken, by name; an empty list lets everything pass.",
    "sessions": "Who works on a ticket, in a clone of its own: claude, see below, or command, a program that gets the\n"
    "# prompt on standard input.  What claude may do unasked is permission_mode; an approval is bound to both.",
    "claude": "Claude Code: interactive (in its terminal, people attach and answer) or headless (nobody is asked).\n"
    "# Its key does not stand here: units get it as the credential agent.",
    "budget": "In USD, by the agent's own count; 0 is no limit.  What is used up starts nothing, and ends what runs.",
    "post": "What becomes of the item's state with the comment.",
}
_ORDER = ("plane", "triggers", "filters", "sessions", "claude", "budget", "post")


class Wanted(NamedTuple):
    """A project as an option names it: by identifier, name or id; what is empty was not said."""

    name: str
    key: str = ""
    repository: str = ""
    branch: str = ""


@dataclass(frozen=True)
class Chosen:
    """A project that pco shall serve: its entry in pco.yaml, and what Plane calls it."""

    entry: Project
    identifier: str
    name: str

    @property
    def key(self) -> str:
        """What its tickets are called."""
        return self.entry.key or self.identifier


@dataclass(frozen=True)
class Agent:
    """Who works on tickets: `kind` is claude or command, and only what belongs to it counts.

    `key_file` is empty where units get the key as a credential; amounts are USD, 0 for no limit.
    """

    kind: str
    command: tuple[str, ...] = ()
    program: str = ""
    mode: str = ""
    permission_mode: str = ""
    base_url: str = ""
    key_file: str = ""
    ticket_usd: float = 0.0
    daily_usd: float = 0.0


@dataclass(frozen=True)
class Answers:
    """All of them."""

    url: str
    workspace: str
    token_file: str
    projects: tuple[Chosen, ...]
    into_states: tuple[str, ...]
    labels: tuple[str, ...]
    post_state: str
    agent: Agent


def wanted(spec: str) -> Wanted:
    """Read `NAME[:KEY][=REPOSITORY[#BRANCH]]`; Plane allows none of : = # in an identifier."""
    head, _, rest = spec.partition("=")
    name, _, key = head.partition(":")
    repository, sign, branch = rest.rpartition("#")
    return Wanted(name.strip(), key.strip(), *((repository, branch) if sign else (rest, "")))


def entry(id: str, repository: str, branch: str, key: str = "") -> Project:
    """A project's entry.  Raises ValueError that says what is wrong with it."""
    return shape.load(Project, {"id": id, "repository": repository, "branch": branch, **({"key": key} if key else {})})


def fit(key: str) -> bool:
    """Whether tickets can be called so."""
    try:
        entry("0" * 8 + "-0000-0000-0000-" + "0" * 12, "/", "main", key)
    except ValueError:
        return False
    return bool(key)


def proposed(identifier: str, taken: Sequence[str]) -> str:
    """A key for a project whose identifier is none; empty if nothing suggests itself."""
    plain = unicodedata.normalize("NFKD", identifier).upper()
    key = re.sub(r"[^A-Z0-9_]", "", plain)[:12]
    return key if fit(key) and key not in taken else ""


def picked(said: str, names: Sequence[Sequence[str]]) -> list[int]:
    """Which of the things with these names (keys, names, ids) are meant: by number from 1, or name; several by comma.

    Raises ValueError.
    """
    found: list[int] = []
    whole = _numbers(said.strip(), names)
    for word in [said] if len(whole) == 1 else said.split(","):
        if not word.strip():
            continue
        numbers = _numbers(word.strip(), names)
        if len(numbers) != 1:
            why = "is more than one of them" if numbers else f"is none of them{_meant(word, names)}"
            raise ValueError(f"{text.line(word, 60)} {why}")
        found += [number for number in numbers if number not in found]
    return found


def _numbers(word: str, names: Sequence[Sequence[str]]) -> list[int]:
    if re.fullmatch(r"[0-9]{1,4}", word) and 1 <= int(word) <= len(names):
        return [int(word) - 1]
    exact = [n for n, each in enumerate(names) if word in each]
    folded = word.casefold()
    return exact or [n for n, each in enumerate(names) if folded in [name.strip().casefold() for name in each]]


def _meant(word: str, names: Sequence[Sequence[str]]) -> str:
    known = {name.casefold(): name for each in names for name in each}
    near = text.nearest(word.strip().casefold(), list(known))
    return f" (did you mean {text.line(known[near], 60)}?)" if near else ""


# The file.


def merged(before: dict[str, Any], answers: Answers) -> dict[str, Any]:
    """What a pco.yaml that held `before` holds with the answers in it; what says the same already stays as it is."""
    values = {name: dict(section) for name, section in before.items()}
    plane = values.setdefault("plane", {})
    plane.update(url=answers.url, workspace=answers.workspace, token_file=answers.token_file)
    known = {str(each.get("id", "")).lower(): each for each in plane.get("projects", [])}
    plane["projects"] = [_entry(known.get(chosen.entry.id, {}), chosen.entry) for chosen in answers.projects]
    rows: list[tuple[str, str, Any, Any]] = [
        ("triggers", "into_states", list(answers.into_states), list(Triggers().into_states)),
        ("filters", "labels", list(answers.labels), []),
        ("sessions", "agent", answers.agent.kind, _auto(before.get("sessions", {}), answers.agent)),
        *_of_agent(answers.agent),
        ("post", "state", answers.post_state, PostTo().state),
    ]
    for section, name, value, default in rows:
        said = values.get(section, {}).get(name, default)
        said = default if (name, said) == ("agent", "auto") else said
        if value == "" != said:
            values[section].pop(name)
        elif said != value or (not before and value != ""):
            values.setdefault(section, {})[name] = value
    return values


def _auto(sessions: dict[str, Any], agent: Agent) -> str:
    """Whom `auto` means in this section, once the command is in it."""
    return "command" if sessions.get("command") or agent.kind == "command" else "claude"


def _of_agent(agent: Agent) -> list[tuple[str, str, Any, Any]]:
    if agent.kind == "command":
        return [("sessions", "command", list(agent.command), [])]
    return [
        ("sessions", "permission_mode", agent.permission_mode, Sessions().permission_mode),
        ("claude", "program", agent.program, str(Claude().program)),
        ("claude", "mode", agent.mode, Claude().mode),
        ("claude", "base_url", agent.base_url, ""),
        ("claude", "key_file", agent.key_file, ""),
        ("budget", "ticket_usd", _amount(agent.ticket_usd), Budget().ticket_usd),
        ("budget", "daily_usd", _amount(agent.daily_usd), Budget().daily_usd),
    ]


def _amount(usd: float) -> float:
    """As people write it: 20, not 20.0."""
    return int(usd) if usd == int(usd) else usd


def usd(said: str) -> float:
    """An amount that a person gave.  Raises ValueError."""
    try:
        amount = float(said.strip().removeprefix("$").removesuffix("USD"))
    except ValueError:
        amount = math.nan
    try:
        return shape.load(Budget, {"ticket_usd": amount}).ticket_usd
    except shape.ShapeError as error:
        raise ValueError(error.message) from None


def _entry(before: dict[str, Any], now: Project) -> dict[str, Any]:
    said = {"id": now.id, "repository": now.repository, "branch": now.branch, "key": now.key}
    default = {"branch": "main", "key": ""}
    kept = {name: value for name, value in said.items() if before.get(name, default.get(name)) != value}
    if before and str(before["id"]).lower() == now.id:
        kept.pop("id", None)
    elif now.branch:
        kept["branch"] = now.branch
    return {name: value for name, value in {**before, **kept}.items() if (name, value) != ("key", "")}


def render(values: dict[str, Any], names: dict[str, str]) -> str:
    """The text of pco.yaml; `names` of projects by id stand beside their entries."""
    order = [name for name in _ORDER if name in values] + [name for name in values if name not in _ORDER]
    parts = [_HEAD]
    for name in order:
        about = f"# {_ABOUT[name]}\n" if name in _ABOUT else ""
        body = _plane(values[name], names) if name == "plane" else _yaml({name: values[name]})
        parts.append(f"{about}{body}")
    return "\n".join(parts)


def _plane(section: dict[str, Any], names: dict[str, str]) -> str:
    lines = _yaml({"plane": {name: value for name, value in section.items() if name != "projects"}}).splitlines()
    lines.append("  projects:")
    for project in section["projects"]:
        if name := text.line(names.get(project["id"], ""), 80):
            lines.append(f"    # {name}")
        lines += [f"    {line}" for line in _yaml([project]).splitlines()]
    return "\n".join(lines) + "\n"


def _yaml(value: Any) -> str:
    """Block style, but lists of plain values in one line, as people write them."""
    import yaml

    class Neat(yaml.SafeDumper):
        pass

    def listed(dumper: Any, items: list[Any]) -> Any:
        plain = not any(isinstance(item, dict | list) for item in items)
        return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=plain)

    Neat.add_representer(list, listed)

    def dumped(unicode: bool) -> str:
        return str(yaml.dump(value, Dumper=Neat, sort_keys=False, allow_unicode=unicode, width=110))

    # YAML lets pass what can turn a line around on a terminal; such texts are written with escapes.
    shown = dumped(unicode=True)
    return shown if text.lines(shown) == shown else dumped(unicode=False)
