"""pco-report: what happened, as a person asks for it, and as timers have people told of it."""

import gzip
import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pco.ground import audit, notice
from pco.ground.ticket import State
from pco.outside import accesslog
from pco.outside.accesslog import Reach
from pco.rules.period import Period
from programs.reporting import Past, logged
from support import TOP


@pytest.fixture
def past(site):
    return Past(site)


def report(past: Past, *args: str) -> dict[str, Any]:
    """What it says, as JSON."""
    found: dict[str, Any] = json.loads(past.site.run("pco-report", "--format", "json", *args).stdout)
    return found


def shown(past: Past, *args: str, **environment: str) -> str:
    """What it prints for people."""
    env = {**past.site.environment(), "PYTHONIOENCODING": "utf-8", **environment}
    return past.site.run("pco-report", *args, env=env).stdout


def test_a_pco_in_which_nothing_happened_has_a_report_too(past):
    assert report(past)["sessions"] == 0
    assert "No ticket is open." not in shown(past)  # it is not well: no dashboard
    assert shown(past).startswith("pco, ")


def test_what_happened_is_told(past):
    for n in range(1, 4):
        past.travelled(f"WEB-{n}", hours=30, usd=n)
    past.spent(30, WEB_1=1.0, WEB_2=2.0, WEB_3=3.0)
    past.stands("WEB-3", State.POSTED, 30, title="Make it faster")
    past.stands("API-1", State.PENDING, 50)

    told = report(past)

    assert told["ended"] == {"posted": {"WEB": 3}}
    assert (told["sessions"], told["success"], told["usd"]) == (3, 1.0, 6.0)
    assert [(gate["name"], gate["median"]) for gate in told["gates"]] == [
        ("approval", 360.0),
        ("launch", 10.0),
        ("acceptance", 1500.0),
        ("posting", 2.0),
    ]
    dearest = told["dearest"][0]
    assert (dearest["key"], dearest["usd"], dearest["title"]) == ("WEB-3", 3.0, "Make it faster")
    assert told["now"]["open"] == {"pending": {"API": 1}}
    assert told["people"] == [
        {"name": "anna", "approved": 3, "accepted": 3, "sent_back": 0, "tried_again": 0, "rejected": 0}
    ]


def test_what_happened_is_told_though_the_clock_was_once_years_ahead(past):
    early = datetime(2099, 1, 1, tzinfo=UTC)
    audit.append(past.site.home / "audit", early, "moved", "anna", "WEB-9", {"from": "", "to": "pending"})
    past.travelled("WEB-1", hours=30, usd=1)

    told = report(past)

    assert told["ended"] == {"posted": {"WEB": 1}}
    assert told["sessions"] == 1


def test_people_read_it_in_their_terminal(past):
    past.travelled("WEB-1", hours=30)
    past.spent(30, WEB_1=2.5)
    past.ended("WEB-2", "failed", "stalled", 20)

    text = shown(past, COLUMNS="80")

    assert "SESSIONS  50% of 2 with a summary" in text
    assert "COST  $2.50" in text
    assert "█" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_colours_are_for_who_wants_them_and_unicode_for_who_has_it(past):
    past.ended("WEB-2", "failed", "stalled", 20)

    assert "\x1b[" in shown(past, "--color", "always")
    assert "\x1b[" not in shown(past, NO_COLOR="1")
    plain = shown(past, PYTHONIOENCODING="ascii")
    assert "####" in plain
    assert plain.isascii()


def test_only_the_days_that_were_asked_for_are_told_of(past):
    past.travelled("WEB-1", hours=24 * 5)
    past.travelled("WEB-2", hours=24 * 20)
    past.spent(24 * 5, WEB_1=1.0)
    past.spent(24 * 20, WEB_2=2.0)

    assert (report(past, "--since", "7d")["sessions"], report(past, "--since", "7d")["usd"]) == (1, 1.0)
    assert (report(past, "--since", "30d")["sessions"], report(past, "--since", "30d")["usd"]) == (2, 3.0)
    ends = f"{past.ago(24 * 10):%Y-%m-%d}"
    assert report(past, "--since", "30d", "--until", ends)["usd"] == 2.0


