"""The pages: snapshot in, HTML out; whatever stands in a ticket stays text."""

import json
import time
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest

from pagewalk import Page, walk
from pco.ground.polled import Head
from pco.ground.ticket import (
    Approval,
    Attempt,
    Blocked,
    Comment,
    Commit,
    Cost,
    Entry,
    Fetched,
    Forward,
    Hold,
    Note,
    Noted,
    PlaneState,
    Post,
    Pushed,
    Round,
    State,
    StateChange,
    Stop,
    Ticket,
    Trigger,
    Work,
)
from pco.pages import board, feeds, lanes, months
from pco.pages.amounts import span, took
from pco.pages.clock import Clock
from pco.pages.pieces import MOST_TEXT
from pco.pages.snapshot import Card, Month, Papers, Ran, Snapshot, Story, Trends, Unreadable, card
from pco.pages.steps import VERBS, steps
from pco.pages.story import MOVING, ticket_page, unreadable_page
from pco.rules.health import Health
from pco.rules.prompt import Target
from pco.spool.index import Finished
from support import T0, TODO, WEB, a_ticket

CLOCK = Clock(T0)
TARGET = Target("/srv/git/web.git", "main", "command", "acceptEdits")
HOUR = timedelta(hours=1)
HOSTILE = [
    "<script>alert(1)</script>",
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "</title></style></textarea></pre><svg onload=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "javascript:alert(1)",
    "data:text/html;base64,PHNjcmlwdD4=",
    "<!--", "--><b>", "<![CDATA[ x ]]>", "]]>", "<?php x ?>", "&lt;script&gt;", "&#60;script&#62;", "&", "<", "<a",
    "</main></body></html>", "<base href=//evil>", "<meta http-equiv=refresh content=0;url=//evil>",
    "\x1b[31mred\x1b]0;title\x07", "a\x00b", "\u202egpj.exe\u202c", "\u2066\u2069\u200b\ufeff", "a\r\nb\u2028c\u2029d",
    "\ud800", "\U000e0041", "\ufffe", "x" * 5000, "e" + "\u0301" * 500, "{{7*7}}${7*7}#{x}%s%n{0}", "\x9b31m\x85",
    "../../etc/passwd", "//evil.example.org", "`id`; $(id) | id", "שלום <b>", "🏳️‍🌈 👩‍👩‍👧",
]  # fmt: skip


def loaded(words: str, state: State) -> Ticket:
    """A ticket that carries `words` in every field that can hold any."""
    named = PlaneState(words, words, words)
    comment = Comment(words, T0, words, words)
    attempts = (
        Attempt(1, T0, T0 + HOUR, words, 1, words, 0, words, words, ending=words),
        Attempt(2, T0 + HOUR, None if state is State.ACTIVE else T0 + 2 * HOUR, words, None, words),
    )
    first = Round(
        1,
        Trigger("status", T0, words, named),
        (comment,),
        words,
        Approval(words, T0, words),
        attempts,
        (Blocked(T0, T0 + HOUR, words),),
        words,
        words,
        words,
        Work((Commit(words, words, words),), words, words, words, words, 3, words),
        Cost(1.5, {words: 3}),
        Post(words, words, T0, words, T0, StateChange(named, "refused", words)),
    )
    last = replace(first, n=2, blocked=(Blocked(T0, None, words),))
    return a_ticket(
        title=words,
        description=words,
        description_html=words,
        plane_state=named,
        labels=(words, words),
        priority=words,
        assignees=(words,),
        url=words,
        notes=(Note(T0, words, words),),
        noted=(Noted(T0, words, words, words, comment, named), Noted(T0, words, words, words, given=1)),
        hold=Hold(words, T0, None, words),
        stop=Stop(T0, words, words, words),
        history=(Entry(T0, "", words, words, 1, words), Entry(T0 + HOUR, words, state.value, words, 2, words)),
        rounds=(first, last),
        state=state,
    )


