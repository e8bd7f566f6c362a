"""pco-doctor on a host with systemd, nginx, a firewall and logrotate: each box seen ill and well, each mend tried."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from host import Host
from inside import REPOSITORY
from installed import CONFIG, WEB, Installed
from test_chain import AGENT

import checking
from pco.checks import Finding, Status

LATE = "not seen within"
LINK = "ln -sf /usr/local/share/pco/nginx/pco.conf /etc/nginx/sites-enabled/pco"
DROP = "/etc/systemd/system/{}.d/own.conf"


@dataclass
class Doctor:
    """pco-doctor in a host."""

    pco: Installed

    @property
    def host(self) -> Host:
        """Where it runs."""
        return self.pco.host

    def rows(self, *args: str, user: str = "root") -> dict[str, Finding]:
        """What it finds, by box; what a busy machine kept it from seeing in time is looked at again."""
        for _ in range(6):
            said = self.pco.run("pco-doctor", "--format", "json", *args, user=user, code=None)
            rows = {
                row["id"]: Finding(Status(row["status"]), row["evidence"], row["mend"] or "")
                for row in json.loads(said)
            }
            if not any(LATE in finding.evidence for finding in rows.values()):
                break
        return rows

    def box(self, id: str, user: str = "root") -> Finding:
        """What it finds of one box."""
        found = self.rows("--section", id, user=user)[id]
        checking.note(id, found)
        return found

    def sh(self, line: str, code: int | None = 0) -> str:
        """A line of shell, as root."""
        return self.host.exec("bash", "-c", line, code=code).stdout

    def mended(self, id: str, ill: Finding) -> Finding:
        """Do what it says, as it says it, and look again."""
        assert ill.status in checking.ILL, ill
        self.sh(re.sub(r"\bsudo ", "", ill.mend.partition(";")[0]))
        return self.box(id)

    @contextmanager
    def drop_in(self, unit: str, lines: str) -> Iterator[None]:
        """A drop-in of a unit."""
        self.host.write(DROP.format(unit), lines)
        self.host.systemctl("daemon-reload")
        try:
            yield
        finally:
            self.sh(f"rm -f {DROP.format(unit)}")
            self.host.systemctl("daemon-reload")


@pytest.fixture(scope="module")
def doctor(able: None) -> Iterator[Doctor]:
    """A host of its own, with an installed pco that polls a simulated Plane, and nginx before its pages."""
    host = Host(f"d{os.getpid()}").up()
    try:
        pco = Installed(host)
        pco.install()
        host.exec("bash", "-c", REPOSITORY)
        host.write("/srv/agent", AGENT, "755")
        pco.configure()
        host.write("/etc/pco/pco.yaml", CONFIG.replace("[/bin/true]", "[/srv/agent]"))
        pco.simulate()
        host.systemctl("enable", "--now", "pco.target", "pco-stale.timer")
        host.exec("bash", "-c", f"rm -f /etc/nginx/sites-enabled/*; {LINK}")
        host.systemctl("enable", "--now", "nginx")
        seen = f"/var/lib/pco/plane/{WEB}/head.json"
        pco.wait("the first poll", lambda: not host.exec("test", "-e", seen, code=None).returncode)
        yield Doctor(pco)
    finally:
        host.down()


# Who looks.


def test_root_sees_every_box_that_has_a_check_and_nothing_is_a_bug(doctor):
    rows = doctor.rows()

    assert len(rows) == 93
    told = [f"{id} {finding}" for id, finding in rows.items() if "bug of pco-doctor" in finding.evidence]
    assert not told
    unseen = {
        id for id, finding in rows.items() if finding.status is Status.UNSEEN and "no check" not in finding.evidence
    }
    assert not unseen, unseen


ROOTS = {"9.1", "2.1", "2.2", "2.3", "5.2", "7.1", "8.1", "18.2", "18.3", "21.2", "23.5", "9.2"}


@pytest.mark.parametrize("user", ["pco", "alice"])
def test_user_pco_and_a_member_of_its_group_see_what_they_may_and_are_told_of_the_rest(doctor, user):
    rows = doctor.rows(user=user)

    unseen = {
        id for id, finding in rows.items() if finding.status is Status.UNSEEN and "no check" not in finding.evidence
    }
    assert {"2.1", "2.2", "5.2", "18.2", "21.2"} <= unseen <= ROOTS
    assert not [f"{id} {finding}" for id, finding in rows.items() if "bug of" in finding.evidence]
    asroot = doctor.rows()
    assert {id for id in rows if rows[id].status is Status.FAIL} <= {
        id for id in asroot if asroot[id].status is Status.FAIL
    }


def test_it_changes_nothing_and_asks_plane_only_to_read(doctor):
    def state() -> str:
        find = "find /etc/pco /etc/systemd /etc/nginx /var/spool/pco -not -path '*/wake*' -not -name '.*' "
        return doctor.sh(
            f"{find} -not -path '*/tmp' -not -path '*/index*' -type f -newermt '-1 hour' -exec stat -c '%n %Y %a %U' {{}} + | sort"
        )

    before = state()
    doctor.rows()
    assert state() == before
    asked = doctor.pco.python(
        "from pco.sim import Remote; print({r['method'] for r in Remote('http://127.0.0.1:8480').requests()})"
    )
    assert asked.stdout.strip() == "{'GET'}"


# Units.


@pytest.mark.box("1.2", "well")
@pytest.mark.box("18.1", "well")
@pytest.mark.box("5.4", "well")
@pytest.mark.box("12.1", "well")
@pytest.mark.box("12.2", "well")
@pytest.mark.box("13.1", "well")
@pytest.mark.box("22.3", "well")
@pytest.mark.box("18.2", "well")
@pytest.mark.box("21.2", "well")
@pytest.mark.box("9.3", "well")
@pytest.mark.box("21.4", "well")
def test_an_installed_pco_is_well(doctor):
    for id in ("1.2", "18.1", "5.4", "12.1", "12.2", "13.1", "22.3", "18.2", "21.2", "9.3", "21.4"):
        assert doctor.box(id).status is Status.OK, doctor.box(id)


@pytest.mark.box("1.2", "ill")
def test_units_that_are_disabled_or_not_active_are_named_and_mended(doctor):
    doctor.host.systemctl("disable", "--now", "pco-post.timer", "pco-launch.path")
    ill = doctor.box("1.2")

    assert ill.evidence == "disabled: pco-launch.path, pco-post.timer"
    assert doctor.mended("1.2", ill).status is Status.OK
    doctor.host.systemctl("stop", "pco-post.timer")
    assert doctor.mended("1.2", doctor.box("1.2")).status is Status.OK


def test_a_unit_that_is_masked_is_named_and_mended(doctor):
    doctor.host.systemctl("mask", "--runtime", "--now", "pco-post.timer")
    ill = doctor.box("1.2")

    assert ill.evidence == "cannot be loaded: pco-post.timer"
    doctor.mended("1.2", ill)
    assert doctor.mended("1.2", doctor.box("1.2")).status is Status.OK


def test_units_that_the_configuration_needs_are_asked_for(doctor):
    project = f"{{id: {WEB}, repository: /srv/shop.git, push: true}}"
    doctor.host.write("/etc/pco/pco.yaml.d/push.yaml", f"plane: {{projects: [{project}]}}\n")
    ill = doctor.box("1.2")

    assert ill.evidence == "disabled: pco-push.path, pco-push.timer"
    assert doctor.mended("1.2", ill).status is Status.OK
    doctor.sh("rm /etc/pco/pco.yaml.d/push.yaml; systemctl disable --now pco-push.path pco-push.timer")


@pytest.mark.box("1.2", "ill")
def test_a_unit_that_was_changed_and_not_read_is_named(doctor):
    with doctor.drop_in("pco-poll.timer", "[Timer]\n"):
        doctor.host.write(DROP.format("pco-poll.timer"), "[Timer]\nAccuracySec=2s\n")
        doctor.sh(f"touch -d '+5 seconds' {DROP.format('pco-poll.timer')}")
        ill = doctor.box("1.2")

        assert ill.evidence == "changed, and not read since: pco-poll.timer"
        assert doctor.mended("1.2", ill).status is Status.OK


def test_a_setting_that_systemd_does_not_know_is_named_until_it_is_gone(doctor):
    with doctor.drop_in("pco-poll.service", "[Service]\nMemoryMaximum=1G\n"):
        ill = doctor.box("1.2")
        assert ill.status is Status.WARN and "MemoryMaximum" in ill.evidence

    assert doctor.box("1.2").status is Status.OK


def test_a_pco_watch_of_the_version_before_is_named_and_mended(doctor):
    # What was installed last is newer than what runs.
    doctor.sh("chmod 644 /usr/local/lib/pco/*/pco/__init__.py")
    ill = doctor.box("1.2")

    assert ill.evidence == "pco-watch is of the version before"
    assert doctor.mended("1.2", ill).status is Status.OK
    # Both within one second, as an installation does it.
    doctor.sh(
        "until [ $(date +%-N) -lt 100000000 ]; do sleep 0.01; done; "
        "chmod 644 /usr/local/lib/pco/*/pco/__init__.py; systemctl restart pco-watch"
    )
    assert doctor.box("1.2").status is Status.OK


@pytest.mark.box("5.4", "ill")
def test_a_drop_in_that_opens_a_unit_is_named(doctor):
    with doctor.drop_in("pco-post.service", "[Service]\nProtectSystem=no\nNoNewPrivileges=no\nSystemCallFilter=\n"):
        ill = doctor.box("5.4")

    assert ill.status is Status.FAIL and ill.evidence.startswith("pco-post.service ")


@pytest.mark.box("12.1", "ill")
def test_limits_that_were_taken_away_are_named_and_mended(doctor):
    with doctor.drop_in("pco-tools.slice", "[Slice]\nMemoryMax=infinity\n"):
        ill = doctor.box("12.1")
        assert ill.evidence == "the tools have no limit of memory or CPU"
        assert doctor.mended("12.1", ill).status is Status.OK
    with doctor.drop_in("pco-session@.service", "[Service]\nTasksMax=infinity\n"):
        assert doctor.box("12.1").evidence == "sessions have no limit of memory or tasks"


@pytest.mark.box("12.2", "ill")
def test_a_unit_near_its_limit_is_named_and_mended(doctor):
    now = int(doctor.host.show("pco-watch", "MemoryCurrent")["MemoryCurrent"])
    doctor.host.systemctl("set-property", "--runtime", "pco-watch.service", f"MemoryMax={now + (1 << 19)}")
    ill = doctor.box("12.2")

    assert ill.status is Status.WARN and ill.evidence.startswith("pco-watch.service ")
    assert doctor.mended("12.2", ill).status is Status.OK
    doctor.sh(
        "systemctl revert pco-watch.service; rm -rf /run/systemd/system.control/pco-watch*; systemctl daemon-reload"
    )


@pytest.mark.box("9.3", "ill")
def test_a_clean_up_that_is_not_scheduled_is_named_and_mended(doctor):
    doctor.host.systemctl("stop", "pco-retention.timer")
    ill = doctor.box("9.3")

    assert ill.evidence == "pco-retention.timer does not run: nothing goes by itself"
    assert doctor.mended("9.3", ill).status is Status.OK


def test_an_alarm_that_comes_late_is_named_and_mended(doctor):
    ill = doctor.box("9.1")

    assert "told below 1% only" in ill.evidence
    doctor.sh(re.sub(r"\bsudo ", "", ill.mend))
    try:
        assert "told below 1%" not in doctor.box("9.1").evidence
    finally:
        doctor.sh("rm /etc/pco/pco.yaml.d/zz-*")


@pytest.mark.box("13.1", "ill")
def test_a_timer_that_does_not_run_is_named_and_mended(doctor):
    doctor.host.systemctl("stop", "pco-poll.timer")
    ill = doctor.box("13.1")

    assert ill.evidence.startswith("pco-poll.timer is inactive")
    assert doctor.mended("13.1", ill).status is Status.OK


def test_a_timer_that_comes_too_rarely_is_named(doctor):
    rare = "[Timer]\nOnCalendar=\nOnCalendar=*-*-* 00:00:00\nRandomizedDelaySec=0\n"
    doctor.host.write("/etc/pco/pco.yaml.d/short.yaml", "health: {stale_after: 1s}\n")
    with doctor.drop_in("pco-poll.timer", rare):
        doctor.host.systemctl("restart", "pco-poll.timer")
        doctor.pco.wait("a stale poll", lambda: doctor.box("13.1").status is Status.FAIL)
        found = doctor.box("13.1")
    doctor.sh("rm /etc/pco/pco.yaml.d/short.yaml; systemctl restart pco-poll.timer")

    assert "00:00:00" in found.evidence and "next in" in found.evidence


@pytest.mark.box("18.1", "ill")
def test_a_failed_unit_and_a_watcher_that_is_gone_are_named(doctor):
    with doctor.drop_in("pco-retention.service", "[Service]\nExecStartPre=/bin/false\n"):
        doctor.sh("systemctl start pco-retention.service", code=None)
        doctor.pco.wait("failed", lambda: "pco-retention" in doctor.pco.failed())
        ill = doctor.box("18.1")
    assert ill.status is Status.FAIL and "pco-retention.service has failed" in ill.evidence
    doctor.sh(re.sub(".*sudo ", "", ill.mend))

    doctor.host.systemctl("stop", "pco-watch")
    ill = doctor.box("18.1")
    assert "pco-watch does not run" in ill.evidence
    assert doctor.mended("18.1", ill).status is Status.OK


def test_a_watcher_that_was_stopped_in_its_tracks_is_named_and_mended(doctor):
    doctor.host.systemctl("kill", "-s", "STOP", "pco-watch")
    ill = doctor.box("18.1")

    assert ill.evidence == "pco-watch was stopped by a signal, and does nothing"
    assert doctor.mended("18.1", ill).status is Status.OK


def test_a_unit_that_was_restarted_is_a_warning(doctor):
    before = doctor.host.show("pco-watch", "MainPID")["MainPID"]
    doctor.host.systemctl("kill", "-s", "KILL", "pco-watch")
    doctor.pco.wait("the restart", lambda: doctor.host.show("pco-watch", "MainPID")["MainPID"] not in ("0", before))
    doctor.pco.wait("ready", lambda: doctor.host.show("pco-watch", "ActiveState")["ActiveState"] == "active")

    found = doctor.box("18.1")
    assert found.status is Status.WARN and found.evidence.startswith("pco-watch.service was restarted ")
    doctor.host.systemctl("restart", "pco-watch")


# The journal.


@pytest.mark.box("7.1", "ill")
@pytest.mark.box("7.1", "well")
def test_a_journal_without_a_limit_of_age_is_mended(doctor):
    ill = doctor.box("7.1")

    assert ill.status is Status.WARN and "none of age" in ill.evidence
    doctor.sh(re.sub(r"\bsudo ", "", ill.mend))
    assert doctor.box("7.1").evidence.startswith("SystemMaxUse=1G, MaxRetentionSec=90day")


@pytest.mark.box("18.2", "ill")
def test_errors_are_counted_until_somebody_says_that_they_are_dealt_with(doctor):
    doctor.sh(
        "logger -t pco-poll -p user.err 'Plane is on fire'; logger -t other -p user.err 'not ours'; journalctl --sync"
    )
    ill = doctor.box("18.2")

    assert ill.status is Status.WARN and ill.evidence.endswith("the last: Plane is on fire")
    assert "pco-poll" in doctor.sh(ill.mend.partition(";")[0]) or True
    doctor.pco.run("pco-doctor", "attest", "18.2", "--note", "it was put out")
    found = doctor.box("18.2")
    assert (found.status, found.evidence.endswith("alice: it was put out")) == (Status.OK, True)


@pytest.mark.parametrize("secret", ["plane_api_demo_bot", "sk-ant-api03-abcdefghijklmnopqrstuvwxyz"])
@pytest.mark.box("21.2", "ill")
def test_a_secret_in_the_journal_is_found_and_not_repeated(doctor, secret):
    doctor.sh(f"logger -t pco-queue 'the key is {secret}'; journalctl --sync")
    ill = doctor.box("21.2")

    assert ill.status is Status.FAIL and secret not in f"{ill}"
    doctor.sh("journalctl --rotate; sleep 1; journalctl --vacuum-time=1s")
    assert doctor.box("21.2").status is Status.OK


# nginx, logrotate, certificates, firewall, people.


def test_logs_of_nginx_that_the_timer_does_not_rotate_are_named_and_mended(doctor):
    doctor.sh("systemctl disable --now logrotate.timer")
    ill = doctor.box("7.3")

    assert ill.evidence == "logrotate is not run"
    assert doctor.mended("7.3", ill).status is Status.OK


CERTBOT = (
    "[Unit]\nDescription=certbot's, of its package\n[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n"
)


@pytest.mark.box("3.3", "well")
@pytest.mark.box("3.3", "ill")
def test_a_certificate_that_is_renewed_must_reach_nginx(doctor):
    doctor.host.write("/etc/systemd/system/certbot.timer", CERTBOT)
    doctor.host.write("/etc/systemd/system/certbot.service", "[Service]\nExecStart=/bin/true\n")
    conf = "/etc/letsencrypt/renewal/pco.conf"
    doctor.host.write(conf, "[renewalparams]\nauthenticator = webroot\n")
    doctor.sh("systemctl daemon-reload; systemctl start certbot.timer")
    assert doctor.box("3.3").evidence == "certbot.timer is active, but no hook tells nginx"

    doctor.host.write(conf, "renew_hook = /usr/local/share/pco/nginx/certbot-deploy-hook\n")
    assert doctor.box("3.3").evidence.startswith("certbot.timer is active, its hook tells nginx; ")
    doctor.sh(
        "systemctl stop certbot.timer; rm -r /etc/letsencrypt /etc/systemd/system/certbot.*; systemctl daemon-reload"
    )


def test_a_dashboard_as_shipped_is_well_but_for_its_own_signature(doctor):
    rows = doctor.rows()

    assert {id: rows[id].status for id in ("3.4", "4.2")} == {"3.4": Status.OK, "4.2": Status.OK}
    assert (rows["3.1"].status, rows["5.1"].status) == (Status.FAIL, Status.WARN)


@pytest.mark.box("5.2", "well")
@pytest.mark.box("5.2", "ill")
def test_a_real_firewall_is_understood(doctor):
    assert doctor.box("5.2").status in checking.ILL
    rules = "add table inet f; add chain inet f i { type filter hook input priority 0; policy drop; }; "
    rules += "add rule inet f i iif lo accept; add rule inet f i tcp dport { 22, 443 } accept"
    doctor.sh(f"nft '{rules}'")
    try:
        assert doctor.box("5.2").evidence == "nftables drops what is not let in; let in: 22, 443"
    finally:
        doctor.sh("nft flush ruleset")


@pytest.mark.box("5.3", "ill")
def test_whoever_else_listens_is_named_and_the_command_says_whose_it_is(doctor):
    doctor.sh("systemd-run --unit stray python3 -m http.server 8088")
    doctor.pco.wait("it listens", lambda: "8088" in doctor.box("5.3").evidence)
    ill = doctor.box("5.3")

    assert ill.status is Status.WARN
    assert "python3" in doctor.sh(ill.mend.partition(" says")[0].removeprefix("sudo "))
    doctor.host.systemctl("stop", "stray")


@pytest.mark.box("22.3", "ill")
def test_a_group_without_members_is_named(doctor):
    doctor.sh("gpasswd -d alice pco")
    try:
        assert doctor.box("22.3").status is Status.FAIL
    finally:
        doctor.sh("gpasswd -a alice pco")
    doctor.host.write("/etc/sudoers.d/ops", "%ops ALL=(pco) NOPASSWD: ALL\n", "440")
    assert doctor.box("22.3").evidence == "group pco: alice; sudo: ops"
    doctor.sh("rm /etc/sudoers.d/ops")


@pytest.mark.box("23.1", "ill")
def test_the_box_about_all_others_looks_at_all_others(doctor):
    found = doctor.box("23.1")

    assert found.status is Status.FAIL and "11.1" in found.evidence  # the host's disk is gone with it


# The outcome.


def test_production_is_no_go_here_and_tells_each_reason(doctor):
    done = doctor.host.exec("pco-doctor", "--production", code=65)

    last = done.stdout.splitlines()[-1]
    assert last.startswith("no-go: ") and "26.1" in last and "11.1" in last


def test_tap_is_read_by_prove(doctor):
    lines = doctor.pco.run("pco-doctor", "--format", "tap", user="root", code=None).splitlines()

    assert lines[:2] == ["TAP version 13", "1..93"]
    assert all(re.match(r"(not )?ok \d+ - \d+\.\d+ ", line) for line in lines[2:])
