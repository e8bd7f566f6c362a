"""The boxes about Plane and the agent: against the simulator, real repositories, and a small server of tools."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from checking import Status, look, put, site
from pco.checks import Site, all_checks
from pco.checks.boxes import BY_ID
from pco.commands.doctoring.examination import examined
from pco.outside.plane import Plane
from pco.outside.rates import Budget
from pco.sim import Sim, running
from servers import closed_port
from sessions import a_mirror, git

WORLD = {
    "users": [
        {"name": "bot", "role": "member", "display_name": "pco"},
        {"name": "maria", "role": "admin"},
        {"name": "gus", "role": "guest"},
        {"name": "olga", "role": "outsider"},
    ],
    "projects": [
        {"identifier": "WEB", "name": "Web App"},
        {"identifier": "OLD", "name": "Old App", "archived": True},
        {"identifier": "LOCAL", "name": "Locals"},
        {"identifier": "OPS", "name": "Machines", "members": ["maria"]},
    ],
}


@pytest.fixture
def sim(tmp_path: Path):
    with running(WORLD, scale=0.01, rate=0) as sim:
        yield sim


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return a_mirror(tmp_path / "upstream.git")


def of(sim: Sim, top: Path, *projects: dict[str, Any], token: str = "plane_api_bot", **more: Any) -> Site:
    """A pco that works in these projects with this token."""
    plane = {"url": sim.url, "workspace": sim.slug, "projects": list(projects), **more}

    def client() -> Plane:
        return Plane(sim.url, plane["workspace"], token, timedelta(seconds=3), patience=timedelta(0))

    return site(top, plane=plane, client=client)


def entry(sim: Sim, name: str, repository: Path | str = "/nonexistent", **more: str) -> dict[str, Any]:
    """A project as pco.yaml has it."""
    return {"id": sim.project(name)["id"], "repository": str(repository), **more}


@pytest.mark.box("2.1", "well")
@pytest.mark.box("2.2", "well")
def test_a_token_of_a_member_is_well(sim, tmp_path):
    where = of(sim, tmp_path, entry(sim, "WEB"))

    assert look(where, "2.1").evidence == "it is pco's, a member of 1 project"
    assert look(where, "2.2").evidence == "acme: 4 projects can be seen"


def test_all_boxes_together_ask_plane_twice(sim, tmp_path, repository):
    where = of(sim, tmp_path, entry(sim, "WEB", repository))

    examined(all_checks(), [BY_ID[id] for id in ("2.1", "2.2", "2.3")], where, 10.0)

    assert [row["path"].split("/")[-2] for row in sim.requests()] == ["me", "projects"]


@pytest.mark.box("2.1", "ill")
def test_a_project_that_its_user_is_no_member_of_is_named(sim, tmp_path):
    found = look(of(sim, tmp_path, entry(sim, "WEB"), entry(sim, "OPS")), "2.1")

    assert (found.status, found.evidence) == (Status.FAIL, "pco is no member of Machines")


@pytest.mark.box("2.1", "ill")
def test_a_guest_may_too_little(sim, tmp_path):
    found = look(of(sim, tmp_path, entry(sim, "WEB"), token="plane_api_gus"), "2.1")

    assert found.status is Status.FAIL and "a guest of Web App" in found.evidence


@pytest.mark.parametrize("id", ["2.1", "2.2", "2.3"])
def test_a_token_that_was_revoked_is_ill_everywhere(sim, tmp_path, repository, id):
    found = look(of(sim, tmp_path, entry(sim, "WEB", repository), token="plane_api_revoked"), id)

    assert (found.status, "token" in found.evidence) == (Status.FAIL, True)
    assert found.mend.startswith("sudo pco-setup --yes --token-file FILE")


@pytest.mark.box("2.2", "ill")
def test_a_workspace_that_is_not_there_is_told_with_where_its_name_stands(sim, tmp_path):
    found = look(of(sim, tmp_path, entry(sim, "WEB"), workspace="other"), "2.2")

    assert found.status is Status.FAIL and "--workspace NAME" in found.mend


def test_a_plane_that_does_not_answer_is_ill(sim, tmp_path):
    url = f"http://127.0.0.1:{closed_port()}"
    where = replace(
        of(sim, tmp_path, entry(sim, "WEB")),
        plane=lambda: Plane(url, "acme", "plane_api_bot", timedelta(seconds=3), patience=timedelta(0)),
    )

    assert look(where, "2.2").status is Status.FAIL


def test_when_no_request_is_left_plane_was_not_seen(sim, tmp_path):
    budget = Budget(tmp_path / "rate.json", 2)
    budget.hold(timedelta(seconds=30))
    where = replace(
        of(sim, tmp_path, entry(sim, "WEB")),
        plane=lambda: Plane(sim.url, "acme", "plane_api_bot", timedelta(seconds=3), budget, timedelta(0)),
    )

    found = look(where, "2.2")

    assert (found.status, found.mend) == (Status.UNSEEN, "pco-doctor, in 30 s")


@pytest.mark.box("2.3", "well")
def test_projects_that_can_be_used_are_shown_with_their_keys(sim, tmp_path, repository):
    found = look(of(sim, tmp_path, entry(sim, "WEB", repository)), "2.3")

    assert (found.status, found.evidence) == (Status.OK, "WEB (Web App)")


def test_a_form_of_which_no_comment_can_be_made_is_named_without_asking_plane(sim, tmp_path, repository):
    where = of(sim, tmp_path, entry(sim, "WEB", repository))

    found = look(replace(where, plane=None, comment=lambda: "post.template: /etc/x: line 3: unknown {kye}"), "2.3")

    assert (found.status, found.evidence.endswith("line 3: unknown {kye}")) == (Status.FAIL, True)


UNUSABLE = {
    "archived": ("OLD", {}, "Old App is archived in Plane"),
    "no safe key": ("LOCAL", {}, "'LOCAL' is no safe name for tickets"),
    "no such branch": ("WEB", {"branch": "trunk"}, "has no branch trunk"),
    "no repository": ("WEB", {"repository": "/nonexistent.git"}, "/nonexistent.git: "),
    "no server": ("WEB", {"repository": f"http://me:secret@127.0.0.1:{closed_port()}/x.git"}, "http://127.0.0.1:"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
@pytest.mark.box("2.3", "ill")
def test_a_project_that_cannot_be_used_is_named(sim, tmp_path, repository, kind):
    name, more, words = UNUSABLE[kind]

    found = look(of(sim, tmp_path, {**entry(sim, name, repository), **more}), "2.3")

    assert (found.status, words in found.evidence) == (Status.FAIL, True), found
    assert "secret" not in f"{found}"


def test_an_empty_repository_is_told_apart(sim, tmp_path):
    git("init", "-q", "--bare", str(tmp_path / "empty.git"))

    assert "no commits yet" in look(of(sim, tmp_path, entry(sim, "WEB", tmp_path / "empty.git")), "2.3").evidence


def test_two_projects_with_one_key_are_named(sim, tmp_path, repository):
    both = entry(sim, "WEB", repository), entry(sim, "OPS", repository, key="WEB")

    assert look(of(sim, tmp_path, *both), "2.3").evidence == "Machines and Web App have the same key WEB"


def test_a_project_that_is_not_there_is_named(sim, tmp_path, repository):
    unknown = {"id": "00000000-0000-4000-8000-000000000000", "repository": str(repository)}

    assert "does not exist" in look(of(sim, tmp_path, unknown), "2.3").evidence


def test_no_project_is_ill(tmp_path):
    assert look(site(tmp_path), "2.3").evidence == "no project is configured"


# The agent.

TEMPLATE = Path(__file__).resolve().parents[2] / "share/claude/template"
SERVER = """\
#!/usr/bin/python3
import json, os, sys
{before}
begun = False
for line in sys.stdin:
    asked = json.loads(line)
    if asked["method"] == "initialize":
        answer = {{"protocolVersion": "2025-06-18", "capabilities": {{"tools": {{}}}}, "serverInfo": {{"name": "t"}}}}
    elif asked["method"] == "notifications/initialized":
        begun = True
        continue
    elif not begun:
        sys.exit("asked before it was ready")
    else:
        answer = {{"tools": {tools}}}
    print("a word for a person", flush=True)
    print(json.dumps({{"jsonrpc": "2.0", "id": asked["id"], "result": answer}}), flush=True)
