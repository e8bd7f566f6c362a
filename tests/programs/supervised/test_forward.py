"""What a person forwards, from the record by pco-watch and pco-hook to the agent, and back into the record."""

import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from pco.ground.ticket import Comment, Forward, Noted, State
from sessions import Yard, sh, until
from support import T0, TOP, a_ticket

LATER = T0 + timedelta(minutes=5)
COMMENT = Noted(
    LATER, "comment", "Maria", "Maria commented", comment=Comment("c1", LATER, "Maria", "/clear everything")
)
ASKED = replace(COMMENT, forward=Forward(1, "bob", LATER))
# As Claude Code runs it when a turn ends.
STOP = f"""stop() {{ echo '{{"hook_event_name": "Stop", "last_assistant_message": "so far"}}' |
  {sys.executable} -ISB {TOP}/bin/pco-hook "$PCO_KEY" "$PCO_ATTEMPT_DIR"; }}"""
WAITS = 'until test -e "$PCO_ATTEMPT_DIR/forward/1.md"; do sleep 0.02; done'


def forwarding(*noted: Noted) -> dict[str, object]:
    """A ticket with what came meanwhile."""
    return {"ticket": replace(a_ticket("WEB-1"), noted=noted)}


def wish(yard: Yard, *noted: Noted) -> None:
    """As pco-queue forward does: into the record, and a byte into the trigger."""
    yard.site.spool().update("WEB-1", lambda ticket: (replace(ticket, noted=noted), None))
    yard.ring()


def words(yard: Yard) -> Path:
    """The file that it names."""
    return handed(yard).with_suffix(".txt")


def handed(yard: Yard, n: int = 1) -> Path:
    """The file from which the hook takes it."""
    return yard.home("WEB-1") / "forward" / f"{n}.md"


def test_what_is_forwarded_begins_the_next_turn_and_counts_as_given(yard: Yard, watch: object) -> None:
    agent = (
        f"{STOP}; {WAITS}; stop > ../answer; stop > ../again; touch ../asked; until test -e ../end; do sleep 0.02; done"
    )
    yard.run("WEB-1", sh(f"{agent}; pco-complete done"))
    until(lambda: (begun := yard.ticket("WEB-1").attempt) and begun.born)

    wish(yard, ASKED)

    until(lambda: yard.ticket("WEB-1").noted[0].given == 1)
    folder = yard.home("WEB-1").parent
    until((folder / "asked").exists)
    answer = (folder / "answer").read_text()
    assert '"decision": "block"' in answer and str(words(yard)) in answer and "/clear" not in answer
    assert (folder / "again").read_text() == ""  # it is not handed over twice
    (folder / "end").touch()
    assert yard.comes_to("WEB-1", State.COMPLETED).noted[0].given == 1


def test_the_file_is_whole_for_the_sessions_user_and_written_once(yard: Yard, watch: object) -> None:
    yard.run("WEB-1", sh("sleep 1000"), **forwarding(ASKED))
    until(lambda: handed(yard).exists())

    first = words(yard).read_text()
    yard.ring()
    wish(yard, ASKED, replace(ASKED, forward=Forward(2, "bob", LATER)))
    until(lambda: handed(yard, 2).exists())

    assert words(yard).read_text() == first
    modes = [path.stat().st_mode & 0o777 for path in (handed(yard), words(yard), handed(yard).parent)]
    assert modes == [0o644, 0o644, 0o755]
    assert "\n/clear everything\nTICKET-" in words(yard).read_text()


def test_a_watch_that_was_killed_before_it_wrote_the_file_does_so_when_it_is_back(yard: Yard) -> None:
    yard.run("WEB-1", sh("sleep 1000"), **forwarding(ASKED))
    until(lambda: (yard.out("WEB-1") / "birth").exists())
    assert not handed(yard).exists()

    yard.watch()

    until(lambda: handed(yard).exists())


def test_a_watch_that_was_killed_between_the_two_files_writes_both_when_it_is_back(yard: Yard) -> None:
    yard.run("WEB-1", sh("sleep 1000"), **forwarding(ASKED))
    words(yard).parent.mkdir()
    words(yard).write_text("of before")

    yard.watch()

    until(lambda: handed(yard).exists())
    assert "/clear everything" in words(yard).read_text()


