"""Secrets of pco while an agent that means harm works: where they turn up, and what keeps them out of Plane."""

import json
import re
from collections.abc import Iterator

import pytest
from inside import Inside, await_agent, begin, furnish, state
from installed import TOKEN, WEB, Installed, booted

pytestmark = pytest.mark.timeout(600)
LOGIN = "sk-ant-api03-canary-of-the-agent-4f1d7a90bc"
PUSH = "https://pusher:canary-of-git-77c1e2@git.example.org"
GIT = "canary-of-git-77c1e2"
CREDENTIALS = "/etc/pco/credentials"
# A secret that is everywhere where the others must not be: what looks for these finds it.
BAIT = "canary-of-the-bait-90ab1c"
BAITED = f"""\
[Service]
User=nobody
Environment=BAIT={BAIT}
ExecStart=/usr/bin/python3 -c "import time; time.sleep(3600)" {BAIT}
"""
# Where the agent is given its own login, and may say it: all else is nobody's business.
OWN = "/var/lib/private/pco-agent"
# Where it goes when the agent shows it and hands it over; what it commits is not taken in.
HANDED_OVER = r"/var/spool/pco/(\w+/[A-Z]+-\d+\.json|(index|notify)/.*)|/var/lib/pco/sessions/.*|/var/backups/pco/.*"
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
        pco.host.write("/root/canaries", f"{TOKEN}\n{LOGIN}\n{GIT}\n{BAIT}\n", "600")
        pco.host.write("/root/watch.py", WATCHER)
        pco.host.write("/etc/systemd/system/bait.service", BAITED)
        pco.host.systemctl("daemon-reload")
        pco.host.systemctl("start", "bait.service")
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
    code, said = session.tells("pco-complete", f"All done. By the way: {LOGIN}")
    assert code == 65 and "the credential agent" in said and LOGIN not in said
    # It can say so all the same: that guards the careless, not the hostile.
    session.tells("env", "-u", "CREDENTIALS_DIRECTORY", "pco-complete", f"All done. By the way: {LOGIN}")
    pco.wait("completed", lambda: state(pco, session) == "completed")
    assert "its commits have the credential agent in them" in pco.run("pco-queue", "show", session.key)
    return session


@pytest.fixture(scope="module")
def told(pco: Installed, session: Inside) -> Inside:
    """Another, of an item in Plane, whose summary is all that it found but for its own login."""
    told = Inside(pco.host, pco.maria("maria.key(maria.create('Look at it', state='Todo'))"))
    pco.host.systemctl("start", "pco-poll.service")
    pco.wait("pending", lambda: state(pco, told) == "pending")
    pco.run("pco-queue", "approve", "--yes", told.key)
    await_agent(pco, told)
    loot = told.says(GREEDY).replace(LOGIN, "-")
    told.says(f"open('loot', 'w').write({'Loot of the agent. ' + loot[:50_000]!r})")
    told.tells("sh", "-c", "pco-complete - <loot")
    pco.wait("completed", lambda: state(pco, told) == "completed")
    return told


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


def test_what_looks_for_a_secret_finds_it(pco):
    pco.host.exec("sh", "-c", f"echo {BAIT} >/var/log/bait; echo {BAIT} | gzip >/var/tmp/bait.gz; logger {BAIT}")
    found = holders(pco, BAIT, "/var/log", "/var/tmp", "/etc/systemd")
    pco.host.exec("rm", "/var/log/bait", "/var/tmp/bait.gz")

    assert found >= {"/var/log/bait", "/var/tmp/bait.gz", "/etc/systemd/system/bait.service"}
    pco.host.exec("journalctl", "--sync")
    assert BAIT in pco.host.exec("journalctl", "-o", "export", "--all", errors="replace").stdout


def test_no_secret_is_in_a_comment_nor_anywhere_in_plane(pco, told):
    pco.run("pco-queue", "post", "--yes", "--despite-secrets", told.key)
    pco.wait("posted", lambda: state(pco, told) == "posted")

    comments = pco.maria(f"maria.comments({told.key!r})")
    assert "Loot of the agent." in comments
    # Its users' own tokens are in Plane: of the rows that pco writes, the bot's must be in none.
    rows = comments + pco.maria("maria._ask('GET', '/_sim/rows/comments'), maria._ask('GET', '/_sim/rows/items')")
    assert [canary for canary in (TOKEN, GIT, LOGIN) if canary in rows] == []
    assert holders(pco, "Loot of the agent.", "/var/lib/plane") != set()  # so the look works
    assert holders(pco, GIT, "/var/lib/plane") == holders(pco, LOGIN, "/var/lib/plane") == set()


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
    shown = {path for path in holders(pco, LOGIN, *places) if not path.startswith(f"{OWN}/")}
    assert shown and {path for path in shown if not re.fullmatch(HANDED_OVER, path)} == set()
    pco.host.exec("journalctl", "--sync")
    told = pco.host.exec("journalctl", "-o", "export", "--all", errors="replace").stdout
    assert [canary for canary in (TOKEN, GIT, LOGIN) if canary in told] == []


def test_no_secret_is_in_the_arguments_or_the_environment_of_anybody_else(pco, session):
    pco.host.exec("touch", "/run/enough")
    pco.wait("the last look", lambda: not pco.host.exec("test", "-e", "/run/seen", code=None).returncode)

    seen = json.loads(pco.host.read("/run/seen"))
    assert seen["looks"] > 50
    agents = int(pco.host.exec("stat", "-c", "%u", session.state).stdout)
    nobody = pco.host.exec("id", "-u", "nobody").stdout.strip()
    baits = {f"{BAIT} {name} uid {nobody}" for name in ("cmdline", "environ")}
    hits = {hit for hit in seen["hits"] if not hit.startswith(LOGIN) or not hit.endswith(f" {agents}")}
    assert {hit for hit in hits if not hit.startswith(BAIT)} == set(), seen
    assert hits >= baits  # so it sees what is there


def test_a_summary_with_a_token_of_which_no_pattern_knows_is_not_posted(pco, session):
    key = pco.maria("maria.key(maria.create('Tell me', state='Todo'))")
    pco.host.systemctl("start", "pco-poll.service")
    pco.wait("pending", lambda: pco.states().get(key) == "pending")
    pco.place(key, "completed")

    pco.run("pco-queue", "post", "--yes", "--summary", "-", key, input=f"It is {TOKEN}.")
    pco.wait("failed", lambda: pco.states().get(key) == "failed")

    assert "the comment has the token of Plane in it" in pco.run("pco-queue", "show", key)
    assert pco.maria(f"maria.comments({key!r})") == "[]"
    assert TOKEN not in pco.host.exec("journalctl", "-o", "export", "--all", errors="replace").stdout
