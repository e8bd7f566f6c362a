"""pco-alert, as systemd starts it when a unit has failed."""

import json
import os

import pytest

from pco.commands.alert import waken
from support import T0

FAILED = {"MONITOR_SERVICE_RESULT": "exit-code", "MONITOR_EXIT_CODE": "exited", "MONITOR_EXIT_STATUS": "78"}


@pytest.fixture
def alert(site):
    """Run pco-alert with these MONITOR_* in its environment."""

    def alert(unit, code=0, **monitor):
        return site.run("pco-alert", unit, code=code, env={**site.environment(), **monitor}).stderr

    return alert


def notices(site):
    """The files in notify/ with what is in them."""
    return {path.name: json.loads(path.read_text()) for path in (site.home / "spool" / "notify").iterdir()}


def wakes(site):
    return sorted(path.name for path in (site.home / "spool" / "wake").iterdir())


def test_it_says_what_failed_and_why_and_how_to_look_closer(alert):
    said = alert("pco-poll.service", **FAILED)

    assert said.splitlines() == [
        "pco-alert: pco-poll.service has failed: its program ended with exit code 78 "
        "(the configuration, or the layout of the spool)",
        "(look closer: systemctl status pco-poll.service; journalctl -u pco-poll.service -n 50)",
    ]


def test_it_leaves_one_notice_and_wakes_who_tells_of_it(site, alert):
    alert("pco-session@WEB-12.service", **{**FAILED, "MONITOR_EXIT_STATUS": "1"})

    (notice,) = notices(site).values()
    assert notice.pop("at") > T0.isoformat()[:4]
    assert notice == {
        "schema": 1,
        "event": "unit failed",
        "key": "WEB-12",
        "fields": {
            "unit": "pco-session@WEB-12.service",
            "result": "exit-code",
            "why": "its program ended with exit code 1",
        },
    }
    assert wakes(site) == ["dashboard", "notify"]


def test_a_unit_that_fails_again_and_again_is_one_notice_the_newest(site, alert):
    alert("pco-poll.service", **FAILED)
    alert("pco-poll.service", MONITOR_SERVICE_RESULT="watchdog")
    alert("pco-post.path")

    found = notices(site)
    assert sorted(found) == ["failed-pco-poll.service.json", "failed-pco-post.path.json"]
    assert found["failed-pco-poll.service.json"]["fields"]["why"] == "it made no progress and was ended"
    assert os.stat(site.home / "spool" / "notify" / "failed-pco-poll.service.json").st_mode & 0o777 == 0o660


@pytest.mark.parametrize(
    ("monitor", "why"),
    [
        ({}, "systemd gave up on it; what it waits for goes unnoticed until it is started again"),
        ({"MONITOR_SERVICE_RESULT": "signal", "MONITOR_EXIT_STATUS": "SEGV"}, "its program was ended by signal SEGV"),
        ({"MONITOR_SERVICE_RESULT": "core-dump", "MONITOR_EXIT_STATUS": "ABRT"}, "by signal ABRT"),
        ({"MONITOR_SERVICE_RESULT": "exit-code"}, "exit code ?"),
        ({"MONITOR_SERVICE_RESULT": "timeout"}, "it took longer than its time-out"),
        ({"MONITOR_SERVICE_RESULT": "new\x1b[31m-kind\n"}, "systemd calls it new[31m-kind"),
    ],
)
def test_every_result_is_said_in_words(alert, monitor, why):
    first, *_ = alert("pco-x.service", **monitor).splitlines()

    assert first.endswith(why)


@pytest.mark.parametrize(
    "unit", ["../../etc/x.service", "-x.service", "a b.service", "x\n.service", "x", ".x.path", ""]
)
def test_what_is_no_name_of_a_unit_leaves_nothing(site, alert, unit):
    said = alert(unit, code=2 if unit.startswith("-") else 65, **FAILED)

    assert "pco-alert" in said
    assert notices(site) == {}
    assert wakes(site) == []


def test_without_a_spool_the_alert_is_said_all_the_same(site, alert):
    site.configure(paths={"spool": "/nowhere"})

    said = alert("pco-poll.service", **FAILED)

    assert "pco-poll.service has failed" in said
    assert "nobody is notified: /nowhere/notify: No such file or directory" in said


def test_a_spool_that_cannot_be_written_is_no_failure_of_its_own(site, alert):
    folder = site.home / "spool" / "notify"
    folder.rmdir()
    folder.write_text("")

    said = alert("pco-poll.service", **FAILED)

    assert "pco-poll.service has failed" in said
    assert "nobody is notified: " in said
    assert wakes(site) == []


def test_a_configuration_that_cannot_be_read_does_not_silence_it(site, alert):
    site.config.write_text("paths: [\n")

    said = alert("pco-poll.service", **FAILED)

    assert "pco-poll.service has failed" in said
    assert f"nobody is notified: {site.config}:" in said


def test_two_programs_that_fail_never_wake_each_other_for_ever():
    woken = {name: waken(f"pco-{name}.service") for name in ("poll", "dashboard", "notify")}

    assert woken == {"poll": ("dashboard", "notify"), "dashboard": ("notify",), "notify": ()}
    assert waken("pco-dashboard.path") == ("notify",)
