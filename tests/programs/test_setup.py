"""pco-setup, by options and by questions, against a simulated Plane."""

import os
import socket
import termios
import time
from contextlib import closing

import pytest

from programs import setting
from programs.setting import COMMAND, TWO


@pytest.fixture
def desk(site, tmp_path):
    with setting.desk(site, tmp_path / "place") as desk:
        yield desk


# By options.


def test_options_alone_make_a_configuration_that_loads_and_a_token_for_its_owner_alone(desk):
    os.umask(0)
    try:
        desk.run("--yes", *desk.options(command="/bin/cat -n 'two words'"))
    finally:
        os.umask(0o022)

    config = desk.load()
    assert (config.plane.url, config.plane.workspace) == (desk.plane.url, "acme")
    assert config.plane.projects[0].id == desk.plane.project("WEB")["id"]
    assert config.plane.projects[0].repository == str(desk.repository)
    assert config.sessions.command == ("/bin/cat", "-n", "two words")
    assert config.triggers.into_states == ("Todo", "In Progress")
    assert config.plane.token_file == desk.token
    assert desk.token.read_text() == f"{desk.plane.token}\n"
    assert (setting.mode(desk.token), setting.mode(desk.token.parent)) == ("0o600", "0o700")
    assert setting.mode(desk.config) == "0o644"


def test_the_token_is_nowhere_but_in_its_file(desk):
    done = desk.run("--yes", *desk.options())

    assert desk.plane.token not in done.stdout + done.stderr
    assert [name for name, (_, text) in desk.files().items() if desk.plane.token in text] == ["plane-token"]


def test_the_token_may_come_on_standard_input(desk):
    desk.run("--yes", *desk.options(token_file="-"), input=f"{desk.plane.token}\n")

    assert desk.token.read_text() == f"{desk.plane.token}\n"


def test_what_is_missing_is_named_where_nobody_can_be_asked(desk):
    said = desk.run("--url", desk.plane.url, code=2).stderr

    assert "nobody is there to ask; add --workspace, --token-file, --project, --agent" in said
    assert not desk.config.exists()


def test_a_second_run_changes_nothing(desk):
    desk.configured()
    before = desk.files()

    said = desk.run("--yes", *desk.options()).stdout

    assert "nothing to do" in said
    assert desk.files() == before


def test_one_answer_can_be_changed_and_the_others_stay(desk):
    desk.configured(command="/bin/cat -n", into_state="Done")

    desk.run("--yes", "--label", "agent")

    config = desk.load()
    assert config.filters.labels == ("agent",)
    assert (config.sessions.command, config.triggers.into_states) == (("/bin/cat", "-n"), ("Done",))


def test_labels_can_be_taken_back(desk):
    desk.configured(label="AGENT")
    assert desk.load().filters.labels == ("agent",)

    desk.run("--yes", "--label", "-")

    assert desk.load().filters.labels == ()


def test_settings_that_it_does_not_ask_about_survive_and_the_edited_file_is_kept(desk):
    desk.configured()
    edited = f"# mine\n{desk.config.read_text()}health: {{disk_free: 5%}}\n".replace("agent: command", "limit: 9")
    edited = edited.replace("workspace: acme", "workspace: acme\n  timeout: 7s")
    edited = edited.replace(
        "branch: main", "branch: main\n          filters: {labels: [bug]}".replace(" " * 10, " " * 6)
    )
    desk.config.write_text(edited)
    desk.config.chmod(0o640)

    said = desk.run("--yes", "--label", "bug").stdout

    config = desk.load()
    assert (config.sessions.limit, config.health.disk_free, config.plane.timeout.total_seconds()) == (9, 0.05, 7)
    assert config.plane.projects[0].filters.labels == ("bug",)
    kept = [path for path in desk.config.parent.iterdir() if ".bak-" in path.name]
    assert [path.read_text() for path in kept] == [edited]
    assert setting.mode(desk.config) == setting.mode(kept[0]) == "0o640"
    assert kept[0].name in said
    assert "-# mine" in said


