"""What pco-setup makes of answers."""

from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some

from pco.ground import text, yamlfile
from pco.rules import answers
from pco.rules.answers import Agent, Answers, Chosen, Wanted
from support import WEB

ENTRY = answers.entry(WEB, "/srv/git/web.git", "main")
ROWS = [("WEB", "Web App", WEB), ("INF", "Infra, and more", "2"), ("3", "Web app", "x")]


def said(**changes):
    given = {
        "url": "https://plane.example.org",
        "workspace": "acme",
        "token_file": "/etc/pco/credentials/plane-token",
        "projects": (Chosen(ENTRY, "WEB", "Web App"),),
        "into_states": ("Todo",),
        "labels": (),
        "post_state": "group:started",
        "agent": Agent("command", ("/bin/true",)),
    }
    return Answers(**{**given, **changes})


def read(tmp_path, words):
    (tmp_path / "pco.yaml").write_text(words)
    return yamlfile.load(tmp_path / "pco.yaml")


@pytest.mark.parametrize(
    ("spec", "meant"),
    [
        ("WEB", Wanted("WEB")),
        ("WEB=/srv/web.git", Wanted("WEB", "", "/srv/web.git")),
        ("WEB=git@host:web.git#trunk", Wanted("WEB", "", "git@host:web.git", "trunk")),
        ("R D:RD=https://host/x?a=b", Wanted("R D", "RD", "https://host/x?a=b")),
    ],
)
def test_a_project_is_named_in_one_word(spec, meant):
    assert answers.wanted(spec) == meant


@pytest.mark.parametrize(
    ("typed", "numbers"),
    [
        ("1", [0]),
        ("2, 1", [1, 0]),
        ("web", [0]),
        ("WEB,WEB", [0]),
        ("Infra, and more", [1]),
        ("Web app", [2]),
        ("Web App,3", [0, 2]),
        (WEB, [0]),
        ("", []),
        (" , ", []),
    ],
)
def test_things_are_chosen_by_number_key_or_name(typed, numbers):
    assert answers.picked(typed, ROWS) == numbers


@pytest.mark.parametrize(
    ("typed", "words"), [("4", "4 is none of them"), ("0", "none"), ("wbe", "mean"), ("WEB APP", "more than one")]
)
def test_what_is_not_there_or_not_clear_is_said(typed, words):
    with pytest.raises(ValueError, match=words):
        answers.picked(typed, ROWS)


@pytest.mark.parametrize(
    ("identifier", "key"), [("ÄRZTE 1", "ARZTE1"), ("A/B", "AB"), ("日本", ""), ("LOCAL", ""), ("W E B", "")]
)
def test_a_key_is_proposed_where_one_suggests_itself(identifier, key):
    assert answers.proposed(identifier, ["WEB"]) == key


@pytest.mark.parametrize(
    ("key", "fits"), [("WEB", True), ("", False), ("web", False), ("LOCAL", False), ("A" * 13, False)]
)
def test_what_fits_as_a_key(key, fits):
    assert answers.fit(key) is fits


def test_a_fresh_configuration_says_every_answer():
    values = answers.merged({}, said())

    assert list(values) == ["plane", "triggers", "filters", "sessions", "post"]
    assert values["triggers"] == {"into_states": ["Todo"]}
    assert values["post"] == {"state": "group:started"}


def test_what_says_the_same_already_stays_as_it_is():
    before = {
        "log": {"level": "debug"},
        "plane": {
            "workspace": "acme",
            "url": "https://plane.example.org",
            "token_file": "/etc/pco/credentials/plane-token",
            "timeout": "9s",
            "projects": [{"id": WEB.upper(), "repository": "/srv/git/web.git", "filters": {"labels": ["x"]}}],
        },
        "sessions": {"command": ["/bin/true"], "limit": 9},
    }

    assert answers.merged(before, said(into_states=("Todo", "In Progress"))) == before


CLAUDE = Agent("claude", (), "/usr/local/bin/claude", "interactive", "acceptEdits", ticket_usd=20.0, daily_usd=100.0)


def test_a_fresh_configuration_with_claude_code_says_what_it_runs_and_what_it_may_cost(tmp_path):
    values = answers.merged({}, said(agent=CLAUDE))

    assert list(values) == ["plane", "triggers", "filters", "sessions", "claude", "budget", "post"]
    assert values["sessions"] == {"agent": "claude", "permission_mode": "acceptEdits"}
    assert values["claude"] == {"program": "/usr/local/bin/claude", "mode": "interactive"}
    assert values["budget"] == {"ticket_usd": 20, "daily_usd": 100}
    assert "ticket_usd: 20\n" in answers.render(values, {})
    assert read(tmp_path, answers.render(values, {})).agent == "claude"