def story_of(words: str, state: State) -> Page:
    """The page of such a ticket, read strictly."""
    drawn = words.replace("\x1b[31m", "").replace("\x9b31m", "")  # which is what colours are for
    papers = Papers(1, 2, words, drawn.encode("utf-8", "surrogatepass"), words)
    target = Target(words, words, words, words)
    return walk(ticket_page(Story(loaded(words, state), CLOCK, "1", target, words, papers, words, words)))


def snapshot(*cards: Card, **more: Any) -> Snapshot:
    """A well pco with these cards."""
    counts = {state: sum(c.state is state for c in cards) for state in State}
    return Snapshot(
        **{"clock": CLOCK, "version": "1", "health": Health("ok"), "counts": counts, "cards": cards, **more}
    )


def board_of(words: str) -> Page:
    """A board on which everything says `words`."""
    cards = [
        replace(card(loaded(words, state)), key=f"WEB-{n}") for n, state in enumerate(State, 1) if state != "corrupt"
    ]
    cards.append(Card("WEB-99", State.CORRUPT, reason=words, from_=words))
    shown = snapshot(
        *cards,
        health=Health("degraded", (words, words), (words,)),
        recent=(Finished("WEB-50", "posted", T0, words, words, 1, 1.5),),
        counts={State.POSTED: 1, State.PENDING: 1},
        months=(Month("2026-11", 1, ("2026-11.html",)),),
        heads=(Head(WEB, name=words, key=words, polled_at=T0, error=words),),
        paused=Note(T0, words, words),
    )
    return walk(index(shown))


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_no_words_of_a_ticket_become_markup_on_its_page(words):
    for state in State:
        if state is not State.CORRUPT:
            assert story_of(words, state).skeleton == story_of("harmless", state).skeleton


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_no_words_become_markup_on_the_board_and_the_lists(words):
    done = Finished("WEB-1", "posted", T0, words, words, 1, 1.5)
    plain = replace(done, title="harmless")
    month = [walk(months.month_page("2026-11", "2026-11.html", 1, (one,), CLOCK, "1")) for one in (done, plain)]
    broken = [
        walk(unreadable_page(Unreadable(Card("WEB-1", State.CORRUPT, reason=w, from_=w), CLOCK, "1")))
        for w in (words, "harmless")
    ]

    assert board_of(words).skeleton == board_of("harmless").skeleton
    assert month[0].skeleton == month[1].skeleton
    assert broken[0].skeleton == broken[1].skeleton


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_a_feed_holds_no_character_that_nobody_sees(words):
    done = (Finished("WEB-1", "posted", T0, words, words, 1, 1.5),)
    shown = snapshot(card(loaded(words, State.PENDING)), recent=done, health=Health("degraded", (words,)))

    for data in (feeds.board(shown, [feeds.written({"title": words})]), feeds.health(shown)):
        assert all(32 <= byte < 127 or byte == 10 for byte in data)
        assert b"<" not in data
        assert json.loads(data)["status"] == "degraded"


def test_only_an_address_of_the_web_becomes_a_link_to_plane():
    def links(url: str) -> list[str]:
        story = Story(a_ticket(url=url), CLOCK, "1", TARGET, "ab" * 32)
        return [link for link in walk(ticket_page(story)).links if "://" in link or "javascript" in link]

    assert links("https://plane.example.org/acme/browse/WEB-1/") == ["https://plane.example.org/acme/browse/WEB-1/"]
    assert links("javascript:alert(1)//https://x") == []
    assert links("../../etc/passwd") == []
    assert "WEB-2.html" not in walk(ticket_page(Story(a_ticket(url="WEB-2.html"), CLOCK, "1"))).links


# The board.


def index(shown: Snapshot) -> bytes:
    """The board."""
    return board.index(shown, lanes.lanes(shown))