@pytest.mark.parametrize("args", [("--since", "soon"), ("--since", "today", "--until", "today"), ("--top", "0")])
def test_what_cannot_be_meant_is_wrong_usage(past, args):
    past.site.run("pco-report", *args, code=2)


def test_a_page_of_html_stands_alone(past):
    past.travelled("WEB-1", hours=30)
    past.stands("WEB-1", State.POSTED, title="<script>alert(1)</script>")

    page = shown(past, "--format", "html")

    assert page.startswith("<!DOCTYPE html>") and page.rstrip().endswith("</html>")
    assert (TOP / "share/www/style.css").read_text() in page
    assert "<script" not in page and "href=" not in page and "src=" not in page


def test_tickets_that_were_dropped_since_are_told_of(past):
    past.travelled("WEB-1", hours=30)
    past.spent(30, WEB_1=2.5)

    assert [(top["key"], top["state"]) for top in report(past)["dearest"]] == [("WEB-1", "dropped")]


def test_what_cannot_be_read_is_said_and_the_rest_told(past):
    past.travelled("WEB-1", hours=30)
    past.spent(30, WEB_1=2.5)
    (page,) = (past.site.home / "metrics" / "spend").iterdir()
    page.write_text("{")
    past.stands("WEB-2", State.PENDING)
    past.spool.path("WEB-2", State.PENDING).write_text("{")

    told = report(past)

    assert told["sessions"] == 1
    assert told["now"]["open"] == {"corrupt": {"WEB": 1}}
    assert {name for said in told["unseen"] for name in ("spend/", "WEB-2: ") if name in said} == {"spend/", "WEB-2: "}
    assert past.spool.find("WEB-2") is State.PENDING  # who only looks sets nothing aside


def test_a_long_month_is_not_read_from_its_beginning(past, monkeypatch):
    monkeypatch.setattr(audit, "MOST_LINE", 500)
    at = past.now.replace(day=1, hour=0, minute=0)
    folder, month = past.site.home / "audit", f"{at:%Y-%m}"
    times = [at + timedelta(hours=n) for n in range(200)]
    for moment in times:
        audit.append(folder, moment, "moved", "anna", "WEB-1", {"from": "pending", "to": "approved"})

    for asked in (times[0], times[77], times[-1] + timedelta(days=1)):
        offset = audit.offset_of(folder, month, asked)

        found = [record.at for record, _ in audit.read(folder, month, offset) if record]
        assert set(found) >= {moment for moment in times if moment >= asked}
        assert len(found) <= sum(moment >= asked for moment in times) + 5


# Digest and weekly report.


def left(past: Past) -> notice.Notice:
    """What pco-notify will take."""
    (path,) = (past.site.home / "spool" / "notify").glob("*.json")
    return notice.notice_of(path.read_bytes())


def test_a_digest_of_yesterday_is_left_for_who_tells_people(past):
    yesterday = past.now.replace(hour=0, minute=30) - timedelta(hours=12)
    past.travelled("WEB-1", hours=(past.now - yesterday).total_seconds() / 3600)
    past.travelled("WEB-2", hours=-2)  # today, whenever that began

    past.site.run("pco-report", "--digest")

    found = left(past)
    assert found.event == "daily-digest"
    assert (found.fields["since"], found.fields["until"]) == (f"{yesterday:%Y-%m-%d}",) * 2
    assert "SESSIONS  100% of 1 with a summary" in found.fields["text"]
    assert (past.site.home / "spool" / "wake" / "notify").exists()


def test_a_weekly_report_asks_what_only_people_can_answer(past):
    past.site.run("pco-report", "--weekly")

    assert left(past).event == "weekly-report"
    assert "ONLY PEOPLE CAN ANSWER" in left(past).fields["text"]
    past.site.run("pco-report", "--digest", "--weekly", code=2)


