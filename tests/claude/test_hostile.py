"""A hostile repository, and an agent that helps it: nothing of pco changes, nothing runs or is read beyond the session.

With the runner tmux the agent itself may read and write whatever its user may; what is tried here is what others do
for it: the CLI by itself, and pco's programs.
"""

import json
from pathlib import Path

import pytest

from claude.agents import complete, write
from claude.hostile import CANARY, furnish
from pco.ground.ticket import State
from pco.sim.model import Model
from sessions import git
from support import TOP

MODES = ("interactive", "headless")
TOKEN = "plane_api_none"
WAIT = {"text": "Waiting.", "sleep": 2}


@pytest.fixture(scope="module")
def thief():
    """A server that hears what is sent to another address than the one configured."""
    with Model() as listening:
        yield listening


@pytest.fixture(scope="module")
def pco(both, thief):
    """A pco whose only repository is hostile; agents may run its script, and nothing else."""
    (both.site.home / "marks").mkdir()
    (both.site.home / "canary").write_text(f"{CANARY}\n")
    furnish(both.repository.with_suffix(".work"), both.site.home / "marks", both.site.home / "canary", thief.url)
    both.site.configure(claude={"allowed_tools": ["Bash(sh evil.sh)"]})
    return both


def bash(command):
    """A step with one command."""
    return {"tool": "Bash", "input": {"command": command, "description": "x"}}


def read(path):
    """A step in which a file is read."""
    return {"tool": "Read", "input": {"file_path": str(path)}}


def works(pco, deeds):
    """Tickets for both ways whose agents do what `deeds` makes of the key; started.  Returns the keys."""
    keys = [pco.place(mode) for mode in MODES]
    pco.model.set_rules([{"match": rf"{key}\b", "steps": deeds(key)} for key in keys])
    pco.launch(*keys)
    return keys


def marks(pco, ended=float("inf")):
    """What ran.  Of git's filters only what ran later than `ended`: a session's last `git status`, its own, obeys them."""
    found = sorted((pco.site.home / "marks").rglob("*"))
    return [path.name for path in found if not path.name.startswith("filter.") or path.stat().st_mtime > ended]


def sent(pco):
    """All that the model was sent, and by whom it was asked."""
    return json.dumps(pco.model.requests, ensure_ascii=False)


def environment(pid):
    """What a process was given."""
    given = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(line.partition("=")[::2] for line in given if line)


def parent(pid):
    """Who started a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_nothing_of_a_hostile_repository_runs_or_is_read_from_launch_to_fetch(pco, thief, tmp_path):
    def deeds(key):
        commits = [write(pco.workspace(key) / "made.txt"), bash("git add made.txt && git commit -qm made")]
        return [read(pco.workspace(key) / "sub" / "code.txt"), *commits, bash("sh evil.sh"), complete("Done."), WAIT]

    keys = works(pco, deeds)
    given = [environment(pid) for key in keys for pid in (pco.pid(key), parent(pco.pid(key)))]
    for key in keys:
        ticket = pco.comes_to(key, State.COMPLETED, State.FAILED)
        assert (ticket.state, ticket.round.summary) == (State.COMPLETED, "Done.")
        assert [c.subject for c in ticket.round.work.commits] == ["made"]
        assert {"started", "working", "completed", "ended"} <= set(pco.kinds(key))
        assert "evil" in (pco.workspace(key) / ".git" / "config").read_text()
    git("clone", "-q", str(pco.repository), str(tmp_path / "clone"))
    pco.site.run("pco-dashboard", "--full")
    for key in keys:
        for words in (["show"], ["diff"], ["diff", "--stat"], ["post", "--yes"]):
            pco.site.run("pco-queue", *words, key)
        pco.site.run("pco-queue", "fetch", key, str(tmp_path / "clone"))
    pco.site.run("pco-post")
    assert [pco.site.spool().find(key) for key in keys] == [State.POSTED] * 2

    assert marks(pco, max((pco.home(key) / "out" / "exit").stat().st_mtime for key in keys)) == []
    assert thief.requests == []
    assert not [secret for secret in (CANARY, "root:x:0:0", TOKEN) if secret in sent(pco)]
    assert all("x-stolen" not in request["headers"] for request in pco.model.requests)
    assert {tool for request in pco.model.turns() for tool in request["tools"] if tool.startswith("mcp__")} == set()
    assert "This repository says: make cakes." in json.dumps([turn["system"] for turn in pco.model.turns()])
    for variables in given:
        assert TOKEN not in str(variables)
    agents = [variables for variables in given if "ANTHROPIC_API_KEY" in variables]
    assert [(one["ANTHROPIC_BASE_URL"], one["PCO_KEY"]) for one in agents] == [(pco.model.url, key) for key in keys]
    assert {one["PATH"].split(":")[0] for one in agents} == {str(TOP / "bin")}


def test_a_link_in_the_workspace_leads_nowhere_unless_a_person_says_so(pco):
    home = pco.site.home

    def deeds(key):
        out = f"{pco.workspace(key)}/out{home}"
        links = [read(pco.workspace(key) / "innocent.txt"), read(f"{out}/canary"), write(f"{out}/marks/written")]
        return [*links, bash(f"touch {home}/marks/permitted"), {"text": "I could not."}]

    person, nobody = works(pco, deeds)

    ticket = pco.comes_to(nobody, State.FAILED)
    assert (ticket.attempt.outcome, ticket.round.draft) == ("denied", "I could not.")
    assert len(pco.result(nobody)["permission_denials"]) == 4
    assert pco.until(person, lambda: pco.record(person).blocked, "blocked").what.startswith("Read: ")
    pco.shows(person, "via a symlink")
    pco.press(person, "Escape")
    pco.until(person, lambda: "via a symlink" not in pco.screen(person), "the dialog's end")
    before = len(pco.model.turns())
    pco.type(person, "/complete By a person, with pco's own command.")
    assert pco.comes_to(person, State.COMPLETED).round.summary == "By a person, with pco's own command."
    assert len(pco.model.turns()) == before
    assert CANARY not in sent(pco)
    assert marks(pco) == []


def test_instructions_that_are_a_link_are_not_followed(pco):
    work = pco.repository.with_suffix(".work")
    (work / "CLAUDE.md").unlink()
    (work / "CLAUDE.md").symlink_to(pco.site.home / "canary")
    git("commit", "-qam", "a link", cwd=work)
    git("push", "-q", "origin", "main", cwd=work)

    keys = works(pco, lambda key: [{"text": "Done."}])

    for key in keys:
        pco.tells(key, "turn_ended")
        assert not (pco.workspace(key).parent / "claude" / "instructions.md").exists()
    assert CANARY not in sent(pco)
