"""Patterns that are hidden in logs and comments, and secrets that are seen before a comment is accepted."""

import getpass
import json

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
    assert_told_of(site)


def assert_told_of(site: Site) -> None:
    """Who posted it, and which kind of secret it is, is in the audit record and in the history; the secret is not."""
    (record,) = [json.loads(line) for line in next((site.home / "audit").glob("*.jsonl")).read_text().splitlines()]
    assert (record["event"], record["fields"]["to"]) == ("moved", "outbox")
    assert (record["by"], record["fields"]["despite"]) == (getpass.getuser(), "a key of Anthropic")
    assert "although it looks as if it held a key of Anthropic" in site.run("pco-queue", "log", "WEB-1").stdout
    assert KEY not in json.dumps(record) + site.spool().read("WEB-1").history[-1].why


def test_of_a_comment_that_holds_no_secret_nothing_is_audited_but_the_move(site):
    completed(site, "Fixed.")

    site.run("pco-queue", "post", "--yes", "--despite-secrets", "WEB-1")

    assert "despite" not in next((site.home / "audit").glob("*.jsonl")).read_text()
    assert site.spool().read("WEB-1").history[-1].why == ""


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
    if state is State.OUTBOX:
        assert_told_of(site)


# What pco-notify sends.


def test_a_pattern_is_hidden_in_what_people_are_told_and_not_in_what_programs_go_by(site, office):
    site.values["redact"] = [r"[a-z.]{1,40}@example\.org", "WEB-[0-9]{1,5}"]
    site.configure(notify={"url": "https://board.example.org"}, contacts={"owner": "ann@example.org"})
    office.hook("all/note")
    fields = {"title": "Of jane@example.org", "summary": "Told\njane.doe@example.org.", "branch": "pco/WEB-1"}
    office.leave("completed-WEB-1", "completed", "WEB-1", **fields, url="https://git.example.org/WEB-1")
    office.leave("digest", "daily-digest", text="WEB-1: by jane@example.org")

    office.run()

    done, digest = sorted(office.got(), key=lambda one: one["event"])
    assert done["notices"][0]["fields"] == {
        "title": "Of (hidden)",
        "summary": "Told\n(hidden).",
        "branch": "pco/WEB-1",
        "url": "https://git.example.org/WEB-1",
    }
    assert (done["keys"], done["notices"][0]["key"]) == (["WEB-1"], "WEB-1")
    assert done["url"] == "https://board.example.org/ticket/WEB-1.html"
    assert done["subject"] == "WEB-1 is completed: its summary is to be read: Of (hidden)"
    assert "jane" not in json.dumps([done, digest]) and "  (hidden)." in done["text"]
    assert digest["text"].startswith("daily digest.\n\n(hidden): by (hidden)\n")
    assert done["contacts"] == {"owner": "ann@example.org"}
