"""Patterns that are hidden in logs and comments, and secrets that are seen before a comment is accepted."""

import pytest

from pco.ground.ticket import Commit, State, Work
from programs.queueing import at_terminal
from support import Site, a_ticket, put

KEY = "sk-ant-api03-" + "A" * 40


def completed(site: Site, summary: str, **more: object) -> None:
    put(site.spool(), a_ticket("WEB-1").with_round(summary=summary, **more), State.COMPLETED)


def test_a_pattern_is_hidden_in_the_comment_and_stays_in_the_record(site):
    site.values["redact"] = [r"[a-z.]{1,40}@example\.org"]
    site.configure()
    work = Work(commits=(Commit("c" * 40, "mail jane@example.org"),), branch="pco/WEB-1", tip="c" * 40)
    completed(site, "Told **jane.doe@example.org**.", work=work)

    site.run("pco-queue", "post", "--yes", "WEB-1")

    round = site.spool().read("WEB-1").round
    assert "<strong>(hidden)</strong>" in round.post.body
    assert "example.org" not in round.post.body
    assert round.summary == "Told **jane.doe@example.org**."


def test_a_pattern_is_hidden_in_what_programs_say(site):
    site.values["redact"] = [r"jane\.doe"]
    site.configure()
    said = site.run("pco-queue", "approve", "--yes", "jane.doe", code=65).stderr
    died = site.run("pco-launch", "jane.doe", code=65).stderr

    for words in (said, died):
        assert "(hidden)" in words
        assert "jane" not in words


def test_a_pattern_that_could_hang_a_program_ends_it_with_its_line(site):
    site.values["redact"] = ["fine", "(a+)+b"]
    site.configure()

    said = site.run("pco-queue", code=78).stderr

    assert "redact" in said
    assert "repeats a group" in said


def test_yes_alone_accepts_no_comment_that_looks_as_if_it_held_a_secret(site):
    completed(site, f"I used\n\n    {KEY}\n")

    said = site.run("pco-queue", "post", "--yes", "WEB-1", code=65).stderr

    assert "looks as if it held a key of Anthropic: --yes does not take it" in said
    assert KEY not in said
    assert site.spool().find("WEB-1") is State.COMPLETED
    site.run("pco-queue", "post", "--yes", "--despite-secrets", "WEB-1")
    assert site.spool().find("WEB-1") is State.OUTBOX


@pytest.mark.parametrize(("answer", "state"), [("n", State.COMPLETED), ("y", State.OUTBOX)])
def test_a_person_is_shown_that_and_must_say_so_once_more(site, answer, state):
    completed(site, f"I used {KEY}.")
    environment = {**site.environment(), "TERM": "xterm", "PAGER": "cat", "COLUMNS": "100"}
    with at_terminal(["pco-queue", "post", "WEB-1"], environment) as screen:
        assert "LOOK: this looks as if it held a key of Anthropic" in screen.until("[y/N]")
        screen.type("y\n")
        assert "Post it all the same" in screen.until("[y/N]")
        screen.type(f"{answer}\n")
        screen.end()

    assert site.spool().find("WEB-1") is state