def waiting(key: str, state: State = State.PENDING, **more: Any) -> Card:
    """A card that came into its state an hour ago."""
    return Card(**{"key": key, "state": state, "title": f"Title of {key}", "since": T0 - HOUR, **more})


def test_the_board_puts_first_what_waits_for_a_person():
    cards = [waiting(f"WEB-{n}", state) for n, state in enumerate(State, 1) if state not in ("posted", "rejected")]
    blocked = waiting("WEB-20", State.ACTIVE, blocked="Bash", blocked_since=T0)

    text = walk(index(snapshot(*cards, blocked))).text

    order = ["WEB-20", "WEB-1", "WEB-4", "WEB-7", "WEB-9", "WEB-2", "WEB-3", "WEB-5"]
    places = [text.index(f"{key} Title") for key in order]
    assert places == sorted(places)
    assert "1 to answer · 1 to approve · 1 to accept · 1 failed · 1 corrupt" in text


def test_the_board_says_so_when_nothing_waits():
    page = walk(index(snapshot(waiting("WEB-1", State.ACTIVE))))

    assert "Nothing waits for a person." in page.text
    assert page.title == "pco"


def test_an_empty_board_is_a_calm_page():
    page = walk(index(snapshot()))

    assert "Well" in page.text and "Nothing waits for a person." in page.text
    assert page.refresh


def test_the_board_counts_all_states():
    counts = {state: n for n, state in enumerate(State, 1)}

    text = walk(index(snapshot(counts={**counts, State.POSTED: 12345}))).text

    assert "1to approve" in text and "3running" in text and "12,345posted" in text and "9corrupt" in text


def test_urgent_tickets_come_first_and_then_the_oldest():
    cards = [
        waiting("WEB-1", priority="low", since=T0 - 9 * HOUR),
        waiting("WEB-2", priority="urgent", since=T0 - HOUR),
        waiting("WEB-3", priority="urgent", since=T0 - 2 * HOUR),
        waiting("WEB-4", priority="none", since=T0 - 20 * HOUR),
    ]

    assert [c.key for c in lanes.lanes(snapshot(*cards))[1].cards] == ["WEB-3", "WEB-2", "WEB-1", "WEB-4"]


def test_blocked_held_and_overdue_tickets_stand_out():
    page = walk(
        index(
            snapshot(
                waiting("WEB-1", State.ACTIVE, blocked="Bash(git push)", blocked_since=T0 - HOUR),
                waiting("WEB-2", State.FAILED, since=T0 - 99 * HOUR, held=True, held_by="ben", held_why="freeze"),
                waiting("WEB-5", State.APPROVED, held=True, held_by="ben", held_until=T0 + HOUR),
                waiting("WEB-3", State.APPROVED, held=True, held_by="ben", held_until=T0 - HOUR),
                waiting("WEB-4", since=T0 - 30 * HOUR),
            )
        )
    )

    assert "blocked for 1h: Bash(git push)" in page.text
    assert "held by ben: freeze" in page.text
    assert page.text.count("held until") == 1, "a hold that has passed is none"
    assert page.text.count("overdue") == 1, "who is held back waits for nobody"


def test_a_card_tells_trigger_labels_attempts_age_and_cost():
    ticket = a_ticket(
        rounds=(Round(1, Trigger("status", T0, state=TODO), attempts=(Attempt(1, T0),), cost=Cost(0.42)),),
        labels=("bug", "api"),
        priority="medium",
        history=(Entry(T0 - HOUR, "", "active", "pco-launch", 1),),
        state=State.ACTIVE,
    )

    text = walk(index(snapshot(card(ticket)))).text

    assert "WEB-1 Title of WEB-1 1h" in text
    assert "moved to Todo · medium priority · attempt 1 · $0.42 bug api" in text