def test_who_could_read_the_configuration_can_read_the_new_one(desk):
    if os.getuid():
        pytest.skip("giving a file away needs root")
    desk.configured()
    os.chown(desk.config, 12345, 54321)
    desk.config.chmod(0o640)

    desk.run("--yes", "--label", "bug")

    for path in [path for path in desk.config.parent.iterdir() if path.is_file()]:
        found = path.stat()
        assert (found.st_uid, found.st_gid, setting.mode(path)) == (12345, 54321, "0o640")


def test_a_hand_written_file_that_says_the_same_is_left_as_it_is(desk):
    desk.configured()
    id = desk.plane.project("WEB")["id"].upper()
    mine = (
        f"# mine\nplane:\n  url: {desk.plane.url}\n  workspace: acme\n  token_file: {desk.token}\n"
        f"  projects: [{{id: {id}, repository: {desk.repository}}}]\nsessions: {{command: [{COMMAND}]}}\n"
    )
    desk.config.write_text(mine)

    desk.run("--yes", *desk.options())

    assert desk.config.read_text() == mine


def test_a_configuration_that_cannot_be_read_is_kept_and_offers_nothing(desk):
    desk.configured()
    desk.config.write_text("plane: [\n")

    said = desk.run("--yes", *desk.options()).stderr

    assert "offers no defaults" in said
    assert any(text == "plane: [\n" for _, text in desk.files().values())
    assert desk.load().plane.workspace == "acme"


def test_the_unedited_example_is_no_answer_and_is_not_kept_twice(desk):
    desk.config.parent.mkdir()
    for name in ("pco.yaml", "pco.yaml.example"):
        (desk.config.parent / name).write_text((setting.TOP / "etc" / "pco.yaml").read_text())

    said = desk.run("--yes", code=2).stderr
    shown = desk.run("--yes", *desk.options()).stdout

    assert "--url, --workspace, --token-file, --project, --agent" in said
    assert f"{desk.config}, new:" in shown
    assert ".bak-" not in shown
    assert sorted(path.name for path in desk.config.parent.iterdir()) == ["credentials", "pco.yaml", "pco.yaml.example"]
    assert desk.load().plane.token_file == desk.token


def test_a_dry_run_writes_nothing_and_needs_no_yes(desk):
    said = desk.run("--dry-run", *desk.options()).stdout

    assert f"{desk.config}, new:" in said
    assert "url: " + desk.plane.url in said
    assert not desk.config.parent.exists()


def test_several_projects_with_branches(desk):
    other = desk.make_repository("inf", branch="trunk")

    done = desk.run("--yes", *desk.options(), "--project", f"INF={other}#trunk")

    assert [p.branch for p in desk.load().plane.projects] == ["main", "trunk"]
    assert "warning" not in done.stderr


def test_without_a_branch_the_one_that_the_repository_is_on_is_taken(desk):
    other = desk.make_repository("inf", branch="trunk")

    desk.run("--yes", *desk.options(project=f"INF={other}"))

    assert desk.load().plane.projects[0].branch == "trunk"


@pytest.mark.parametrize(
    ("commits", "spec", "words"),
    [
        (1, "WEB=/nowhere.git", "does not appear to be a git repository"),
        (0, "WEB={}", "it has no commits yet"),
        (1, "WEB={}#mian", "has no branch mian (did you mean main?)"),
    ],
)
def test_a_repository_that_does_not_answer_as_it_should_is_a_warning(desk, commits, spec, words):
    other = desk.make_repository("other", commits=commits)

    done = desk.run("--yes", *desk.options(project=spec.format(other)))

    assert words in done.stderr.partition("warning")[2]
    assert desk.load().plane.projects


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"project": "WBE=/srv/x"}, "WBE is none of them (did you mean WEB?)"),
        ({"project": "WEB"}, "--project WEB=REPOSITORY"),
        ({"project": "WEB=relative/path"}, "expected an absolute path"),
        ({"project": "WEB:web=/srv/x"}, "the key 'web' is none"),
        ({"into_state": "Tood"}, "Plane has no 'Tood' (did you mean Todo?)"),
        ({"label": "agnet"}, "(did you mean agent?)"),
        ({"post_state": "group:strated"}, "(did you mean group:started?)"),
        ({"command": "'"}, "No closing quotation"),
        ({"url": "plane.example.org"}, "expected an address such as"),
        ({"workspace": "a b"}, "expected the name in the workspace's address"),
    ],
)
def test_a_wrong_option_is_a_usage_error_that_helps(desk, changes, words):
    said = desk.run("--yes", *desk.options(**changes), code=2).stderr

    assert words in " ".join(said.split())
    assert not desk.config.exists()


