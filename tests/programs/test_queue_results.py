"""pco-queue post, recall, rework, retry, reopen: what becomes of a session's result."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pco.ground.ticket import Approval, Attempt, Comment, Commit, Noted, Post, State, Stop, Work
from programs.queueing import Desk
from support import T0


@pytest.fixture
def desk(site):
    return Desk(site)


def editor(folder, script):
    """An editor that changes its file by a shell script; the file is $1."""
    path = folder / "editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


# post.


def test_post_freezes_the_comment_and_fills_the_outbox(desk):
    desk.has("WEB-1", State.COMPLETED, summary="All **done**.", summary_by="agent")
    assert desk.out("post", "WEB-1", "--yes") == ["WEB-1: completed -> outbox"]
    ticket = desk.read("WEB-1")
    assert "<strong>done</strong>" in ticket.round.post.body
    assert ticket.round.post.external_id == "WEB-1:1:record1"
    assert ticket.round.post.sending_since is None
    assert ticket.round.summary_by == "agent"
    assert desk.flags() == ["dashboard", "post"]


def test_post_shows_the_exact_comment_and_asks(desk):
    desk.has("WEB-1", State.COMPLETED, summary="All **done**.")
    with desk.terminal("post", "WEB-1") as screen:
        said = screen.until("[y/N]")
        assert "<strong>done</strong>" in said and "All done." in said
        screen.type("n\n")
        assert "WEB-1: stays completed" in screen.end()
    with desk.terminal("post", "WEB-1") as screen:
        screen.until("[y/N]")
        screen.type("y\n")
        screen.end()
    shown = said.split("Its HTML:")[1].split("\n\n")[0]
    assert desk.read("WEB-1").round.post.body.split() == shown.split()


def test_post_needs_yes_where_nobody_can_answer(desk):
    desk.has("WEB-1", State.COMPLETED, summary="x")
    assert "--yes" in desk.run("post", "WEB-1", code=2).stderr
    assert desk.read("WEB-1").state is State.COMPLETED


def test_post_takes_other_words_from_the_command_line_standard_input_or_an_editor(desk, tmp_path):
    for key in ("WEB-1", "WEB-2", "WEB-3"):
        desk.has(key, State.COMPLETED, summary="agent's", summary_by="agent")
    desk.run("post", "WEB-1", "--yes", "--summary", "mine")
    desk.run("post", "WEB-2", "--yes", "--summary", "-", input="piped\n")
    environment = {**desk.site.environment(), "EDITOR": editor(tmp_path, 'echo "and more" >> "$1"')}
    desk.run("post", "WEB-3", "--yes", "--edit", env=environment)
    rounds = [desk.read(key).round for key in ("WEB-1", "WEB-2", "WEB-3")]
    assert [r.summary for r in rounds] == ["mine", "piped", "agent'sand more"]
    assert all(r.summary_by != "agent" for r in rounds)
    assert "piped" in rounds[1].post.body


@pytest.mark.parametrize("words", ["", " \n\t", "\u200b\x07"])
def test_an_empty_summary_is_refused(desk, words):
    desk.has("WEB-1", State.COMPLETED, summary="agent's")
    assert "no summary" in desk.run("post", "WEB-1", "--yes", "--summary", "-", code=65, input=words).stderr
    assert desk.read("WEB-1").state is State.COMPLETED


def test_an_editor_that_fails_changes_nothing(desk, tmp_path):
    desk.has("WEB-1", State.COMPLETED, summary="agent's")
    for wrong, code in ((editor(tmp_path, "exit 1"), 69), ("/nowhere/vi", 69)):
        environment = {**desk.site.environment(), "EDITOR": wrong}
        assert "editor" in desk.run("post", "WEB-1", "--yes", "--edit", env=environment, code=code).stderr
    assert desk.read("WEB-1").state is State.COMPLETED


def test_post_of_a_failed_ticket_with_words_of_ones_own(desk):
    desk.has("WEB-1", State.FAILED)
    desk.run("post", "WEB-1", "--yes", code=65)
    assert desk.out("post", "WEB-1", "--yes", "--summary", "By hand.") == ["WEB-1: failed -> outbox"]


def test_a_draft_is_never_posted_by_yes_alone(desk, tmp_path):
    desk.has("WEB-1", State.FAILED, draft="I think that **all** is done.")
    desk.has("WEB-2", State.COMPLETED, summary="Done.", summary_by="agent", draft="of an earlier attempt")
    said = desk.run("post", "WEB-1", "--yes", code=65).stderr
    assert "only a draft" in said and "pco-queue post WEB-1 --draft --yes" in said
    unchanged = {**desk.site.environment(), "EDITOR": "true"}
    assert "only a draft" in desk.run("post", "WEB-1", "--yes", "--edit", env=unchanged, code=65).stderr
    desk.run("post", "--all", "--yes", code=65)
    assert (desk.read("WEB-1").state, desk.read("WEB-2").state) == (State.FAILED, State.OUTBOX)
    assert (desk.read("WEB-2").round.summary, desk.read("WEB-2").round.summary_by) == ("Done.", "agent")


def test_a_person_takes_a_draft_and_the_summary_is_theirs(desk, tmp_path):
    for key in ("WEB-1", "WEB-2"):
        desk.has(key, State.FAILED, draft="I think that **all** is done.")
    assert desk.out("post", "WEB-1", "--draft", "--yes") == ["WEB-1: failed -> outbox"]
    environment = {**desk.site.environment(), "EDITOR": editor(tmp_path, 'echo " Indeed." >> "$1"')}
    desk.run("post", "WEB-2", "--edit", "--yes", env=environment)
    first, second = desk.read("WEB-1").round, desk.read("WEB-2").round
    assert first.summary == first.draft and "<strong>all</strong>" in first.post.body
    assert second.summary == "I think that **all** is done. Indeed."
    assert first.summary_by == second.summary_by == desk.read("WEB-1").history[-1].by != "agent"


def test_post_shows_a_draft_as_such_and_asks_for_just_that(desk):
    desk.has("WEB-1", State.FAILED, draft="I think that all is done.")
    with desk.terminal("post", "WEB-1") as screen:
        said = screen.until("WEB-1: take these last words of its agent for the summary, and post them? [y/N]")
        assert "DRAFT: what the agent said last; it handed over no summary" in said
        screen.type("n\n")
        assert "WEB-1: stays failed\n" in screen.end()
    with desk.terminal("post", "WEB-1") as screen:
        screen.until("[y/N]")
        screen.type("y\n")
        assert "WEB-1: failed -> outbox" in screen.end()


def test_show_marks_a_draft_and_says_how_to_take_it(desk):
    desk.has("WEB-1", State.FAILED, draft="I think that all is done.", attempts=(Attempt(1, T0, T0, "idle"),))
    desk.has("WEB-2", State.COMPLETED, summary="Done.", draft="of an earlier attempt")
    said = desk.run("show", "WEB-1").stdout
    assert "DRAFT: what the agent said last; it handed over no summary\n  I think that all is done." in said
    assert "pco-queue post WEB-1 shows it and asks" in said
    assert "nobody spoke to it" in said
    assert "DRAFT" not in desk.run("show", "WEB-2").stdout


def test_post_of_a_gone_item_is_refused_with_what_to_do(desk):
    desk.has("WEB-1", State.COMPLETED, summary="x", gone=True)
    said = desk.run("post", "WEB-1", "--yes", code=65).stderr
    assert "gone from Plane" in said and "pco-queue reject WEB-1" in said


def test_a_comment_that_was_sent_once_never_changes(desk):
    sent = Post("<p>sent</p>", "WEB-1:1:record1", sending_since=T0)
    desk.has("WEB-1", State.FAILED, summary="sent", post=sent)
    assert "cannot change" in desk.run("post", "WEB-1", "--yes", "--summary", "other", code=65).stderr
    desk.run("post", "WEB-1", "--yes")
    assert (desk.read("WEB-1").round.post.body, desk.read("WEB-1").round.post.sending_since) == ("<p>sent</p>", T0)


def test_post_shows_the_comment_again_if_it_changed_while_it_asked(desk):
    desk.has("WEB-1", State.COMPLETED, summary="first")
    with desk.terminal("post", "WEB-1") as screen:
        screen.until("[y/N]")
        spool = desk.site.spool("pco-watch")
        spool.record(spool.read("WEB-1").with_round(summary="second"))
        screen.type("y\n")
        assert "second" in screen.until("[y/N]")
        screen.type("y\n")
        screen.end()
    assert "second" in desk.read("WEB-1").round.post.body


def test_a_comment_noted_while_it_asks_does_not_matter(desk):
    desk.has("WEB-1", State.COMPLETED, summary="first")
    with desk.terminal("post", "WEB-1") as screen:
        screen.until("[y/N]")
        spool = desk.site.spool("pco-poll")
        noted = Noted(T0, "comment", comment=Comment("c", T0, "Ann", "hm"))
        spool.record(replace(spool.read("WEB-1"), noted=(noted,)))
        screen.type("y\n")
        assert "WEB-1: completed -> outbox" in screen.end()
    assert len(desk.read("WEB-1").noted) == 1


def test_the_lock_is_free_while_post_asks(desk):
    desk.has("WEB-1", State.COMPLETED, summary="first")
    with desk.terminal("post", "WEB-1") as screen:
        screen.until("[y/N]")
        with desk.site.spool().lock():
            pass
        screen.type("n\n")
        screen.end()


# The form of the comment.


def test_the_comment_has_the_form_that_the_configuration_names(desk, tmp_path):
    (tmp_path / "form.md").write_text("Round $round, taken by $accepted_by:\n$summary\n\nCommits:\n- $commits\n")
    desk.site.configure(post={"template": str(tmp_path / "form.md")})
    work = Work((Commit("0123456789abcdef", "web: <fix>"),), branch="pco/WEB-1")
    desk.has("WEB-1", State.COMPLETED, summary="All **done**.", work=work)
    desk.has("WEB-2", State.COMPLETED, summary="No need.")
    desk.run("post", "WEB-1", "WEB-2", "--yes")
    who = desk.read("WEB-1").history[-1].by
    first, second = (desk.read(key).round.post.body for key in ("WEB-1", "WEB-2"))
    assert first.split("\n")[:2] == [f"<p>Round 1, taken by {who}:</p>", "<p>All <strong>done</strong>.</p>"]
    assert "<p>Commits:</p>\n<ul>\n<li>0123456789 web: &lt;fix&gt;</li>\n</ul>" in first
    assert "Commits" not in second and "No need." in second
    assert "Round 1, taken by" in desk.run("show", "WEB-1").stdout


def test_a_form_that_was_changed_while_post_asked_changes_nothing(desk, tmp_path):
    form = tmp_path / "form.md"
    form.write_text("$summary\n\nThe first form.")
    desk.site.configure(post={"template": str(form)})
    desk.has("WEB-1", State.COMPLETED, summary="Done.")
    with desk.terminal("post", "WEB-1") as screen:
        assert "The first form." in screen.until("[y/N]")
        form.write_text("$summary\n\nThe second form.")
        screen.type("y\n")
        screen.end()
    assert "The first form." in desk.read("WEB-1").round.post.body


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("$summary\n\nby $nobody\n", "form.md:3: $nobody is not known"),
        ("Done.\n", "form.md: $summary is missing"),
        (None, "form.md: No such file or directory"),
        (b"\xff$summary", "form.md: 'utf-8' codec"),
        ("FOLDER", "form.md: "),
    ],
)
def test_with_a_wrong_form_nothing_is_accepted_and_the_place_is_named(desk, tmp_path, form, said):
    path = tmp_path / "form.md"
    if form == "FOLDER":
        path.mkdir()
    elif form is not None:
        path.write_bytes(form if isinstance(form, bytes) else form.encode())
    desk.site.configure(post={"template": str(path)})
    desk.has("WEB-1", State.COMPLETED, summary="Done.")
    desk.has("WEB-2", State.OUTBOX, summary="Sent.", post=Post("<p>As it was sent.</p>", "x", sending_since=T0))
    before = desk.read("WEB-1")
    assert f"WEB-1: post.template: {tmp_path}/{said}" in desk.run("post", "WEB-1", "--yes", code=78).stderr
    assert desk.read("WEB-1") == before
    for looked in (desk.run(), desk.run("show", "WEB-1")):
        assert f"post.template: {tmp_path}/{said}" in looked.stdout
    assert "As it was sent." in desk.run("show", "WEB-2").stdout


# recall.


def test_recall_only_while_nothing_was_sent(desk):
    desk.has("WEB-1", State.COMPLETED, summary="x")
    desk.run("post", "WEB-1", "--yes")
    assert desk.out("recall", "WEB-1") == ["WEB-1: outbox -> completed"]
    assert desk.read("WEB-1").round.post is None
    desk.has("WEB-2", State.OUTBOX, post=Post("<p>x</p>", "WEB-2:1:record2", sending_since=T0))
    assert "has begun to send it" in desk.run("recall", "WEB-2", code=65).stderr
    assert desk.read("WEB-2").state is State.OUTBOX


# rework, retry, reopen.

BEFORE = Comment("c1", T0, "Ann", "before")
MEANWHILE = Noted(
    T0 + timedelta(hours=1), "comment", comment=Comment("c2", T0 + timedelta(hours=1), "Bob", "meanwhile")
)


def test_rework_begins_a_round_with_the_remark_and_the_comments_that_came_meanwhile(desk):
    old = Approval("ann", T0, "00")
    desk.has("WEB-1", State.COMPLETED, approval=old, comments=(BEFORE,), summary="x", noted=(MEANWHILE,))
    desk.run("rework", "WEB-1", code=2)
    assert desk.out("rework", "WEB-1", "--note", "tests are missing") == ["WEB-1: completed -> approved"]
    ticket = desk.read("WEB-1")
    assert (ticket.round.n, ticket.round.trigger.kind, ticket.round.remark) == (2, "rework", "tests are missing")
    assert [c.text for c in ticket.round.comments] == ["before", "meanwhile"]
    assert [event.given for event in ticket.noted] == [2]
    assert ticket.round.approval.hash == desk.hash("WEB-1") != "00"
    assert ticket.rounds[0].summary == "x"


def test_the_remark_of_a_rework_may_be_the_last_word(desk):
    for key in ("WEB-1", "WEB-2"):
        desk.has(key, State.COMPLETED, summary="x")
    desk.out("rework", "WEB-1", "WEB-2", "The tests are missing.")
    assert [desk.read(key).round.remark for key in ("WEB-1", "WEB-2")] == ["The tests are missing."] * 2


def test_the_remark_of_a_rework_goes_with_all_and_with_keys_from_standard_input(desk):
    desk.has("WEB-1", State.COMPLETED, summary="x")
    desk.run("rework", "-", "Again.", input="WEB-1\n")
    desk.has("WEB-2", State.COMPLETED, summary="x")
    desk.run("rework", "--all", "--yes", "And again.")
    assert [desk.read(key).round.remark for key in ("WEB-1", "WEB-2")] == ["Again.", "And again."]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["WEB-1"], "Say what is to be done differently"),
        (["WEB-1", " "], "Say what is to be done differently"),
        (["WEB-1", "--note", ""], "Say what is to be done differently"),
        (["web-1"], "Say what is to be done differently"),
        (["WEB-1", "the", "tests", "are", "missing"], 'put it into quotes, "the tests are missing"'),
        (["The tests.", "WEB-1"], "the remark goes last"),
        (["The tests."], "Name tickets by their keys"),
        (["WEB-1", "The tests.", "--note", "The docs."], "given twice"),
    ],
)
def test_a_rework_that_was_mistyped_does_nothing_and_says_why(desk, words, said):
    desk.has("WEB-1", State.COMPLETED, summary="x")
    assert said in " ".join(desk.run("rework", *words, code=2).stderr.split())
    assert desk.read("WEB-1").state is State.COMPLETED


def test_a_key_in_small_letters_is_no_remark(desk):
    desk.has("WEB-1", State.COMPLETED, summary="x")
    assert "did you mean WEB-1" in desk.run("rework", "web-1", "Again.", code=65).stderr


def test_show_and_log_say_of_a_session_that_it_could_not_go_on_with_the_conversation(desk):
    begun = Attempt(1, T0, afresh="the earlier conversation is no longer there")
    desk.has("WEB-1", State.ACTIVE, attempts=(begun,))
    for verb in ("show", "log"):
        assert "afresh: the earlier conversation is no longer there" in desk.run(verb, "WEB-1").stdout


def test_retry_counts_from_nothing_and_approves_the_content_as_it_is_now(desk):
    attempts = (Attempt(1, T0, T0, "died"), Attempt(2, T0, T0, "died"))
    desk.has("WEB-1", State.FAILED, attempts=attempts, remark="slowly", approval=Approval("ann", T0, "00"))
    assert desk.out("retry", "WEB-1") == ["WEB-1: failed -> approved"]
    ticket = desk.read("WEB-1")
    assert (ticket.round.n, ticket.round.attempts, ticket.round.remark) == (2, (), "slowly")
    assert ticket.round.approval.hash == desk.hash("WEB-1")
    assert "launch" in desk.flags()


def test_reopen_waits_for_an_approval_again(desk):
    desk.has("WEB-1", State.POSTED, approval=Approval("ann", T0, "00"))
    desk.has("WEB-2", State.REJECTED, stop=Stop(T0, "ann"))
    assert desk.out("reopen", "WEB-1", "WEB-2") == ["WEB-1: posted -> pending", "WEB-2: rejected -> pending"]
    assert [desk.read(key).round.n for key in ("WEB-1", "WEB-2")] == [2, 2]
    assert desk.read("WEB-1").round.approval is None
    assert desk.read("WEB-2").stop is None


def test_rounds_are_refused_where_they_make_no_sense(desk):
    desk.has("WEB-1")
    desk.has("WEB-2", State.FAILED, gone=True)
    desk.has("WEB-3", State.REJECTED, gone=True)
    assert "it is pending" in desk.run("rework", "WEB-1", "--note", "x", code=65).stderr
    assert "gone from Plane" in desk.run("retry", "WEB-2", code=65).stderr
    assert "gone from Plane" in desk.run("reopen", "WEB-3", code=65).stderr