def test_health_is_a_line_with_plain_reasons():
    polled = Head(WEB, key="WEB", polled_at=T0 - timedelta(minutes=3))

    text = walk(
        index(snapshot(health=Health("degraded", ("the disk is full",), ("paused by anna",)), heads=(polled,)))
    ).text

    assert "Needs attention" in text and "the disk is full" in text and "paused by anna" in text
    assert "(3m ago)" in text


def test_a_long_lane_leads_to_a_page_of_its_own():
    cards = [waiting(f"WEB-{n}") for n in range(1, 76)]

    page = walk(index(snapshot(*cards)))
    longer = lanes.long(lanes.lanes(snapshot(*cards)))

    assert "lane-pending.html" in page.links and "and 45 more" in page.text
    assert sum(link.startswith("ticket/") for link in page.links) == lanes.MOST_CARDS
    assert (
        sum(link.startswith("ticket/") for link in walk(lanes.lane_page(longer["lane-pending.html"], CLOCK, "1")).links)
        == 75
    )


def test_the_board_stays_small_with_ten_thousand_tickets():
    states = [state for state in State if state not in ("posted", "rejected")]
    much = {"title": "\u6f22" * 300, "labels": ("\u6f22" * 40,) * 8, "noted": 3, "gone": True, "priority": "urgent"}
    long = "\u6f22" * 120
    said = {"held": True, "held_by": "alice", "held_why": long, "failed": long, "reason": long, "doing": long}
    cards = [waiting(f"WEB-{n}", states[n % len(states)], **much, **said) for n in range(10_000)]
    ran = tuple(Ran(f"WEB-{n}", T0 - n * timedelta(minutes=3), T0, "completed") for n in range(1000))

    size = len(index(snapshot(*cards, trends=Trends(ran=ran))))
    assert size < 300_000, size


def test_a_failed_card_says_why():
    ticket = a_ticket("WEB-1", state=State.FAILED, history=(Entry(T0, "active", "failed", "pco-watch", 1, "3 of 3"),))
    ended = replace(ticket, rounds=(replace(ticket.round, attempts=(Attempt(1, T0, T0, "stalled"),)),))

    assert "stalled: 3 of 3" in walk(index(snapshot(card(ended)))).text


def test_the_page_of_a_long_lane_tells_what_the_cards_tell():
    more = {"priority": "high", "labels": ("bug",), "usd": 0.4, "held": True, "held_by": "ann", "held_why": "later"}
    many = snapshot(*(waiting(f"WEB-{n}", trigger="new ticket", **more) for n in range(1, 40)))
    longer = lanes.long(lanes.lanes(many))
    page = walk(lanes.lane_page(longer["lane-pending.html"], CLOCK, "1"))

    assert all(word in page.text for word in ("high", "bug", "$0.40", "held by ann: later", "new ticket"))


def test_times_are_in_the_configured_zone_and_it_is_named():
    from zoneinfo import ZoneInfo

    berlin = Clock(T0, ZoneInfo("Europe/Berlin"), "Europe/Berlin")

    text = walk(index(snapshot(clock=berlin, heads=(Head(WEB, polled_at=T0 - HOUR),)))).text

    assert "Last poll 12:00 CET (1h ago)" in text  # 11:00 UTC
    assert "times in Europe/Berlin." in text


def test_a_span_is_told_as_people_say_it():
    spans = [timedelta(seconds=45), timedelta(minutes=12), timedelta(minutes=200), timedelta(hours=52), 3 * HOUR]

    assert [took(T0, T0 + span) for span in spans] == ["45s", "12m", "3h 20m", "2d 4h", "3h"]
    assert took(T0, T0 - HOUR) == "0s"
    assert span(1e299) == span(1e10) == "115740d 17h"


# One ticket.