def test_a_repository_where_the_caller_stands_has_no_say(desk, tmp_path):
    setting.git("init", "--quiet", str(tmp_path / "here"))
    setting.git("-C", str(tmp_path / "here"), "config", "url./nowhere.insteadOf", str(desk.repository))

    done = desk.run("--yes", *desk.options(), cwd=tmp_path / "here")

    assert "warning" not in done.stderr


# Plane.


def test_a_wrong_token_is_told_from_a_wrong_workspace(desk):
    desk.given.write_text("plane_api_of_nobody")
    token = desk.run("--yes", *desk.options(), code=77).stderr
    desk.given.write_text(desk.plane.token)
    workspace = desk.run("--yes", *desk.options(workspace="acne"), code=77).stderr

    assert "Given API token is not valid" in token
    assert "Personal access tokens" in token
    assert "Plane has no workspace acne that pco is in" in workspace
    assert not desk.config.exists()


def test_a_wrong_address_is_told_from_a_plane_that_is_down(desk):
    with closing(socket.create_server(("127.0.0.1", 0))) as closed:
        port = closed.getsockname()[1]

    down = desk.run("--yes", *desk.options(url=f"http://127.0.0.1:{port}"), code=75).stderr
    wrong = desk.run("--yes", *desk.options(url=f"{desk.plane.url}/wrong"), code=78).stderr
    tls = desk.run("--yes", *desk.options(url=desk.plane.url.replace("http:", "https:")), code=75).stderr

    assert "no connection to Plane: Connection refused" in down
    assert "is plane.url right" in wrong
    assert "only http://?" in tls
    assert not desk.config.exists()


def test_an_address_without_tls_that_is_not_this_machine_is_warned_of(desk):
    # This machine under a name that does not look like it.
    far = desk.run("--yes", *desk.options(url=desk.plane.url.replace("127.0.0.1", "0.0.0.0"))).stderr
    near = desk.run("--yes", *desk.options()).stderr

    assert "everybody on the way can read the token" in far
    assert "everybody" not in near


def test_projects_of_which_pco_is_no_member_are_not_offered(desk, site, tmp_path):
    seed = {"projects": [*TWO["projects"], {"identifier": "OPS", "name": "Operations", "members": ["jonas"]}]}
    with setting.desk(site, tmp_path / "other", seed) as desk:
        done = desk.run("--yes", *desk.options())
        wrong = desk.run("--yes", *desk.options(project="OPS=/srv/ops.git"), code=2)

    assert "not for pco: OPS (no member)" in done.stderr
    assert "OPS is none of them" in wrong.stderr


def test_a_token_that_is_in_place_is_not_sent_to_another_address(desk):
    desk.configured()

    said = desk.run("--yes", "--url", "http://127.0.0.1:9", code=2).stderr

    assert "add --token-file" in said


# The token alone.


def test_with_a_token_alone_only_the_token_changes(desk):
    before = desk.configured()
    desk.given.write_text("plane_api_service")

    said = desk.run("--token-file", str(desk.given)).stderr

    assert desk.token.read_text() == "plane_api_service\n"
    assert setting.mode(desk.token) == "0o600"
    assert desk.config.read_text() == before
    assert "the next poll uses it" in said


@pytest.mark.parametrize(("token", "code"), [("plane_api_expired", 77), ("two words", 65), ("", 65)])
def test_a_new_token_that_is_none_leaves_the_old_one(desk, token, code):
    desk.configured()
    before = desk.files()
    desk.given.write_text(token)

    desk.run("--token-file", str(desk.given), code=code)

    assert desk.files() == before