def test_what_was_taken_while_nobody_watched_counts_as_given_afterwards(yard: Yard) -> None:
    yard.run("WEB-1", sh(f"{STOP}; {WAITS}; stop; sleep 1000"), **forwarding(ASKED))
    first = yard.watch()
    until(lambda: handed(yard).exists())
    first.kill()
    until(lambda: (yard.out("WEB-1") / "given-1").exists())

    yard.watch()

    until(lambda: yard.ticket("WEB-1").noted[0].given == 1)


def test_a_watch_that_is_killed_again_and_again_loses_nothing_and_gives_nothing_twice(yard: Yard) -> None:
    turns = "n=0; until test -e ../end; do stop > ../answer-$n; n=$((n + 1)); sleep 0.05; done"
    yard.run("WEB-1", sh(f"{STOP}; {turns}; sleep 1000"))
    noted = tuple(replace(ASKED, forward=Forward(n, "bob", LATER)) for n in range(1, 7))
    for n in range(1, 7):
        watch = yard.watch()
        given = yard.ticket("WEB-1").noted
        wish(yard, *given, *noted[len(given) : n])
        time.sleep(0.02 * n)
        watch.kill()
        watch.wait()

    yard.watch()

    until(lambda: [event.given for event in yard.ticket("WEB-1").noted] == [1] * 6)
    (yard.home("WEB-1").parent / "end").touch()
    answers = "".join(path.read_text() for path in yard.home("WEB-1").parent.glob("answer-*"))
    assert [answers.count(f"/{n}.txt now") for n in range(1, 7)] == [1] * 6


def test_what_a_session_did_not_take_before_its_end_stays_for_the_next_prompt(yard: Yard, watch: object) -> None:
    yard.run("WEB-1", sh(f"{WAITS}; pco-complete done"), **forwarding(ASKED))

    assert yard.comes_to("WEB-1", State.COMPLETED).noted == (ASKED,)


def test_the_next_attempt_of_the_round_is_handed_what_the_one_before_did_not_take(yard: Yard, watch: object) -> None:
    yard.run("WEB-1", sh("exit 75"), **forwarding(ASKED))
    died = yard.comes_to("WEB-1", State.APPROVED)
    yard.site.spool().path("WEB-1", State.APPROVED).unlink()

    yard.claim("WEB-1", sh("sleep 1000"), ticket=died)
    yard.begin("WEB-1", 2)
    yard.ring()

    until(lambda: (yard.home("WEB-1", 1, 2) / "forward" / "1.md").exists())


def test_what_is_taken_after_the_summary_is_not_given(yard: Yard, watch: object) -> None:
    agent = f"{STOP}; {WAITS}; pco-complete done; stop; sleep 1000"
    yard.run("WEB-1", sh(agent), **forwarding(ASKED))

    assert yard.comes_to("WEB-1", State.COMPLETED).noted[0].given == 0


def test_an_agent_cannot_claim_to_have_got_what_nobody_forwarded(yard: Yard, watch: object) -> None:
    told = "import os, pathlib; from pco.ground import events; events.write(os.path.join(os.environ['PCO_ATTEMPT_DIR'], 'out'), 1, 1, 'working', {'given': [0, 1, 2]})"
    run = f'PYTHONPATH={TOP}/lib {sys.executable} -c "{told}"'
    yard.run("WEB-1", sh(f"{run}; pco-complete done"), **forwarding(COMMENT))

    assert yard.comes_to("WEB-1", State.COMPLETED).noted == (COMMENT,)


def test_after_the_summary_nothing_is_handed_on_any_more(yard: Yard) -> None:
    yard.site.configure(sessions={"complete_grace": "2s"})
    yard.watch()
    yard.run("WEB-1", sh("pco-complete done; sleep 1000"))
    until(lambda: yard.ticket("WEB-1").round.summary)

    wish(yard, ASKED)

    assert yard.comes_to("WEB-1", State.COMPLETED).noted == (ASKED,)
    assert not handed(yard).exists()


def test_what_a_hook_marked_before_it_was_killed_is_not_given(yard: Yard, watch: object) -> None:
    killed = 'touch "$PCO_ATTEMPT_DIR/out/given-1"'  # the first thing that it does
    yard.run("WEB-1", sh(f"{STOP}; {WAITS}; {killed}; stop; pco-complete done"), **forwarding(ASKED))

    assert yard.comes_to("WEB-1", State.COMPLETED).noted == (ASKED,)
