"""pco-push as installed: by a wake-up alone, with a credential that nobody else sees."""

import json
import re
from collections.abc import Iterator

import pytest
from inside import REPOSITORY
from installed import CONFIG, RARE, WEB, Installed, booted

TOKEN = "tok_5d03f6b1c4"
CREDENTIAL = "/etc/pco/credentials/git-push"
AGENT = """\
#!/bin/sh
cat >prompt && echo "Cached for an hour." >NOTES && git add NOTES && git commit -qm "Note on the cache"
pco-complete "The cache is **kept** for an hour."
"""
# Where branches are looked at: behind a password.
FORGE = f"""\
[Service]
ExecStart=/usr/bin/python3 /src/tests/githttp.py /srv/forge 8490 bot {TOKEN}
[Install]
WantedBy=multi-user.target
"""
PUSHED = """push: true, push_url: "http://127.0.0.1:8490/shop.git",
       compare_url: "https://git.example.org/shop/compare/{base}...{branch}"}"""


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own, with a forge, where no timer comes to help; branches are not pushed yet."""
    with booted("p") as pco:
        host = pco.host
        host.exec("bash", "-c", REPOSITORY)
        host.exec("git", "clone", "-q", "--bare", "/srv/shop.git", "/srv/forge/shop.git")
        host.exec("git", "-C", "/srv/forge/shop.git", "config", "http.receivepack", "true")
        host.write("/srv/agent", AGENT, "755")
        config = CONFIG.replace("[/bin/true]", "[/srv/agent]").replace("/srv/shop.git}", f"/srv/shop.git, {PUSHED}")
        host.write("/etc/pco/pco.yaml", config)
        host.write("/etc/systemd/system/forge.service", FORGE)
        host.write("/etc/systemd/system/pco-push.timer.d/rare.conf", RARE)
        host.systemctl("daemon-reload")
        host.systemctl("enable", "--now", "forge.service", "pco.target")
        yield pco


def finished(pco: Installed) -> str:
    """A ticket whose session committed something."""
    key = re.match(r"(\S+): new", pco.run("pco-queue", "add", "--test", "--text", "Note it."))[1]
    pco.run("pco-queue", "approve", "--yes", key)
    pco.wait("completed", lambda: pco.states().get(key) == "completed")
    return key


def record(pco: Installed, key: str) -> dict:
    """Its record, as a member of the group sees it."""
    return json.loads(pco.run("pco-queue", "show", key, "--format", "json"))[0]["record"]


def outcome(pco: Installed, key: str) -> str:
    """What became of its push."""
    pushed = record(pco, key)["rounds"][-1]["work"]["pushed"]
    return pushed["outcome"] if pushed else ""


def there(pco: Installed, key: str) -> str:
    """What the last commit of its branch says in the forge."""
    log = ("git", "-C", "/srv/forge/shop.git", "log", "-1", "--format=%s", f"pco/{key}", "--")
    return pco.host.exec(*log, code=None).stdout.strip()


def runs(pco: Installed) -> int:
    """How often the unit was started."""
    return len(pco.host.journal("UNIT=pco-push.service", "JOB_TYPE=start", "JOB_RESULT=done"))


def test_the_target_does_not_push_by_itself(pco):
    key = finished(pco)

    enabled = pco.host.systemctl("is-enabled", "pco-push.path", "pco-push.timer", code=None).split()

    assert enabled == ["disabled", "disabled"]
    assert runs(pco) == 0
    assert "pushed      not yet" in pco.run("pco-queue", "show", key)


def test_without_a_credential_it_fails_once_and_says_so_and_nobody_waits(pco):
    pco.host.systemctl("enable", "--now", "pco-push.path")
    key = finished(pco)
    pco.wait("a try", lambda: pco.host.show("pco-push", "ExecMainStatus", "ActiveState")["ExecMainStatus"] == "77")

    pco.run("pco-queue", "post", "--yes", key)
    alert = ("SYSLOG_IDENTIFIER=pco-alert", "PCO_UNIT=pco-push.service")
    pco.wait("the alert", lambda: bool(pco.host.journal(*alert)))
    pco.wait("rest", lambda: pco.host.show("pco-push", "ActiveState")["ActiveState"] in ("failed", "inactive"))

    assert runs(pco) <= 4, "a wake-up that is never taken away starts it for ever"
    assert pco.host.show("pco-push.path", "ActiveState")["ActiveState"] == "active"
    assert pco.states()[key] == "outbox"


def test_the_branch_is_pushed_by_the_wake_up_and_the_comment_says_where(pco):
    pco.host.write(CREDENTIAL, f"http://bot:{TOKEN}@127.0.0.1:8490\n", "600")
    key = finished(pco)

    pco.wait("the push", lambda: outcome(pco, key) == "done")
    pco.run("pco-queue", "post", "--yes", key)

    assert there(pco, key) == "Note on the cache"
    body = record(pco, key)["rounds"][-1]["post"]["body"]
    assert f'href="https://git.example.org/shop/compare/main...pco/{key}"' in body
    told = [entry["MESSAGE"] for entry in pco.host.journal(f"PCO_KEY={key}", "SYSLOG_IDENTIFIER=pco-push")]
    assert any(f"{key}: pushed commit=" in line for line in told)


def test_a_member_of_the_group_asks_for_another_try_and_holds_no_credential(pco):
    waiting = [key for key, state in pco.states().items() if not there(pco, key) and state in ("completed", "outbox")]
    assert waiting

    for key in waiting:
        pco.run("pco-queue", "push", key)
    pco.wait("the pushes", lambda: all(outcome(pco, key) == "done" for key in waiting))

    assert pco.run("cat", CREDENTIAL, code=None) == ""


def test_the_token_is_in_no_log_no_record_and_no_file_but_its_own(pco):
    search = ("grep", "-rls", "--devices=skip", TOKEN, "/etc", "/var", "/run", "/tmp")

    found = pco.host.exec(*search, code=None).stdout.split()
    said = pco.host.exec("journalctl", "-q", "-o", "export", "--all", errors="replace").stdout

    assert [path for path in found if path != "/etc/systemd/system/forge.service"] == [CREDENTIAL]
    assert not [line for line in said.splitlines() if TOKEN in line and "githttp" not in line]


def test_after_a_reboot_it_goes_on(pco):
    pco.host.reboot()
    key = finished(pco)

    pco.wait("the push", lambda: outcome(pco, key) == "done")

    assert pco.host.show("pco-push.path", "ActiveState")["ActiveState"] == "active"


def test_what_it_can_write_is_the_spool_and_the_audit(pco):
    own = pco.host.show("pco-push.service", "ReadWritePaths", "LoadCredential")

    assert own["ReadWritePaths"] == "/var/spool/pco /var/lib/pco/audit"
    assert pco.host.exec("test", "-w", f"/var/lib/pco/mirrors/{WEB}.git")
