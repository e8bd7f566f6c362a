"""What programs leave for pco-notify, beside what they do; and that nothing of it keeps them from doing it."""

import json
import shutil
from pathlib import Path
from typing import Any

from pco.ground import events
from pco.ground.ticket import State
from sessions import Yard, sh, until
from support import Site, a_ticket, put

WAITS = sh("until test -e ../end; do sleep 0.02; done; pco-complete 'All done.'")


def left(site: Site) -> dict[str, Any]:
    """The notices that wait."""
    folder = site.home / "spool" / "notify"
    return {path.stem: json.loads(path.read_text()) for path in folder.iterdir() if path.name[0] != "."}


def wakes(site: Site) -> bool:
    """Whether pco-notify was woken."""
    return (site.home / "spool" / "wake" / "notify").exists()


def test_an_agent_that_waits_is_a_notice_until_somebody_spoke_and_its_summary_another(
    yard: Yard, watch: object
) -> None:
    yard.run("WEB-1", WAITS)
    until(lambda: (last := yard.ticket("WEB-1").attempt) and last.born and last.doing == "working")

    events.write(str(yard.out("WEB-1")), 1, 1, "blocked", {"what": "Bash: rm -rf /\x1b[2J"})
    yard.ring()
    asked = until(lambda: left(yard.site).get("blocked-WEB-1"))
    assert asked["fields"]["what"] == "Bash: rm -rf /[2J"
    assert asked["fields"]["title"] == "Title of WEB-1"
    assert until(lambda: wakes(yard.site))

    events.write(str(yard.out("WEB-1")), 1, 1, "working", {})
    yard.ring()
    until(lambda: "blocked-WEB-1" not in left(yard.site))

    (yard.home("WEB-1").parent / "end").touch()
    yard.comes_to("WEB-1", State.COMPLETED)
    done = until(lambda: left(yard.site).get("completed-WEB-1"))
    assert (done["event"], done["key"], done["fields"]["summary"]) == ("completed", "WEB-1", "All done.")


def test_a_session_that_fails_for_good_is_a_notice_with_the_reason(yard: Yard, watch: object) -> None:
    yard.site.configure(sessions={"attempts": 1})
    yard.run("WEB-1", sh("exit 3"))
    yard.comes_to("WEB-1", State.FAILED)

    failed = until(lambda: left(yard.site).get("failed-WEB-1"))
    assert (failed["event"], failed["fields"]["outcome"]) == ("failed", "failed")


def test_where_no_notice_can_be_left_the_ticket_moves_all_the_same(yard: Yard) -> None:
    shutil.rmtree(yard.site.home / "spool" / "notify")
    (yard.site.home / "spool" / "notify").write_text("")
    yard.watch()

    yard.run("WEB-1", sh("pco-complete done"))

    yard.comes_to("WEB-1", State.COMPLETED)
    until(lambda: "WEB-1: nobody is notified: " in yard.log.read_text())


def test_what_is_posted_is_a_notice_and_what_waited_before_is_none_any_more(site: Site) -> None:
    put(site.spool(), a_ticket("LOCAL-1", local=True), State.OUTBOX)
    stale = site.home / "spool" / "notify" / "completed-LOCAL-1.json"
    stale.write_text("{}")

    site.run("pco-post")

    assert set(left(site)) == {"posted-LOCAL-1"}
    assert wakes(site)


def test_that_pco_is_unwell_is_a_notice_after_a_minute_and_only_one(site: Site) -> None:
    health = site.home / "spool" / "control" / "health"
    Path(site.home / "spool" / "corrupt" / "BAD-1.json").write_text("{")
    site.run("pco-dashboard")
    assert left(site) == {}
    value = json.loads(health.read_text())
    assert not value["told"] and value["seen"]

    health.write_text(json.dumps({**value, "seen": dict.fromkeys(value["seen"], "2026-01-01T00:00:00Z")}))
    site.run("pco-dashboard")

    (notice,) = left(site).values()
    assert notice["event"] == "health degraded" and "corrupt: BAD-1" in notice["fields"]["why"]
    (site.home / "spool" / "notify" / "health-degraded.json").unlink()
    site.run("pco-dashboard", "--full")
    assert left(site) == {}