def test_the_page_of_a_pending_ticket_shows_what_is_approved_and_how():
    ticket = a_ticket(rounds=(Round(1, Trigger("new", T0), (Comment("c", T0, "Carla", "Also in Liechtenstein."),)),))

    page = walk(ticket_page(Story(ticket, CLOCK, "1", TARGET, "ab" * 32)))

    for shown in ("Title of WEB-1", "Do it.", "Carla", "Also in Liechtenstein.", "/srv/git/web.git", "acceptEdits"):
        assert shown in page.text
    assert f"pco-queue approve WEB-1 --if-hash {'ab' * 8}" in page.text
    assert not page.refresh, "a page that a person reads before approving must not change under their eyes"


def test_the_page_of_a_running_ticket_asks_again_by_itself():
    assert walk(ticket_page(Story(a_ticket(state=State.ACTIVE), CLOCK, "1"))).refresh


def test_each_state_offers_its_commands():
    for state in State:
        page = walk(ticket_page(Story(a_ticket(state=state), CLOCK, "1", TARGET, "ab" * 32)))
        for verb in VERBS[state]:
            assert f"pco-queue {verb.partition(' ')[0]} WEB-1" in page.text


def test_a_comment_that_came_meanwhile_can_be_forwarded_and_the_page_says_what_became_of_it():
    comment = Noted(T0, "comment", "Maria", comment=Comment("c", T0, "Maria", "hurry"))
    bob = Forward(1, "bob", T0)
    shown = {}
    for name, event in {
        "new": comment,
        "asked": replace(comment, forward=bob),
        "taken": replace(comment, forward=bob, given=1),
    }.items():
        shown[name] = walk(ticket_page(Story(a_ticket(state=State.ACTIVE, noted=(event,)), CLOCK, "1"))).text

    assert [name for name, page in shown.items() if "pco-queue forward WEB-1" in page] == ["new"]
    assert "forwarded by bob, not taken yet" in shown["asked"]
    assert "forwarded by bob, and taken" in shown["taken"]


def test_a_session_that_could_not_go_on_with_the_earlier_conversation_says_so():
    begun = Attempt(1, T0, afresh="the earlier conversation is no longer there")
    ticket = a_ticket(state=State.ACTIVE).with_round(attempts=(begun,))

    assert "afresh: the earlier conversation is no longer there" in walk(ticket_page(Story(ticket, CLOCK, "1"))).text


def test_a_draft_is_marked_and_never_the_comment_that_would_be_posted():
    draft = "I think that all is done."
    failed = a_ticket(state=State.FAILED).with_round(draft=draft)
    completed = a_ticket(state=State.COMPLETED).with_round(draft=draft, summary="Done.")

    marked = walk(ticket_page(Story(failed, CLOCK, "1"))).text
    summed_up = walk(ticket_page(Story(completed, CLOCK, "1"))).text

    assert f"Draft: what the agent said last; it handed over no summary{draft}" in marked
    assert "as it would be posted" not in marked
    assert "Done." in summed_up and draft not in summed_up


def test_the_draft_of_an_earlier_round_is_no_summary_of_it():
    first = Round(1, Trigger("new", T0), draft="I think that all is done.")
    ticket = a_ticket(state=State.APPROVED, rounds=(first, Round(2, Trigger("retry", T0))))

    said = "Draft: what the agent said last; it handed over no summaryI think that all is done."
    assert f"Round 1{said}" in walk(ticket_page(Story(ticket, CLOCK, "1"))).text


def test_earlier_rounds_keep_what_was_approved_what_came_of_it_and_the_comment_as_posted():
    work = Work((Commit("c" * 40, "basket: count", "Claude"),), " a | 2 +-", "pco/WEB-1")
    first = Round(1, Trigger("new", T0), (Comment("c", T0, "Carla", "In francs, too."),), remark="Be brief.")
    posted = Post("<p>It counts.</p>", "x", T0, "77", T0)
    ended = replace(first, approval=Approval("anna", T0, "h"), summary="It counts.", work=work, post=posted)
    ticket = a_ticket(state=State.PENDING, rounds=(ended, Round(2, Trigger("comment", T0))))

    text = walk(ticket_page(Story(ticket, CLOCK, "1"))).text

    earlier = text[text.index("Earlier rounds") :]
    said = ("In francs, too.", "Be brief.", "Approved by anna", "Comment, as posted", "It counts.", "basket: count")
    assert all(words in earlier for words in said), earlier


