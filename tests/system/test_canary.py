"""Secrets of pco while an agent that means harm works: where they turn up, and what keeps them out of Plane."""

import json
from collections.abc import Iterator

import pytest
from inside import Inside, begin, furnish, state
from installed import TOKEN, WEB, Installed, booted

pytestmark = pytest.mark.timeout(600)
LOGIN = "sk-ant-api03-canary-of-the-agent-4f1d7a90bc"
PUSH = "https://pusher:canary-of-git-77c1e2@git.example.org"
GIT = "canary-of-git-77c1e2"
CREDENTIALS = "/etc/pco/credentials"
# Where the agent is given its own login, and may say it: all else is nobody's business.
OWN = "/var/lib/private/pco-agent"
# Looks at the arguments and the environment of each process of others, 20 times a second, until /run/enough is there.
WATCHER = """\
import glob, json, os, sys, time
canaries = [line.encode() for line in open("/root/canaries").read().split()]
hits, looks = {}, 0
while not os.path.exists("/run/enough"):
    for folder in glob.glob("/proc/[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                data = open(f"{folder}/{name}", "rb").read()
                who = os.stat(folder).st_uid
            except OSError:
                continue
            for canary in canaries:
                if canary in data:
                    words = open(f"{folder}/cmdline", "rb").read().decode("utf-8", "replace").split("\\0")
                    hits[f"{canary.decode()} {name} uid {who}"] = " ".join(words)[:200]
    looks += 1
    time.sleep(0.05)
json.dump({"hits": hits, "looks": looks}, open("/run/seen", "w"))
"""
# All that the agent can think of; prints what it got hold of.
GREEDY = f"""\
import glob, os, subprocess
found = []
paths = ["{CREDENTIALS}/plane-token", "{CREDENTIALS}/git-push", "{CREDENTIALS}/agent", "/etc/pco/pco.yaml"]
paths += glob.glob("/run/credentials/*/*") + glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline")
paths += glob.glob("/var/lib/pco/**", recursive=True) + glob.glob("/var/spool/pco/**", recursive=True)
paths += glob.glob("/run/user/**", recursive=True) + ["/root/canaries", "/proc/self/environ", "/dev/mem", "/proc/kcore"]
for path in paths:
    try:
        found.append(open(path, "rb").read(100000).decode("utf-8", "replace"))
    except OSError:
        pass
for words in (["env"], ["ps", "auxeww"], ["git", "config", "--list"], ["journalctl", "-n", "1000"], ["sudo", "-n", "id"]):
    try:
        found.append(subprocess.run(words, capture_output=True, text=True, timeout=20).stdout)
    except (OSError, subprocess.TimeoutExpired):
        pass
print("\\n".join(found).replace("\\0", "\\n"))
"""


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own with three secrets, one of them the agent's own, and what looks for them all the time."""
    with booted("y") as pco:
        pco.configure()
        pco.host.write(f"{CREDENTIALS}/agent", LOGIN, "600")
        pco.host.write(f"{CREDENTIALS}/git-push", PUSH, "600")
        pco.simulate()
        furnish(pco, "  agent: command\n")
        pco.host.write("/root/canaries", f"{TOKEN}\n{LOGIN}\n{GIT}\n", "600")
        pco.host.write("/root/watch.py", WATCHER)
        pco.host.exec("systemd-run", "--unit", "looks", "python3", "/root/watch.py")
        seen = f"/var/lib/pco/plane/{WEB}/head.json"
        pco.wait("the first poll", lambda: not pco.host.exec("test", "-e", seen, code=None).returncode)
        yield pco


@pytest.fixture(scope="module")
def session(pco: Installed) -> Inside:
    """A session that has looked for all of them, shown, committed and handed over what it found."""
    (session,) = begin(pco)
    loot = session.says(GREEDY)
    assert LOGIN in loot  # its own
    assert TOKEN not in loot and GIT not in loot
    session.says(f"open('loot', 'w').write({loot!r})")
    session.tells("sh", "-c", "cp $HOME/loot . 2>/dev/null; git add -A; git commit -qm loot; cat loot")
    session.complete(f"All done. By the way: {LOGIN}")
    pco.wait("completed", lambda: state(pco, session) == "completed")
    return session


def holders(pco: Installed, canary: str, *places: str) -> set[str]:
    """The files below these that have a canary in them, packed or not."""
    pco.host.write("/root/canary", f"{canary}\n", "600")  # in a file: what looks at arguments would see it there
    look = 'grep -rlaF -f /root/canary "$@"; find "$@" -name \'*.gz\' | while read f; do '
    look += 'zcat "$f" | grep -qaF -f /root/canary && echo "$f"; done'
    return set(pco.host.exec("sh", "-c", look, "sh", *places, code=None).stdout.split())


def test_a_summary_with_a_secret_waits_for_a_person_who_is_shown_what_it_is(pco, session):
    done = pco.host.exec("runuser", "-u", "alice", "--", "pco-queue", "post", "--yes", session.key, code=None)

    assert done.returncode == 65
    assert "secret" in done.stderr and LOGIN not in done.stdout + done.stderr
    assert state(pco, session) == "completed"


def test_no_secret_is_anywhere_where_pco_keeps_tells_or_shows_anything(pco, session):
    pco.run("pco-queue", "log", session.key)
    pco.host.systemctl("start", "pco-backup.service", "pco-push.service", "pco-dashboard.service")
    pco.host.systemctl("start", "pco-report.service", code=None)
    pco.wait(
        "a backup", lambda: not pco.host.exec("sh", "-c", "ls /var/backups/pco/*/manifest.json", code=None).returncode
    )

    places = (
        "/var/spool/pco",
        "/var/lib/pco",
        "/var/backups/pco",
        "/var/log",
        "/tmp",
        "/var/tmp",
        "/var/lib/systemd",
        OWN,
    )
    for canary in (TOKEN, GIT):
        assert holders(pco, canary, *places) == set(), canary
    assert holders(pco, LOGIN, "/var/lib/pco/www", "/var/log", "/tmp", "/var/tmp", "/var/lib/systemd") == set()
    pco.host.exec("journalctl", "--sync")
    told = pco.host.exec("journalctl", "-o", "export", "--all").stdout
    assert [canary for canary in (TOKEN, GIT, LOGIN) if canary in told] == []


def test_no_secret_is_in_the_arguments_or_the_environment_of_anybody_else(pco, session):
    pco.host.exec("touch", "/run/enough")
    pco.wait("the last look", lambda: not pco.host.exec("test", "-e", "/run/seen", code=None).returncode)

    seen = json.loads(pco.host.read("/run/seen"))
    assert seen["looks"] > 50
    agents = int(pco.host.exec("stat", "-c", "%u", session.state).stdout)
    assert {hit for hit in seen["hits"] if not hit.startswith(LOGIN) or not hit.endswith(f" {agents}")} == set(), seen
