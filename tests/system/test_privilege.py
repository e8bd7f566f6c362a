"""Who may do what on a machine with pco, tried by each user: pco, a member of its group, the web server's, anybody.

What an agent cannot do from its session is in test_isolation, what units systemd starts for whom in test_cleaning, what
a web server gives out in test_nginx, and what a session does to who looks at it in test_attach.
"""

import re
from collections.abc import Iterator

import pytest
from inside import STATES, Inside, begin, furnish, state
from installed import TOKEN, Installed, booted

pytestmark = pytest.mark.timeout(600)
CREDENTIALS = "/etc/pco/credentials"
# Where something of pco lies, or something that root runs; programs of the distribution are none of it.
PLACES = "/boot /etc /home /opt /root /run /srv /usr/local /usr/lib/python3 /usr/lib/systemd /var"
# All that a user can read and write there, but for links, which lead to what is looked at itself.
LOOK = f"""\
find {PLACES} \\( -fstype proc -o -path /run/user -o -path /run/systemd/journal -o -path /var/lib/apt -o -path /var/cache \\) \
-prune -o ! -type l \\( -readable -printf 'r %p\\n' , -writable -printf 'w %p\\n' \\) 2>/dev/null; true
"""
# What everybody can read of pco, and write: names, counts and configuration, no ticket's text and no secret.
OPEN = {
    "r": r"/etc/pco(/pco\.yaml(\.example)?|/pco\.yaml\.d.*|/hooks\.d.*|/nginx(/.*\.inc|/certificate\.pem)?)?"
    r"|/run/pco(/trigger)?|/run/pco-(attach|session)|/run/credentials|/var/lib/pco(-agent)?|/var/lib/pco/metrics(/.*)?|/var/backups",
    "w": r"/run/pco/trigger",
}
STATE_FOLDERS = "pending|approved|active|completed|outbox|posted|failed|rejected|corrupt"
SPOOL = rf"/var/spool/pco/({STATE_FOLDERS}|tmp|wake|control|notify|sending|index)(/.*)?|/var/spool/pco/\.\w+(\.lock)?"
# What each has beyond that.
MORE = {
    "nobody": {"r": "", "w": ""},
    "www-data": {
        "r": r"/var/lib/pco/www(/.*)?|/etc/pco/nginx(/.*)?|/var/log/nginx/\w+\.log",
        "w": r"/var/log/nginx/\w+\.log",
    },
    "alice": {
        "r": rf"/var/spool/pco|{SPOOL}|/var/lib/pco/(sessions|mirrors|audit|plane)(/.*)?|/var/backups/pco(/.*)?"
        r"|/var/lib/pco/metrics/\w+\.json|/var/log/journal/.*/user-\d+\.journal|/run/pco-attach/[A-Z0-9-]+\.sock",
        "w": rf"{SPOOL}|/var/lib/pco/(audit|plane|metrics/tally)(/.*)?|/run/pco-attach/[A-Z0-9-]+\.sock",
    },
    "pco": {
        "r": rf"/var/spool/pco|{SPOOL}|/var/lib/pco/\w+(/.*)?|/var/backups/pco(/.*)?|/run/pco/trigger"
        r"|/run/pco-attach/[A-Z0-9-]+\.sock|/run/credentials/pco-(poll|post|push|notify)\.service(/.*)?",
        "w": rf"{SPOOL}|/var/lib/pco/(sessions|mirrors|audit|plane|metrics|www)(/.*)?|/var/backups/pco(/.*)?"
        r"|/run/pco-attach/[A-Z0-9-]+\.sock",
    },
}
# Doors that an administrator might open by mistake.
LOOSE = (
    ("pco", "chmod o+rx /etc/pco/credentials", "chmod o-rx /etc/pco/credentials"),
    ("alice", "chmod g+w /var/lib/pco/mirrors", "chmod g-w /var/lib/pco/mirrors"),
    ("www-data", "chmod o+rx /var/lib/pco/sessions", "chmod o-rx /var/lib/pco/sessions"),
)
OURS = re.compile(r"/etc/pco|/var/lib/(private/)?pco|/var/spool/pco|/var/backups|/run/(pco|credentials)")
# Ways up; each succeeds for root.  {pid} is the session's, {watch} that of pco-watch.
DEEDS = {
    "sudo": "sudo -n true",
    "set its user": "python3 -c 'import os; os.setuid(0)'",
    "signal PID 1": "kill -0 1",
    "signal a session": "kill -0 {pid}",
    "read a session's environment": "cat /proc/{pid}/environ",
    "read a session's memory": "head -c 0 /proc/{pid}/mem",
    "see a session's files": "ls /proc/{pid}/root/ /proc/{pid}/cwd/",
    "enter a session": "nsenter -t {pid} -m true",
    "trace a session": "python3 -c 'import ctypes; assert not ctypes.CDLL(None).ptrace(0x4206, {pid}, 0, 0)'",
    "speak with a session's tmux": "tmux -S /run/pco-session/{key}/tmux.sock list-sessions",
    "speak with the manager": "test -w /run/systemd/private",
    "read the token": f"cat {CREDENTIALS}/plane-token",
    "read the agent's login": f"cat {CREDENTIALS}/agent",
    "read a running unit's login": "cat /run/credentials/pco-session@{key}.service/agent",
    "see what an agent wrote": f"ls {STATES}/{{key}}/workspace",
    "put a hook": "touch /etc/pco/hooks.d/x",
    "put a unit": "touch /etc/systemd/system/x.service",
    "put a job of cron": "touch /etc/cron.d/x",
    "change a program": "test -w /usr/local/bin/pco-watch",
    "change the library": "test -w /usr/local/lib/pco/current/pco/command.py",
    "change who may become root": "touch /etc/sudoers.d/x",
    "mount": "mount -t tmpfs none /mnt && umount /mnt",
}


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own that has all that an installed pco ever has: credentials, tickets in all hands, backups, pages."""
    with booted("v") as pco:
        host = pco.host
        for name, secret in (("plane-token", TOKEN), ("agent", "sk-agent-1f"), ("git-push", "x"), ("notify-mail", "x")):
            host.write(f"{CREDENTIALS}/{name}", secret, "600")
        host.exec("useradd", "bob")
        furnish(pco)
        yield pco


@pytest.fixture(scope="module")
def session(pco: Installed) -> Inside:
    """A session that runs on."""
    return begin(pco)[0]


@pytest.fixture(scope="module")
def lived(pco: Installed, session: Inside) -> Inside:
    """One that is completed, with commits; pages and a backup have been made."""
    (ended,) = begin(pco)
    ended.tells("sh", "-c", "cd $HOME/workspace && echo x >x && git add x && git commit -qm x")
    ended.complete()
    ended.ends()
    pco.wait("its end", lambda: state(pco, ended) == "completed")
    pco.host.systemctl("start", "pco-dashboard.service")
    pco.host.systemctl("start", "--wait", "pco-backup.service")
    return ended


def reach(pco: Installed, user: str) -> dict[str, set[str]]:
    """What a user can read, and write."""
    said = pco.host.exec("runuser", "-u", user, "--", "sh", "-c", LOOK).stdout
    rows = [line.partition(" ") for line in said.splitlines()]
    return {way: {path for how, _, path in rows if how == way} for way in "rw"}


@pytest.fixture(scope="module")
def everybody(pco: Installed, lived: Inside) -> dict[str, set[str]]:
    """What a user can who has nothing to do with pco."""
    return reach(pco, "bob")


@pytest.mark.parametrize("way", "rw")
def test_everybody_reaches_of_pco_only_names_counts_and_configuration(pco, everybody, way):
    found = {path for path in everybody[way] if OURS.match(path)}

    assert {path for path in found if not re.fullmatch(OPEN[way], path)} == set()
    assert "/etc/pco/pco.yaml" in everybody["r"]  # so the look works
    assert TOKEN not in pco.host.read("/etc/pco/pco.yaml")


def excess(pco: Installed, user: str, everybody: dict[str, set[str]]) -> set[str]:
    """What a user reaches and is not promised; that what is promised is there, too, shows that the look works."""
    found = reach(pco, user)
    beyond = {way: found[way] - everybody[way] for way in "rw"}
    assert [way for way in "rw" if bool(beyond[way]) != bool(MORE[user][way])] == []
    return {f"{way} {path}" for way in "rw" for path in beyond[way] if not re.fullmatch(MORE[user][way], path)}


@pytest.mark.parametrize("user", MORE)
def test_a_user_reaches_no_more_than_is_promised(pco, everybody, user):
    assert excess(pco, user, everybody) == set()


@pytest.mark.parametrize(("user", "change", "back"), LOOSE, ids=[user for user, _, _ in LOOSE])
def test_a_door_that_somebody_opens_is_seen(pco, everybody, user, change, back):
    pco.host.exec(*change.split())
    try:
        assert excess(pco, user, everybody) != set()
    finally:
        pco.host.exec(*back.split())


@pytest.mark.parametrize("deed", DEEDS)
def test_nobody_but_root_can(pco, session, deed):
    line = DEEDS[deed].format(pid=session.main, key=session.key)

    able = [
        user
        for user in ("root", "pco", "alice", "www-data", "nobody")
        if not pco.host.exec("runuser", "-u", user, "--", "sh", "-c", line, code=None).returncode
    ]

    assert able == ["root"]
    pco.host.exec(
        "rm", "-f", "/etc/pco/hooks.d/x", "/etc/systemd/system/x.service", "/etc/cron.d/x", "/etc/sudoers.d/x"
    )


def test_nobody_logs_in_as_pco(pco):
    _, password, *_ = pco.host.exec("getent", "shadow", "pco").stdout.split(":")

    assert password.startswith("!")
    assert pco.host.exec("getent", "passwd", "pco").stdout.strip().endswith("/nologin")
    assert pco.host.exec("id", "-nG", "pco").stdout == "pco\n"


# The machine's own files under links: whoever of pco's users may write a folder may put a link there, and root works there.

VICTIM = "/srv/victim"
SECRET = "canary-of-root-58c1"
# Puts a link in place of each file that is there, and of each that a program would make; prints how many.
PLANT = f"""\
import glob, os, sys, time
folders = sys.argv[1:]
month, day = time.strftime("%Y-%m"), time.strftime("%Y-%m-%d")
made = ["audit/%s.jsonl" % month, "metrics/tally/%s.json" % day, "metrics/spend/%s.json" % day, "www/ok.json", "www/index.html"]
planted = 0
def plant(path, to):
    global planted
    try:
        if os.path.lexists(path):
            os.rename(path, path + ".was") if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
        os.symlink(to, path)
        planted += 1
    except OSError:
        pass