def test_a_new_token_that_reaches_less_is_warned_of(desk, site, tmp_path):
    seed = {"projects": [{**TWO["projects"][0], "members": ["bot"]}, TWO["projects"][1]]}
    with setting.desk(site, tmp_path / "other", seed) as desk:
        desk.configured()
        desk.given.write_text("plane_api_jonas")
        said = desk.run("--token-file", str(desk.given)).stderr

    assert "jonas cannot work in it" in said


# Names from Plane.


def test_hostile_names_neither_reach_the_terminal_nor_break_the_file(site, tmp_path):
    evil = "\x1b[31mred\x1b[0m\u202e: #'\"\n- x: &a *a\u2028yes"
    seed = {"projects": [{"identifier": "WEB", "name": evil, "states": ["Backlog", evil, "no"], "labels": [evil]}]}
    with setting.desk(site, tmp_path / "place", seed) as desk:
        states = ("--into-state", evil, "--into-state", "no", "--label", evil, "--post-state", evil)
        done = desk.run("--yes", *desk.options(), *states)

        config = desk.load()
        assert config.triggers.into_states == (evil, "no")
        assert (config.filters.labels, config.post.state) == ((evil,), evil)
        for shown in (done.stdout, done.stderr, desk.config.read_text()):
            assert not {"\x1b", "\u202e", "\u2028"} & set(shown)


def test_an_identifier_that_is_no_key_needs_one(site, tmp_path):
    with setting.desk(site, tmp_path / "place", {"projects": [{"identifier": "ÄRZTE 1", "name": "x"}]}) as desk:
        said = desk.run("--yes", *desk.options(project="ÄRZTE 1=/srv/x"), code=2).stderr
        desk.run("--yes", *desk.options(project=f"ÄRZTE 1:DOC={desk.repository}"))

        assert "--project 'ÄRZTE 1:ARZTE1=REPOSITORY'" in " ".join(said.split())
        assert desk.load().plane.projects[0].key == "DOC"


# At a terminal.


def answer(screen, question, said=""):
    """Wait for a question and answer it."""
    seen = screen.until(question)
    screen.type(f"{said}\n")
    return seen


def answer_secretly(screen, said):
    """Wait for the token's question, type once the terminal shows nothing: what came before would be thrown away."""
    seen = screen.until("it is not shown")
    deadline = time.monotonic() + 20
    while termios.tcgetattr(screen.master)[3] & termios.ECHO:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    screen.type(f"{said}\n")
    return seen


def connect(desk, screen):
    answer(screen, "Address of Plane", desk.plane.url)
    answer(screen, "Workspace", "acme")
    answer_secretly(screen, desk.plane.token)


def test_questions_lead_through_everything(desk):
    other = desk.make_repository("inf", branch="trunk")
    with desk.terminal() as screen:
        connect(desk, screen)
        listed = answer(screen, "Which?", "web, 2")
        answer(screen, "WEB: repository", str(desk.repository))
        answer(screen, "WEB: branch to begin from [main]")
        answer(screen, "INF: repository", str(other))
        answer(screen, "INF: branch to begin from [trunk]")
        states = answer(screen, "Which?", "Todo, Doing")
        answer(screen, "Which?", "agent")
        answer(screen, "Which one?", "Done")
        answer(screen, "Which one?", "command")
        answer(screen, "Command", "/bin/cat -n")
        shown = answer(screen, "Do this? [Y/n]", "y")
        said = screen.end()

    config = desk.load()
    assert "1  WEB  Web App" in listed
    assert "In Progress" in states
    assert f"{desk.config}, new:" in shown
    assert [p.branch for p in config.plane.projects] == ["main", "trunk"]
    assert config.triggers.into_states == ("Todo", "Doing")
    assert (config.filters.labels, config.post.state) == (("agent",), "Done")
    assert config.sessions.command == ("/bin/cat", "-n")
    assert desk.token.read_text() == f"{desk.plane.token}\n"
    assert "Next: pco-queue" in said
    assert desk.plane.token not in listed + states + shown + said


