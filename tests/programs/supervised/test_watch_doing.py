"""What the agent of a session does: recorded, announced once, shown, without rewriting the record for ever."""

import re
from datetime import datetime

from pco.ground import events, leavings, spend
from pco.ground.leavings import Account
from pco.ground.ticket import State
from sessions import Yard, sh, until

WAITS = sh("until test -e ../end; do sleep 0.02; done; pco-complete done")


def ran(yard: Yard, key: str = "WEB-1") -> None:
    """A session that waits for the file `end`."""
    yard.run(key, WAITS)
    until(lambda: (last := yard.ticket(key).attempt) and last.born and last.doing == "working")


def ends(yard: Yard, key: str = "WEB-1") -> None:
    """It goes on, and to its end."""
    (yard.home(key).parent / "end").touch()
    yard.comes_to(key, State.COMPLETED)


def tells(yard: Yard, kind: str, key: str = "WEB-1", **detail: object) -> None:
    """As pco-hook does."""
    events.write(str(yard.out(key)), 1, 1, kind, detail)
    yard.ring()


def said(yard: Yard) -> str:
    """What the watcher has told."""
    return (yard.site.home / "watch.log").read_text()


def test_an_agent_that_waits_for_a_word_is_announced_once_and_again_only_after_it_worked(yard: Yard) -> None:
    log = open(yard.site.home / "watch.log", "a")  # noqa: SIM115
    yard.started.append(yard.site.start("pco-watch", stderr=log))
    ran(yard)

    tells(yard, "turn_ended", last="Shall I go on?")
    until(lambda: yard.ticket("WEB-1").attempt.doing == "its turn has ended")
    tells(yard, "idle")
    until(lambda: yard.ticket("WEB-1").attempt.doing == "idle")
    until(lambda: "at rest" in said(yard))
    assert len(re.findall("at rest", said(yard))) == 1

    tells(yard, "working")
    until(lambda: yard.ticket("WEB-1").attempt.doing == "working")
    tells(yard, "turn_failed", error="overloaded")
    until(lambda: yard.ticket("WEB-1").attempt.doing == "its turn failed: overloaded")
    until(lambda: "WEB-1: at rest what=its turn failed: overloaded" in said(yard))
    assert len(re.findall("at rest", said(yard))) == 2


def test_what_pco_should_know_of_its_program_is_said_as_a_warning(yard: Yard) -> None:
    log = open(yard.site.home / "watch.log", "a")  # noqa: SIM115
    yard.started.append(yard.site.start("pco-watch", stderr=log))
    ran(yard)

    tells(yard, "launched", warning="Claude Code 9.9.9 is newer than what was tested")
    until(lambda: "WEB-1: Claude Code 9.9.9 is newer than what was tested" in said(yard))


def test_the_screen_of_a_session_that_runs_is_kept_where_the_group_can_read_it(yard: Yard, watch: object) -> None:
    draws = """printf '\\033[31mI am red\\033[0m'; printf b 1<>"$PCO_ATTEMPT_DIR/out/bell"; """
    yard.run("WEB-1", sh(draws + WAITS[-1]))

    kept = yard.home("WEB-1") / "screen"
    # A look at the screen within the last seconds is not repeated: the next event brings it.
    until(lambda: (yard.ring(), kept.exists() and b"\x1b[31mI am red" in kept.read_bytes())[1])
    assert kept.stat().st_mode & 0o777 == 0o644


def test_a_link_in_the_place_of_the_screen_is_not_followed(yard: Yard, watch: object) -> None:
    secret = yard.site.home / "secret"
    secret.write_text("secret")
    ran(yard)
    (yard.out("WEB-1") / "screen").unlink(missing_ok=True)
    (yard.out("WEB-1") / "screen").symlink_to(secret)
    tells(yard, "blocked", what="Bash")
    until(lambda: yard.ticket("WEB-1").blocked)
    ends(yard)

    kept = yard.home("WEB-1") / "screen"
    assert not kept.exists() or b"secret" not in kept.read_bytes()


def test_a_cost_that_moves_all_the_time_goes_into_the_ledger_but_seldom_into_the_record(
    yard: Yard, watch: object
) -> None:
    ran(yard)
    before = yard.ticket("WEB-1").rev
    today = datetime.now().astimezone().date()

    for n in range(1, 101):
        leavings.write_account(yard.out("WEB-1"), Account(n / 100))
        yard.ring()
        until(lambda n=n: abs(spend.read(yard.site.home / "metrics", today).total - n / 100) < 1e-9)
    assert yard.ticket("WEB-1").rev < before + 30

    ends(yard)
    assert yard.ticket("WEB-1").round.cost.usd == 1.0