def test_a_comment_that_plane_has_not_confirmed_says_since_when():
    sent = Post("<p>Done.</p>", "x", sending_since=T0)
    ticket = a_ticket(state=State.OUTBOX, rounds=(Round(1, Trigger("new", T0), summary="Done.", post=sent),))

    assert (
        "First sent at 2026-11-22 12:00. Plane has not confirmed it"
        in walk(ticket_page(Story(ticket, CLOCK, "1"))).text
    )


@pytest.mark.parametrize(("summary", "command"), [("", "post WEB-1 --edit"), ("Done.", "post WEB-1")])
def test_a_failed_ticket_is_posted_with_words_that_there_are(summary, command):
    ticket = a_ticket(state=State.FAILED, rounds=(Round(1, Trigger("new", T0), summary=summary),))

    assert f"pco-queue {command}" in steps(Story(ticket, CLOCK, "1"))


def test_an_approved_ticket_without_money_says_so_and_offers_to_release_it():
    short = "its budget is used up ($20.13 of $20.00)"
    ticket = a_ticket(state=State.APPROVED)

    page = walk(ticket_page(Story(ticket, CLOCK, "1", TARGET, "ab" * 32, money="$20.13 of $20.00", short=short)))

    assert f"Approved, but {short}." in page.text and "pco-queue release WEB-1" in page.text
    assert "Has cost" in page.text


def test_the_board_says_what_today_has_cost_once_it_has():
    assert "$3.25 of $100.00 spent today" in walk(index(snapshot(spent=3.25, daily=100.0))).text
    assert "spent today" not in walk(index(snapshot(daily=100.0))).text


def test_the_board_says_whom_to_turn_to_and_first_who_is_on_call():
    contacts = (("owner", "Ann <b>"), ("on call", "+49 30 1"), ("feedback", "https://f.example.org/new"))
    page = walk(index(snapshot(contacts=contacts)))

    assert "On call: +49 30 1 · Owner: Ann <b> · Feedback: https://f.example.org/new" in page.text
    assert "https://f.example.org/new" in page.links


@pytest.mark.parametrize("value", ["javascript:alert(1)", "https://a@evil.example.org", "ops@example.org", "//evil"])
def test_a_contact_that_is_no_address_of_the_web_is_no_link(value):
    page = walk(index(snapshot(contacts=(("feedback", value),))))

    assert value in page.text
    assert value not in page.links


def test_a_held_ticket_offers_to_release_it():
    page = walk(ticket_page(Story(a_ticket(hold=Hold("ben", T0, None, "freeze")), CLOCK, "1", TARGET, "ab" * 32)))

    assert "pco-queue release WEB-1" in page.text and "pco-queue hold WEB-1" not in page.text
    assert "by ben: freeze" in page.text


def test_the_commands_exist():
    from pco.commands.queue import main

    known = set(main.list_commands(None))  # type: ignore[arg-type]

    assert {verb.partition(" ")[0] for verbs in VERBS.values() for verb in verbs} <= known


def test_the_exact_comment_is_shown_before_and_after_it_is_sent():
    ticket = a_ticket(rounds=(Round(1, Trigger("new", T0), summary="Done **well**."),), state=State.COMPLETED)
    posted = replace(ticket, state=State.POSTED).with_round(post=Post("<p>As sent.</p>", "x", posted_at=T0))

    before = walk(ticket_page(Story(ticket, CLOCK, "1", comment="<p>As it <b>would</b> be.</p>"))).text
    after = walk(ticket_page(Story(posted, CLOCK, "1"))).text

    assert "Comment, as it would be posted" in before and "<b>would</b>" in before
    assert "Comment, as posted" in after and "<p>As sent.</p>" in after


