"""What is counted and told under systemd: tallies that survive, the digest of each day, the report of each week."""

import json
import re
from collections.abc import Iterator

import pytest
from inside import Inside, await_agent, furnish, state
from installed import WEB, Installed, booted

METRICS = "/var/lib/pco/www/metrics.txt"
NOTIFY = "/var/spool/pco/notify"
TIMERS = ("pco-digest.timer", "pco-weekly.timer")


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own, with a simulated Plane, in which a ticket went from Plane to Plane; nobody takes notices."""
    with booted("r") as pco:
        pco.configure()
        pco.simulate()
        furnish(pco)
        pco.host.systemctl("stop", "pco-notify.path", "pco-notify.timer")
        seen = f"/var/lib/pco/plane/{WEB}/head.json"
        pco.wait("the first poll", lambda: not pco.host.exec("test", "-e", seen, code=None).returncode)
        session = Inside(pco.host, pco.maria("maria.key(maria.create('Do it', state='Todo'))"))
        pco.wait("the poll", lambda: state(pco, session) == "pending")
        pco.run("pco-queue", "approve", "--yes", session.key)
        await_agent(pco, session)
        session.complete("All done.")
        session.ends()
        pco.wait("its end", lambda: state(pco, session) == "completed")
        pco.run("pco-queue", "post", "--yes", session.key)
        pco.wait("the post", lambda: state(pco, session) == "posted")
        yield pco


def samples(pco: Installed) -> dict[str, float]:
    """What Prometheus would read now."""
    said = pco.host.exec("cat", METRICS, code=None).stdout
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in said.splitlines() if line[0] != "#"}


def notice(pco: Installed, event: str) -> dict[str, str]:
    """The fields of what was left for pco-notify."""
    said = pco.host.exec("sh", "-c", f"cat {NOTIFY}/{event}-*.json", code=None).stdout
    found = json.loads(said) if said else {"event": "", "fields": {}}
    assert found["event"] in ("", event)
    return dict(found["fields"])


def test_all_programs_count_in_their_sandbox(pco: Installed) -> None:
    counted = (
        'plane_updates_total{status="success"}',
        'plane_api_calls_total{operation="create_comment",status="success"}',
    )
    pco.wait("the count", lambda: {samples(pco).get(name) for name in counted} == {1})

    found = samples(pco)
    assert found['plane_api_calls_total{operation="list_work_items",status="success"}'] > 0
    assert found["plane_tickets_approved_total"] == found["plane_tickets_completed_total"] == 1
    assert found["plane_session_duration_seconds_count"] == 1
    assert found["pco_request_budget_left"] > 0
    assert "is not counted" not in pco.host.exec("journalctl", "-o", "cat").stdout


def test_counts_go_on_after_a_reboot(pco: Installed) -> None:
    before = samples(pco)

    pco.host.reboot()
    pco.wait("the next count", lambda: "plane_updates_total" in pco.host.exec("cat", METRICS, code=None).stdout)

    after = samples(pco)
    totals = [name for name in before if re.search(r"_total\b|_bucket|_count\b|_sum\b", name)]
    assert [name for name in totals if after.get(name, 0) < before[name]] == []
    assert after['plane_updates_total{status="success"}'] == 1
    pco.host.systemctl("stop", "pco-notify.path", "pco-notify.timer")


def test_a_member_who_runs_a_program_by_hand_is_counted_too(pco: Installed) -> None:
    said = pco.host.exec("stat", "-c", "%U:%G %a", "/var/lib/pco/metrics/tally").stdout.strip()

    assert said == "pco:pco 2775"
    writes = "from pathlib import Path; from pco.ground import tally; from pco.ground.tally import Tally;"
    pco.python(f"{writes} tally.write(Path('/var/lib/pco/metrics'), 'post', Tally())", user="alice")


@pytest.mark.parametrize(("unit", "event"), [("pco-digest", "daily-digest"), ("pco-weekly", "weekly-report")])
def test_a_timer_has_people_told(pco: Installed, unit: str, event: str) -> None:
    timer = f"/run/systemd/system/{unit}.timer.d/now.conf"
    pco.host.write(timer, "[Timer]\nOnCalendar=\nOnActiveSec=1s\nAccuracySec=100ms\n")
    pco.host.systemctl("daemon-reload")
    pco.host.systemctl("restart", f"{unit}.timer")

    pco.wait(f"the {event}", lambda: bool(notice(pco, event)))

    assert notice(pco, event)["text"].startswith("pco, ")
    pco.wait("its end", lambda: pco.host.show(f"{unit}.service", "ActiveState")["ActiveState"] == "inactive")
    assert pco.failed() == ""


def test_the_digest_is_due_each_morning_and_the_report_on_mondays(pco: Installed) -> None:
    for timer, calendar in zip(TIMERS, ("*-*-* 07:00:00", "Mon *-*-* 07:05:00"), strict=True):
        pco.host.exec("rm", "-rf", f"/run/systemd/system/{timer}.d")
        pco.host.systemctl("daemon-reload")
        assert calendar in pco.host.show(timer, "TimersCalendar")["TimersCalendar"]
        assert pco.host.exec("systemctl", "is-enabled", timer, code=None).stdout.strip() == "enabled"


def test_the_weekly_report_knows_who_read_the_dashboard_and_whom_sudo_refused(pco: Installed) -> None:
    stamp = "$(date -d yesterday '+%d/%b/%Y:12:00:00 +0000')"
    line = f'10.9.8.7 - maria [{stamp}] \\"GET / HTTP/1.1\\" 200 9 \\"-\\" \\"curl\\"'
    pco.host.exec("sh", "-c", f'mkdir -p /var/log/nginx && echo "{line}" >/var/log/nginx/access.log')
    pco.host.exec("sh", "-c", "chown www-data:adm /var/log/nginx/access.log && chmod 640 /var/log/nginx/access.log")
    pco.host.exec("sh", "-c", "logger -t sudo 'bob : user NOT in sudoers ; TTY=pts/0 ; COMMAND=/usr/bin/id'")
    pco.host.exec("sh", "-c", f"rm -f {NOTIFY}/weekly-report-*")

    pco.host.systemctl("start", "pco-weekly.service")
    pco.wait("the report", lambda: bool(notice(pco, "weekly-report")))

    assert re.search(r"maria +1 ", notice(pco, "weekly-report")["text"])
    today = pco.host.exec("pco-report", "--since", "today", "--format", "json").stdout
    refusals = json.loads(today)["refusals"]
    assert [(one["name"], one["what"]) for one in refusals] == [("bob", "sudo (user NOT in sudoers)")]
    assert json.loads(pco.run("pco-report", "--format", "json"))["readers"] is None