def test_a_digest_that_cannot_be_left_is_a_failure(past):
    (past.site.home / "spool" / "notify").rmdir()

    past.site.run("pco-report", "--digest", code=71)


# Who read the dashboard.


def visit(past: Past, who: str, path: str, status: int = 200, hours: float = 1.0, user: str = "-") -> str:
    """A line as nginx writes it."""
    return f'{who} - {user} [{past.ago(hours):%d/%b/%Y:%H:%M:%S +0000}] "GET {path} HTTP/1.1" {status} 9 "-" "curl"'


def read(past: Past, folder: Any, since: float = 48.0) -> list[tuple[str, str, int]]:
    found = accesslog.visits(past.ago(since), Reach(), folder)
    return [(visit.who, visit.path, visit.status) for visit in found]


def test_readers_are_those_of_all_logs_by_their_login_or_address(past, tmp_path):
    logged(tmp_path / "access.log", visit(past, "10.0.0.1", "/?a=1"), visit(past, "10.0.0.2", "/health", user="anna"))
    logged(tmp_path / "access.log.1", visit(past, "10.0.0.3", "/", 403, hours=20), "nonsense", "\x1b" * 99)
    (tmp_path / "access.log.2.gz").write_bytes(gzip.compress(visit(past, "10.0.0.4", "/", hours=30).encode() + b"\n"))
    logged(tmp_path / "error.log", visit(past, "10.0.0.5", "/"))

    assert read(past, tmp_path) == [
        ("10.0.0.1", "/", 200),
        ("anna", "/health", 200),
        ("10.0.0.3", "/", 403),
        ("10.0.0.4", "/", 200),
    ]


def test_what_was_long_ago_is_not_read(past, tmp_path):
    logged(tmp_path / "access.log", visit(past, "10.0.0.1", "/", hours=50), visit(past, "10.0.0.2", "/"))
    old = tmp_path / "access.log.1"
    logged(old, visit(past, "10.0.0.3", "/"))
    os.utime(old, (1, 1))

    assert read(past, tmp_path) == [("10.0.0.2", "/", 200)]


def test_of_logs_that_are_too_large_the_newest_are_read(past, tmp_path, monkeypatch):
    monkeypatch.setattr(accesslog, "MOST_BYTES", 50)
    for name in ("access.log", "access.log.1"):
        logged(tmp_path / name, visit(past, name, "/"))

    reach = Reach()
    assert [visit.who for visit in accesslog.visits(past.ago(9), reach, tmp_path)] == ["access.log"]
    assert not reach.whole


def test_a_torn_log_is_read_as_far_as_it_goes(past, tmp_path):
    whole = gzip.compress((visit(past, "10.0.0.1", "/") + "\n").encode() * 1000)
    (tmp_path / "access.log.1.gz").write_bytes(whole[: len(whole) // 2])

    assert len(read(past, tmp_path)) < 1000


def test_readers_and_refusals_are_told_apart_and_other_sites_left_out(past, tmp_path, monkeypatch):
    from pco.commands.reporting import access

    monkeypatch.setattr(accesslog, "LOGS", tmp_path)
    lines = [visit(past, "10.0.0.1", path) for path in ("/", "/ticket/WEB-1.html", "/2026-11.html", "/blog", "/a.png")]
    lines += [visit(past, "10.0.0.2", "/", 403), visit(past, "10.0.0.2", "/", 403), visit(past, "10.0.0.3", "/", 404)]
    logged(tmp_path / "access.log", *lines)

    readers, refusals, _ = access.seen(Period(past.ago(24), past.now))

    assert [(reader.name, reader.visits) for reader in readers or ()] == [("10.0.0.1", 3)]
    told = [(one.name, one.what, one.count) for one in refusals or () if one.what.startswith("dashboard")]
    assert told == [("10.0.0.2", "dashboard (403)", 2)]