def test_it_is_shown_where_the_branch_is_or_why_it_is_not_there():
    def page(pushed: Pushed | None) -> str:
        work = Work((Commit("0" * 40, "x"),), branch="pco/WEB-1", tip="0" * 40, pushed=pushed)
        return walk(ticket_page(Story(a_ticket(state=State.COMPLETED).with_round(work=work), CLOCK, "1"))).text

    assert "Pushed to /srv/<b>.git" in page(Pushed("0" * 40, "/srv/<b>.git", T0))
    assert "Not pushed yet: away" in page(Pushed("0" * 40, "/srv", T0, "later", "away", 3))
    assert "Its push was refused: theirs" in page(Pushed("0" * 40, "/srv", T0, "refused", "theirs", 1))
    assert "ush" not in page(None).partition("Work")[2].partition("What ")[0]


def test_it_is_shown_who_has_fetched_the_branch():
    work = Work((Commit("0" * 40, "x"),), branch="pco/WEB-1", tip="0" * 40, fetched=Fetched("0" * 40, "<ann>", T0))
    ticket = a_ticket(state=State.COMPLETED).with_round(work=work)

    assert "Fetched by <ann>" in walk(ticket_page(Story(ticket, CLOCK, "1"))).text


def test_the_way_tells_how_long_a_ticket_stood_at_each_gate():
    history = (
        Entry(T0, "", "pending", "pco-poll", 1),
        Entry(T0 + HOUR, "pending", "approved", "anna", 1),
        Entry(T0 + 2 * HOUR, "approved", "active", "pco-launch", 1),
    )

    text = walk(ticket_page(Story(a_ticket(history=history), CLOCK, "1"))).text

    assert "came from Plane by pco-poll" in text
    assert "approved by anna · to be approved for 1h" in text
    assert "started by pco-launch · to be started for 1h" in text
    assert "to be approved 1h to be started 1h" in text


def test_the_way_tells_of_sessions_and_questions_in_the_order_of_time():
    current = Round(
        1,
        Trigger("new", T0),
        attempts=(Attempt(1, T0 + HOUR, T0 + 3 * HOUR, "died"), Attempt(2, T0 + 4 * HOUR)),
        blocked=(Blocked(T0 + 2 * HOUR, T0 + 2.5 * HOUR, "Bash(git push)"),),
    )
    history = (Entry(T0, "", "pending", "pco-poll", 1), Entry(T0 + 3 * HOUR, "active", "approved", "pco-watch", 1))

    text = walk(ticket_page(Story(a_ticket(rounds=(current,), history=history), CLOCK, "1"))).text

    told = [
        "came from Plane",
        "attempt 1 of round 1 begins",
        "the agent waits for a person: Bash(git push) answered after 30m",
        "attempt 1 ends: died ran for 2h",
        "to be started again",
        "attempt 2 of round 1 begins",
    ]
    assert sorted(told, key=text.index) == told


def test_an_approval_of_other_content_is_named():
    ticket = a_ticket(rounds=(Round(1, Trigger("new", T0), approval=Approval("anna", T0, "cd" * 32)),))

    assert "has changed since" in walk(ticket_page(Story(ticket, CLOCK, "1", TARGET, "ab" * 32))).text
    assert "has changed since" not in walk(ticket_page(Story(ticket, CLOCK, "1", TARGET, "cd" * 32))).text


def test_long_texts_are_cut_and_that_is_said():
    page = ticket_page(Story(a_ticket(description="é" * 3 * MOST_TEXT), CLOCK, "1"))

    assert len(page) < 2.5 * MOST_TEXT
    assert "cut here" in walk(page).text