os._exit(3)  # what it has not said by then it never says
"""
TOOLS = '[{"name": "search_" + os.environ.get("WHERE", "?")}, {"name": sys.argv[1]}]'


def tooled(top: Path, servers: dict[str, Any], **claude: Any) -> Site:
    """A pco whose agent is given these servers of tools."""
    path = put(top, "/etc/pco/mcp.json", json.dumps({"mcpServers": servers}))
    return site(top, claude={"program": "/bin/sh", "mcp_config": str(path), **claude})


def server(top: Path, before: str = "", tools: str = TOOLS, **more: Any) -> dict[str, Any]:
    """A server of tools."""
    program = put(top, "/opt/server", SERVER.format(before=before, tools=tools), 0o755)
    return {"command": str(program), "args": ["read"], **more}


@pytest.mark.box("2.4", "well")
def test_an_agent_whose_configuration_is_whole_is_well(tmp_path):
    where = tooled(tmp_path, {"tools": server(tmp_path)}, template=str(TEMPLATE))

    found = look(where, "2.4")

    assert (found.status, "/bin/sh" in found.evidence) == (Status.OK, True), found


BROKEN = {
    "no program": ({"program": "/nonexistent/claude"}, "/nonexistent/claude: No such file"),
    "no template": ({"template": "/nonexistent"}, "lacks commands/complete.md"),
    "no servers": ({"mcp_config": "/etc/hostname"}, "claude.mcp_config: /etc/hostname"),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.box("2.4", "ill")
def test_an_agent_that_could_not_start_is_ill(tmp_path, kind):
    claude, words = BROKEN[kind]

    found = look(site(tmp_path, claude={"program": "/bin/sh", **claude}), "2.4")

    assert (found.status, words in found.evidence) == (Status.FAIL, True), found


@pytest.mark.parametrize(("command", "status"), [("/bin/sh", Status.OK), ("/bin/no", Status.FAIL), ("no", Status.FAIL)])
def test_an_agent_of_ones_own_must_be_there(tmp_path, command, status):
    assert look(site(tmp_path, sessions={"command": [command]}), "2.4").status is status


@pytest.mark.box("2.4", "ill")
def test_a_file_of_the_agent_that_others_may_change_is_ill(tmp_path):
    where = tooled(tmp_path, {})
    (tmp_path / "etc/pco/mcp.json").chmod(0o666)

    found = look(where, "2.4")

    assert (found.status, "others than root may change" in found.evidence) == (Status.WARN, True)


@pytest.mark.box("2.5", "well")
def test_a_server_of_tools_is_asked_as_agents_ask_it(tmp_path):
    one = server(tmp_path, env={"WHERE": "${PLACE}_${OTHER:-here}"})

    found = look(tooled(tmp_path, {"wiki": one}, environment={"PLACE": "wiki"}), "2.5")

    assert (found.status, found.evidence) == (Status.OK, "wiki: search_wiki_here, read")


SERVERS = {
    "not there": ({"command": "/nonexistent/server"}, Status.FAIL, "No such file"),
    "ends": ({"command": "/bin/true"}, Status.FAIL, "ended before"),
    "elsewhere": ({"type": "http", "url": "https://example.org"}, Status.UNSEEN, "no program on this machine"),
    "nonsense": ("x", Status.UNSEEN, "no program on this machine"),
}


@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_of_tools_that_does_not_start_is_named(tmp_path, kind):
    one, status, words = SERVERS[kind]

    found = look(tooled(tmp_path, {"wiki": one}), "2.5")

    assert (found.status, found.evidence.startswith("wiki"), words in found.evidence) == (status, True, True), found


@pytest.mark.box("2.5", "ill")
def test_a_server_that_refuses_or_has_no_tools_is_ill(tmp_path):
    assert "has no tools" in look(tooled(tmp_path, {"wiki": server(tmp_path, tools="[]")}), "2.5").evidence

    refusing = server(tmp_path, 'print(\'{"id": 1, "error": {"message": "no licence"}}\', flush=True)')
    found = look(tooled(tmp_path, {"wiki": refusing}), "2.5")

    assert (found.status, "no licence" in found.evidence) == (Status.FAIL, True)


def test_a_server_that_says_nothing_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("pco.checks.tracker.ANSWER", timedelta(milliseconds=200))

    found = look(tooled(tmp_path, {"wiki": {"command": "/bin/sleep", "args": ["60"]}}), "2.5")

    assert found.evidence == "wiki: it did not list its tools within 0.2 s"


def test_without_servers_of_tools_there_is_nothing_to_see(tmp_path):
    assert look(site(tmp_path), "2.5").status is Status.NOT_APPLICABLE
    assert look(tooled(tmp_path, {}), "2.5").status is Status.NOT_APPLICABLE