for top in folders:
    for folder, below, names in os.walk(top, topdown=False):
        for name in names:
            plant(os.path.join(folder, name), "{VICTIM}/file")
for name in made:
    plant("/var/lib/pco/" + name, "{VICTIM}/file")
for name in ("launch", "post", "dashboard", "notify", "backup"):
    plant("/var/spool/pco/wake/" + name, "{VICTIM}/made")
for path in ("/var/lib/pco/metrics/spend", "/var/lib/pco/metrics/tally", "/var/lib/pco/www/ticket", "/var/spool/pco/index",
             *glob.glob("/var/lib/pco/plane/*"), *glob.glob("/var/spool/pco/control/*")):
    plant(path, "{VICTIM}/folder")
print(planted)
"""
WRITABLE = {
    "alice": "/var/spool/pco /var/lib/pco/audit /var/lib/pco/plane /var/lib/pco/metrics",
    "pco": "/var/spool/pco /var/lib/pco /var/backups/pco",
}
# What root runs where pco is: at boot, at an upgrade, by hand.
CHORES = (
    "systemd-tmpfiles --create --remove --boot",
    "pco-queue pause --note maintenance",
    "pco-queue add --test --text mine",
    "pco-queue list",
    "pco-queue hold LOCAL-1",
    "pco-queue resume",
    "pco-audit verify",
    "pco-purge --search canary",
    "pco-report",
    "pco-retention",
    "pco-doctor || test $? = 65",  # it finds something here
    "pco-restore --test",
    "pco-notify",
    "pco-backup",
    "pco-dashboard --full",
    f"CREDENTIALS_DIRECTORY={CREDENTIALS} pco-poll",
    "pco-launch",
    f"CREDENTIALS_DIRECTORY={CREDENTIALS} pco-post",
    "pco-watch --once",
    "pco-setup --yes",
    "make -C /src install",
)


@pytest.fixture(scope="module")
def chores(pco: Installed, lived: Inside) -> list[str]:
    """All of them are done to their end as long as nobody has put links there: else they would show nothing."""
    pco.simulate()
    pco.host.systemctl("stop", "pco.target", "pco-watch.service")
    ended = {line: pco.host.exec("sh", "-c", line, code=None, timeout=120) for line in CHORES}
    died = {line: (done.returncode, done.stderr[-200:]) for line, done in ended.items() if done.returncode}
    assert died == {}
    return list(CHORES)


@pytest.mark.parametrize("user", WRITABLE)
def test_root_follows_no_link_that_others_put_where_it_works(pco, chores, user):
    host = pco.host
    host.exec("sh", "-c", f"rm -rf {VICTIM}; install -d -m 700 {VICTIM} {VICTIM}/folder")
    host.write(f"{VICTIM}/file", SECRET, "600")
    look = ("sh", "-c", f"find {VICTIM} -printf '%p %u:%g %m %s %T@\\n'; cat {VICTIM}/file")
    before = host.exec(*look).stdout

    planted = int(pco.python(PLANT, *WRITABLE[user].split(), user=user).stdout)
    said = [host.exec("sh", "-c", line, code=None, timeout=120) for line in chores]

    assert planted > 15
    assert host.exec(*look).stdout == before
    places = "/var/spool/pco /var/lib/pco /var/backups/pco /var/log"
    assert host.exec("sh", "-c", f"grep -rls {SECRET} {places}", code=None).stdout == ""
    assert not [done.args for done in said if SECRET in done.stdout + done.stderr]
    host.exec("sh", "-c", "echo >>/var/lib/pco/audit/$(date -u +%Y-%m).jsonl")  # what follows links does harm here
    assert host.exec(*look).stdout != before