@pytest.fixture
def berlin(monkeypatch):
    """A machine in a zone with summer time."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize("state", sorted({*State} - {State.CORRUPT, *MOVING}))
def test_a_ticket_page_does_not_depend_on_the_hour(state, berlin):
    ticket = loaded("words", state)

    for zone, named in ((UTC, "UTC"), (None, "CET/CEST")):
        clocks = (Clock(now, zone, "UTC") for now in (T0, T0 + 5000 * HOUR))
        one, other = (ticket_page(Story(ticket, clock, "1", TARGET, "ab" * 32)) for clock in clocks)
        assert one == other
        assert f"Times in {named}." in walk(one).text


@pytest.mark.parametrize("state", MOVING)
def test_the_page_of_a_ticket_under_way_says_of_when_it_is(state):
    page = walk(ticket_page(Story(loaded("words", state), Clock(T0, UTC, "UTC"), "1", TARGET))).text

    assert f"Made {T0:%Y-%m-%d %H:%M:%S}, times in" in page


# Months and feeds.


def test_a_month_keeps_its_older_pages_as_they_are():
    lines = tuple(Finished(f"WEB-{n}", "posted", T0 + n * HOUR, "x", WEB, 1, 0.0) for n in range(1201, 0, -1))

    before = dict(months.parts("2026-11", lines[1:]))
    after = dict(months.parts("2026-11", lines))

    assert list(after) == ["2026-11-1.html", "2026-11-2.html", "2026-11.html"]
    assert months.names("2026-11", 1201) == ("2026-11.html", "2026-11-2.html", "2026-11-1.html")
    assert [before[name] == after[name] for name in after] == [True, True, False]
    assert [one.key for one in after["2026-11.html"]][:2] == ["WEB-1201", "WEB-1200"]
    assert sum(map(len, after.values())) == 1201


def test_the_pages_of_a_month_lead_to_each_other():
    lines = tuple(Finished(f"WEB-{n}", "posted", T0, "x", WEB, 1, 0.0) for n in range(1, 601))

    for name, part in months.parts("2026-11", lines):
        page = walk(months.month_page("2026-11", name, 600, part, CLOCK, "1"))
        others = {link for link in page.links if link.startswith("2026")}
        assert others == {"2026-11.html", "2026-11-1.html"} - {name}


def test_health_json_has_the_keys_of_old_and_more():
    counts = {State.PENDING: 2, State.ACTIVE: 1, State.COMPLETED: 3}
    head = Head(WEB, polled_at=T0)
    shown = snapshot(counts=counts, watching=True, paused=Note(T0, "anna", "x"), heads=(head,))

    value = json.loads(feeds.health(shown))

    assert [value[k] for k in ("status", "tmux_service", "pending_count", "active_count", "completed_count")] == [
        "ok",
        "running",
        2,
        1,
        3,
    ]
    assert value["last_poll"] == "2026-11-22T12:00:00.000000Z"
    assert value["paused"] == {"by": "anna", "at": "2026-11-22T12:00:00.000000Z", "why": "x"}
    assert set(value) >= {"counts", "reasons", "notes", "generated_at", "version"}
    assert set(value["counts"]) == {state.value for state in State}


def test_health_json_tells_how_long_things_wait_in_seconds():
    waiting = [(3, State.PENDING), (1, State.PENDING), (2, State.OUTBOX)]
    cards = [Card(f"WEB-{n}", state, since=T0 - n * HOUR) for n, state in waiting]
    heads = (Head(WEB, polled_at=T0 - timedelta(seconds=30)), Head("never"))

    value = json.loads(feeds.health(snapshot(*cards, heads=heads)))

    assert value["ages"] == {
        "last_poll": 30,
        "oldest_pending": 3 * 3600,
        "oldest_completed": None,
        "oldest_outbox": 2 * 3600,
    }


@pytest.mark.parametrize(("watching", "said"), [(True, "running"), (False, "stopped"), (None, "unknown")])
def test_health_json_tells_whether_the_sessions_are_watched(watching, said):
    assert json.loads(feeds.health(snapshot(watching=watching)))["tmux_service"] == said
