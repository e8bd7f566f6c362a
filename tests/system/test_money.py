"""What sessions cost, under the installed units: the ledger, the brakes, and what a person sees of them."""

import json
from collections.abc import Iterator

import pytest
from inside import Inside, attempts, await_agent, begin, furnish, state
from installed import Installed, booted

from pco.ground import messages

SPEND = "/var/lib/pco/metrics/spend"
# As pco-session does it for an agent that keeps account.
SAY = """\
import json, os
launch = json.load(open(os.environ["PCO_ATTEMPT_DIR"] + "/launch.json"))
account = {{"usd": {usd}, "tokens": {{}}, "estimated": False, "schema": 1}}
with open(launch["out"] + "/.account", "w") as file:
    json.dump(account, file)
os.chmod(file.name, 0o644)
os.rename(file.name, launch["out"] + "/account")
with open(launch["trigger"], "wb", buffering=0) as trigger:
    trigger.write(b"c")
"""


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own, where agents do what a test says, and money is short."""
    with booted("m") as pco:
        furnish(pco, "budget: {ticket_usd: 2, daily_usd: 10}\n")
        yield pco


def costs(session: Inside, usd: float) -> None:
    """The session says that it has cost so much."""
    assert session.says(SAY.format(usd=usd)) == ""


def costs_too_much(session: Inside, usd: float) -> None:
    """It says what it does not outlive: it may be ended before it could answer."""
    session.does(SAY.format(usd=usd))


def cost(pco: Installed, session: Inside) -> float:
    """What its attempt has cost, as the record says."""
    return float(attempts(pco, session)[-1]["cost"]["usd"])


def ledger(pco: Installed) -> dict[str, dict[str, float]]:
    """The sessions of today's ledger."""
    found: dict[str, dict[str, float]] = json.loads(pco.host.exec("sh", "-c", f"cat {SPEND}/*.json").stdout)["sessions"]
    return found


def test_what_a_session_costs_is_in_the_record_in_the_ledger_and_shown_to_people(pco: Installed) -> None:
    (session,) = begin(pco)

    costs(session, 1.25)
    pco.wait("the cost in the record", lambda: cost(pco, session) == 1.25)
    session.complete()
    pco.wait("its end", lambda: state(pco, session) == "completed")

    assert ledger(pco)[f"{session.key}:1.1"] == {"before": 0.0, "seen": 1.25}
    assert "$1.25 of $2.00" in pco.run("pco-queue", "show", session.key)
    owner = pco.host.exec("sh", "-c", f"stat -c '%U %a' {SPEND} {SPEND}/*.json").stdout.split("\n")
    assert owner[:2] == ["pco 755", "pco 644"]


def test_a_ticket_without_money_fails_waits_and_goes_on_once_a_person_released_it(pco: Installed) -> None:
    (session,) = begin(pco)
    costs_too_much(session, 2.5)
    pco.wait("its end", lambda: state(pco, session) == "failed")
    assert "its budget is used up ($2.50 of $2.00" in pco.run("pco-queue", "show", session.key)

    said = pco.host.exec("runuser", "-u", "alice", "--", "pco-queue", "retry", "--yes", session.key).stderr
    assert "does not start: its budget is used up" in said
    pco.host.systemctl("start", "--wait", "pco-launch.service")
    assert state(pco, session) == "approved"

    pco.run("pco-queue", "release", session.key)
    pco.wait("another session", lambda: state(pco, session) == "active")
    await_agent(pco, session)
    session.complete()
    pco.wait("its end", lambda: state(pco, session) == "completed")


def test_a_day_without_money_ends_who_works_starts_nothing_and_is_told_once(pco: Installed) -> None:
    sessions = begin(pco, 4)
    for session in sessions[1:]:
        costs(session, 1.9)
    costs_too_much(sessions[0], 1.9)
    pco.wait("the end of all", lambda: all(state(pco, session) == "failed" for session in sessions))

    added = pco.run("pco-queue", "add", "--test", "--text", "More.").split(":")[0]
    pco.run("pco-queue", "approve", "--yes", added)
    pco.host.systemctl("start", "--wait", "pco-launch.service")

    assert pco.states()[added] == "approved"
    assert "today's budget is used up" in pco.run("pco-queue", "show", added)
    assert "today's budget is used up" in pco.host.show("pco-watch.service", "StatusText")["StatusText"]
    told = pco.host.journal(f"MESSAGE_ID={messages.message_id('budget reached')}")
    assert [entry["_SYSTEMD_UNIT"] for entry in told] == ["pco-watch.service"]
    assert pco.failed() == ""