@pytest.mark.parametrize(
    ("sessions", "agent", "stays"),
    [
        ({"limit": 9}, CLAUDE, True),
        ({"agent": "auto"}, CLAUDE, True),
        ({"agent": "claude"}, CLAUDE, True),
        ({"agent": "auto", "command": ["/bin/true"]}, CLAUDE, False),
        ({"command": ["/bin/true"]}, CLAUDE, False),
        ({"agent": "command", "command": ["/bin/true"]}, CLAUDE, False),
        ({"agent": "auto", "command": ["/bin/true"]}, Agent("command", ("/bin/true",)), True),
        ({"agent": "claude", "command": ["/bin/true"]}, Agent("command", ("/bin/true",)), False),
    ],
)
def test_the_agent_is_named_only_where_another_one_is_meant(sessions, agent, stays):
    before = answers.merged({}, said()) | {"sessions": sessions}

    after = answers.merged(before, said(agent=agent))

    assert (after["sessions"] == sessions) is stays
    assert after["sessions"].get("command") == sessions.get("command")
    assert stays or after["sessions"]["agent"] == agent.kind


def test_of_an_address_that_is_taken_back_nothing_stays():
    before = answers.merged({}, said(agent=replace(CLAUDE, base_url="https://gateway.example.org")))

    after = answers.merged(before, said(agent=CLAUDE))

    assert before["claude"]["base_url"] == "https://gateway.example.org"
    assert "base_url" not in after["claude"]


@pytest.mark.parametrize(
    ("typed", "amount"),
    [("5", 5.0), ("$2.50", 2.5), ("0", 0.0), ("7 USD", 7.0), ("x", None), ("-1", None), ("nan", None)],
)
def test_an_amount_is_read_as_people_write_it(typed, amount):
    if amount is None:
        with pytest.raises(ValueError, match="expected an amount in USD"):
            answers.usd(typed)
    else:
        assert answers.usd(typed) == amount


def test_answers_given_are_not_changed_in_what_was_read():
    before = {"plane": {"url": "x", "workspace": "y", "projects": [{"id": WEB, "repository": "/a"}]}}

    answers.merged(before, said())

    assert before == {"plane": {"url": "x", "workspace": "y", "projects": [{"id": WEB, "repository": "/a"}]}}


def test_a_project_left_out_goes_and_its_settings_with_it():
    before = answers.merged({}, said())
    other = Chosen(answers.entry(WEB[:-1] + "b", "/srv/x", "trunk", "X"), "X Y", "x")

    values = answers.merged(before, said(projects=(other,)))

    assert values["plane"]["projects"] == [
        {"id": WEB[:-1] + "b", "repository": "/srv/x", "branch": "trunk", "key": "X"}
    ]


def test_a_key_and_a_branch_can_be_taken_back():
    before = {"plane": {"projects": [{"id": WEB, "repository": "/a", "branch": "x", "key": "OLD"}]}}

    (project,) = answers.merged(before, said())["plane"]["projects"]

    assert project == {"id": WEB, "repository": "/srv/git/web.git", "branch": "main"}


@given(some.text(min_size=1), some.text(min_size=1), some.text())
def test_any_name_comes_through_the_file_unchanged_and_cannot_reach_a_terminal(tmp_path_factory, state, label, name):
    # What no file can hold was replaced when Plane's answer was read.
    state, label, name = (
        words.encode("utf-8", "replace").decode().replace("\0", "?") for words in (state, label, name)
    )
    values = answers.merged({}, said(into_states=(state,), labels=(label,)))

    written = answers.render(values, {WEB: name})

    config = read(tmp_path_factory.mktemp("any"), written)
    assert (config.triggers.into_states, config.filters.labels) == ((state,), (label,))
    assert config.plane.projects == (ENTRY,)
    assert text.lines(written) == written


def test_lists_of_names_stand_in_one_line_as_people_write_them():
    written = answers.render(answers.merged({}, said(into_states=("Todo", "In Progress"))), {WEB: "WEB: Web App"})

    assert "  into_states: [Todo, In Progress]\n" in written
    assert f"    # WEB: Web App\n    - id: {WEB}\n" in written
    assert yaml.safe_load(written)["sessions"]["command"] == ["/bin/true"]