def test_what_is_there_is_offered_and_enter_keeps_it(desk):
    desk.configured(label="agent", into_state="Done", command="/bin/cat -n")
    before = desk.files()
    with desk.terminal() as screen:
        answer(screen, f"Address of Plane [{desk.plane.url}]")
        answer(screen, "[acme]")
        answer_secretly(screen, "")
        screen.until("(Enter: as before)")
        answer(screen, "Which?")
        answer(screen, f"WEB: repository (path or address) [{desk.repository}]")
        answer(screen, "[main]")
        answer(screen, "Which?")
        answer(screen, "Which?")
        answer(screen, "Which one?")
        answer(screen, "Which one?")
        answer(screen, "[/bin/cat -n]")
        said = screen.end()

    assert "nothing to do" in said
    assert desk.files() == before


def test_a_wrong_answer_is_asked_again_and_the_right_ones_are_not(desk):
    with desk.terminal() as screen:
        answer(screen, "Address of Plane", "plane")
        assert "expected an address" in answer(screen, "Address of Plane", desk.plane.url)
        answer(screen, "Workspace", "acme")
        answer_secretly(screen, "plane_api_of_nobody")
        assert "not valid" in answer_secretly(screen, desk.plane.token)
        assert "as before" not in answer(screen, "Which?", "3")
        assert "3 is none of them" in answer(screen, "Which?", "1")
        answer(screen, "repository", "/nowhere.git")
        answer(screen, "Keep it all the same?", "n")
        answer(screen, "[/nowhere.git]", str(desk.repository))
        screen.until("branch")


def test_a_wrong_workspace_is_asked_again(desk):
    with desk.terminal("--url", desk.plane.url, "--token-file", str(desk.given)) as screen:
        answer(screen, "Workspace", "acne")
        assert "Plane has no workspace acne" in answer(screen, "Workspace", "acme")
        screen.until("Which?")


def test_an_identifier_that_is_no_key_is_asked_about(site, tmp_path):
    with setting.desk(site, tmp_path / "place", {"projects": [{"identifier": "ÄRZTE 1", "name": "x"}]}) as desk:
        with desk.terminal() as screen:
            connect(desk, screen)
            answer(screen, "Which?")
            answer(screen, "key of its tickets [ARZTE1]", "arzt")
            assert "a key has 1 to 12" in answer(screen, "key of its tickets", "ARZT")
            screen.until("repository")


QUESTIONS = ["Address", "Workspace", "it is not shown", "Which?", "WEB: repository", "branch", "Which?", "Which?"]
QUESTIONS += ["Which one?", "Which one?", "Command", "Do this?"]


@pytest.mark.parametrize("last", [0, 2, 4, 8, len(QUESTIONS) - 1])
def test_ctrl_c_leaves_the_system_as_it_was(desk, last):
    said = [desk.plane.url, "acme", desk.plane.token, "1", str(desk.repository), "", "", "", "", "command", COMMAND]
    with desk.terminal() as screen:
        for question, words in zip(QUESTIONS[:last], said[:last], strict=True):
            answer_secretly(screen, words) if words == desk.plane.token else answer(screen, question, words)
        screen.until(QUESTIONS[last])
        screen.interrupt()
        screen.end(code=130)
        shows = termios.tcgetattr(screen.master)[3] & termios.ECHO

    assert shows, "the terminal stays dumb"
    assert not desk.config.parent.exists()


def test_no_at_the_end_leaves_the_system_as_it_was(desk):
    desk.configured()
    before = desk.files()
    with desk.terminal(*desk.options(), "--label", "bug", "--into-state", "Todo", "--post-state", "none") as screen:
        answer(screen, "Do this?", "n")
        screen.end(code=130)

    assert desk.files() == before


def test_colours_go_where_a_terminal_shows_them(desk):
    def shown(**environment):
        with desk.terminal("--dry-run", *desk.options(), "--url", desk.plane.url, **environment) as screen:
            return screen.until("Which?")

    assert "\x1b[32mok" in shown()
    assert "\x1b[" not in shown(NO_COLOR="1")


# Trouble.


def test_a_folder_that_refuses_the_file_leaves_the_old_one(desk):
    desk.configured()
    before = desk.files()
    desk.given.write_text("plane_api_service")
    limits = ["prlimit", "--fsize=20", "--"]

    done = desk.run_under(limits, "--yes", "--label", "bug", "--token-file", str(desk.given))

    assert done.returncode == 71
    assert {name: found for name, found in desk.files().items() if ".bak-" not in name} == before
