"""What an agent plants for others: nothing of it runs as anybody but the session, and no link of it is followed.

What runs says so to the journal, which knows the user; in the session itself, which has no journal, in its own /tmp.
Links in the attempt's folder are in test_hostile, what a session makes the clients of its tmux run in test_attach.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from host import CLEAN
from inside import Inside, await_agent, begin, furnish, state
from installed import Installed, booted

from terminal import Terminal

pytestmark = pytest.mark.timeout(600)
EVIL = "/srv/evil"
CANARY = "canary-of-others-7d20"
# Whoever runs it is told of: by the journal, which names the user, or where there is none in a file.
PROGRAM = """\
#!/bin/sh
/usr/bin/logger -t evil -- "$1" 2>/dev/null
for folder in /tmp /run/pco-session/*; do
    echo "$1 as $(id -un)" >>"$folder/ran"
done 2>/dev/null
exit 1
"""
# Settings of git that run something; of those in RUN the session's own git must have done so, or the plant is none.
SETTINGS = {
    "core.fsmonitor": "{}",
    "core.hooksPath": "/srv/hooks",
    "core.pager": "{}",
    "core.editor": "{}",
    "core.sshCommand": "{}",
    "core.askPass": EVIL,
    "core.gitProxy": "{}",
    "core.alternateRefsCommand": "{}",
    "diff.external": "{}",
    "diff.evil.command": "{}",
    "diff.evil.textconv": "{}",
    "filter.evil.clean": "{}",
    "filter.evil.smudge": "{}",
    "filter.long.process": "{}",
    "merge.evil.driver": "{}",
    "credential.helper": "!{}",
    "gpg.program": EVIL,
    "gpg.ssh.program": EVIL,
    "log.showSignature": "true",
    "alias.evil": "!{}",
    "alias.status": "!{}",
    "pager.log": "{}",
    "sequence.editor": "{}",
    "interactive.diffFilter": "{}",
    "uploadpack.packObjectsHook": "{}",
    "remote.origin.uploadpack": "{}",
    "remote.origin.receivepack": "{}",
    "submodule.sub.update": "!{}",
    "submodule.sub.active": "true",
    "protocol.ext.allow": "always",
    "url.ext::sh -c {}.insteadOf": "/var/lib",
    "include.path": "/srv/config",
    "trailer.evil.command": "{}",
    "init.templateDir": "/srv/template",
    "gc.auto": "1",
}
RUN = {
    "core.fsmonitor",
    "pager.log",
    "diff.evil.command",
    "diff.external",
    "credential.helper",
    "filter.long.process",
    "alias.evil",
    "hook",
}
ATTRIBUTES = "* filter=evil diff=evil merge=evil\nmore filter=long\nplain !diff\n"
MODULES = '[submodule "sub"]\n path = sub\n url = https://git.example.org/sub.git\n'
# Done by the agent: a good commit with a name or two in it, then all that can be set and put around it.
PLANT = f"""\
import os, subprocess
os.chdir(os.environ["HOME"] + "/workspace")
def git(*words, code=0, stdin=""):
    done = subprocess.run(["git", *words], input=stdin, text=True, capture_output=True)
    assert code is None or done.returncode == code, (words, done)
open(".gitattributes", "w").write({ATTRIBUTES!r})
open(".gitmodules", "w").write({MODULES!r})
for name in ("file", "plain"):
    open(name, "w").write("good\\n")
for name, to in (("passwd", "/etc/passwd"), ("spool", "/var/spool/pco"), ("key", "/srv/secret"), ("config", "../../.git")):
    os.symlink(to, "link-" + name)
head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
git("update-index", "--add", "--cacheinfo", "160000," + head + ",sub")
git("add", ".gitattributes", ".gitmodules", "file", "plain", "link-passwd", "link-spool", "link-key", "link-config")
git("-c", "user.name=$({EVIL} name)", "-c", "user.email=a@b", "commit", "-qm", "`{EVIL} subject` #({EVIL} subject)")
settings = {SETTINGS!r}
for name, value in settings.items():
    git("config", name.replace("{{}}", "{EVIL} url"), value.replace("{{}}", "{EVIL} " + name))
for hook in os.listdir("/srv/hooks"):
    os.makedirs(".git/hooks", exist_ok=True)
    open(".git/hooks/" + hook, "w").write("#!/bin/sh\\n{EVIL} hook\\n")
    os.chmod(".git/hooks/" + hook, 0o755)
os.makedirs(".git/info", exist_ok=True)
open(".git/info/attributes", "w").write({ATTRIBUTES!r})
os.symlink("/srv/secret", ".git/refs/heads/stolen")
open("more", "w").write("not committed\\n")
os.symlink("/srv/secret", "untracked")
# It does run here: what is planted is good for something.
for words in (["add", "more"], ["add", "--renormalize", "file"], ["-c", "core.hooksPath=.git/hooks", "hook", "run", "pre-commit"], ["diff", "HEAD~1", "HEAD"],
              ["diff", "HEAD~1", "HEAD", "--", "plain"],
              ["evil"], ["credential", "fill"]):
    subprocess.run(["git", *words], input="protocol=https\\nhost=x\\n\\n", text=True, capture_output=True,
                   env={{**os.environ, "GIT_TERMINAL_PROMPT": "0"}}, timeout=10)
subprocess.run(["script", "-qec", "git log", "/dev/null"], capture_output=True, stdin=subprocess.DEVNULL,
               timeout=10)
print("planted")
"""
# What its tmux may be told, and what its screen and its titles may say; each runs something in whatever shows it.
TITLE = f"#({EVIL} title) $({EVIL} title) `{EVIL} title`"
OPTIONS = (
    ("set", "-g", "status", "on"),
    ("set", "-g", "status-interval", "1"),
    ("set", "-g", "status-left", f"#({EVIL} status)"),
    ("set", "-g", "status-right", f"#{{E:@evil}}#({EVIL} right)"),
    ("set", "-g", "@evil", f"#({EVIL} option)"),
    ("set", "-g", "pane-border-status", "top"),
    ("set", "-g", "pane-border-format", f"#({EVIL} border)"),
    ("set", "-g", "automatic-rename", "on"),
    ("set", "-g", "automatic-rename-format", f"#({EVIL} rename)"),
    ("set", "-g", "set-titles", "on"),
    ("set", "-g", "set-titles-string", f"#({EVIL} titles)"),
    ("set", "-g", "window-status-format", f"#({EVIL} window)"),
    ("set", "-g", "default-command", f"{EVIL} command"),
    ("set", "-g", "lock-command", f"{EVIL} lock"),
    ("set", "-g", "update-environment", "SSH_AUTH_SOCK HOME USER PATH XAUTHORITY"),
    ("set", "-s", "copy-command", f"{EVIL} copy"),
    ("set", "-s", "set-clipboard", "on"),
    ("set", "-g", "allow-passthrough", "on"),
    ("set", "-g", "allow-rename", "on"),
    ("set-hook", "-g", "client-attached", f"run-shell '{EVIL} attached || true'"),
    ("set-hook", "-g", "client-detached", f"run-shell '{EVIL} detached || true'"),
    ("set-hook", "-g", "client-resized", f"run-shell '{EVIL} resized || true'"),
    ("bind-key", "-n", "a", "run-shell", f"{EVIL} key || true"),
    ("bind-key", "-n", "b", "confirm-before", f"run-shell '{EVIL} confirmed'"),
    ("bind-key", "d", "detach-client", "-E", f"{EVIL} client"),
    ("rename-window", TITLE),
    ("select-pane", "-T", TITLE),
)
# Asks for the clipboard and sets it, past its tmux: the terminal of the relay is the session's own user's.
CLIPBOARD = "\x1b]52;c;?\x07\x1b]52;c;eA==\x07shown-after"
DRAW = "import os; open(os.readlink(f'/proc/{{os.getppid()}}/fd/1'), 'w').write({!r})"
SERVER = {
    "status",
    "border",
    "title",
    "titles",
    "option",
    "attached",
    "key",
}  # of these its own tmux runs some at least


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own, where agents do what a test says."""
    with booted("w") as pco:
        host = pco.host
        host.write(EVIL, PROGRAM, "755")
        host.write("/srv/secret", CANARY, "600")
        host.write("/srv/config", f'[alias]\n included = "!{EVIL} included"\n')
        for hook in (
            "pre-commit",
            "post-checkout",
            "reference-transaction",
            "post-index-change",
            "update",
            "pre-auto-gc",
        ):
            host.write(f"/srv/hooks/{hook}", f"#!/bin/sh\n{EVIL} hook\n", "755")
            host.write(f"/srv/template/hooks/{hook}", f"#!/bin/sh\n{EVIL} template\n", "755")
        furnish(pco)
        yield pco


@pytest.fixture(scope="module")
def planted(pco: Installed) -> Inside:
    """A session that planted all of it in its clone, and whose ticket has gone all the way that tickets go."""
    (session,) = begin(pco)
    assert session.says(PLANT).strip() == "planted"
    session.complete(f"All done: $({EVIL} summary) `{EVIL} summary` #({EVIL} summary)")
    session.ends()
    pco.wait("its end", lambda: state(pco, session) == "completed")
    assert record(pco, session)["rounds"][0]["work"]["commits"]  # it came over
    return session


def told(pco: Installed) -> dict[str, set[str]]:
    """Who ran what, as the journal knows it."""
    found: dict[str, set[str]] = {}
    for entry in pco.host.journal("SYSLOG_IDENTIFIER=evil"):
        found.setdefault(str(entry["_UID"]), set()).add(str(entry["MESSAGE"]))
    return found


def ran(session: Inside) -> set[str]:
    """What ran in the session itself, all of it as the session's user."""
    places = (f"{session.state}.tmp/ran", f"/run/pco-session/{session.key}/ran")
    rows = session.host.exec("cat", *places, code=None).stdout.splitlines()
    assert {row.partition(" as ")[2] for row in rows} <= {f"pco-{session.key}"}
    return {row.partition(" as ")[0] for row in rows}


def record(pco: Installed, session: Inside) -> Any:
    """Its ticket."""
    return json.loads(pco.host.read(f"/var/spool/pco/{state(pco, session)}/{session.key}.json"))


def test_what_an_agent_planted_for_git_works_in_its_session_and_for_nobody_else(pco, planted):
    host, key = pco.host, planted.key
    host.exec("runuser", "-u", "alice", "--", "git", "init", "-q", "/tmp/alices")
    for words in (
        ["show", key],
        ["diff", key],
        ["diff", "--stat", key],
        ["log", key],
        ["list"],
        ["fetch", key, "/tmp/alices"],
    ):
        pco.run("pco-queue", *words)
    for unit in ("pco-dashboard", "pco-backup", "pco-retention", "pco-push", "pco-restore-test"):
        host.systemctl("start", "--wait", f"{unit}.service", code=None)
    pco.run("pco-queue", "rework", key, "again")
    pco.wait("the next round", lambda: state(pco, planted) == "active")
    await_agent(pco, planted)

    assert (
        "good"
        in host.exec("git", "--git-dir=/tmp/alices/.git", "-c", "safe.directory=*", "show", f"pco/{key}:file").stdout
    )
    assert ran(planted) >= RUN
    assert told(pco) == {}


def test_what_is_planted_would_run_for_others_if_they_ran_git_in_it(pco, planted):
    pco.host.exec("sh", "-c", f"cp -r {planted.state}/workspace /tmp/taken && chown -R alice /tmp/taken")

    pco.host.exec("runuser", "-u", "alice", "--", "git", "-C", "/tmp/taken", "diff", "HEAD~1", code=None)

    uid = pco.host.exec("id", "-u", "alice").stdout.strip()
    assert "core.fsmonitor" in told(pco)[uid]
    pco.host.exec("sh", "-c", "rm -rf /tmp/taken; journalctl --sync --rotate; journalctl --vacuum-time=1s")


def test_no_link_of_its_commits_or_its_workspace_is_followed(pco, planted):
    places = "/var/spool/pco /var/lib/pco /var/backups/pco /var/log /tmp/alices"

    assert pco.host.exec("grep", "-rlsaF", CANARY, "/srv").stdout == "/srv/secret\n"
    assert pco.host.exec("grep", "-rlsaF", CANARY, *places.split(), code=None).stdout == ""
    assert pco.host.exec("find", "/var/lib/pco", "/var/backups/pco", "-type", "l", "!", "-name", "current").stdout == ""


def test_what_its_tmux_is_told_runs_in_the_session_and_never_as_who_looks(pco):
    (session,) = begin(pco)
    for words in OPTIONS:
        assert session.tells("tmux", "-S", f"/run/pco-session/{session.key}/tmux.sock", *words) == (0, "")
    assert not session.says(DRAW.format(f"\x1b]2;{TITLE}\x07"))
    enter = ["nsenter", "-t", str(pco.host.leader), "-m", "-u", "-i", "-n", "-p", "-C", "--"]
    clean = [word for word in CLEAN if word != "TERM=dumb"]
    line = ["runuser", "-u", "alice", "--", "pco-queue", "attach", session.key]
    alice = Terminal([*enter, *clean, "TERM=xterm-256color", *line], dict(os.environ))
    try:
        alice.until(rb"leaves; the session goes on")
        server = ("tmux", "-S", f"/run/pco-session/{session.key}/tmux.sock")
        terminal = session.tells(*server, "list-clients", "-F", "#{client_tty}")[1].strip()
        assert session.says(f"open({terminal!r}, 'w').write({CLIPBOARD!r})") == ""
        seen = alice.until(rb".*shown-after")[0]
        alice.type(b"a")
        # Not all of them each time: which a busy tmux draws is its own affair.
        pco.wait("what it was told", lambda: len(ran(session) & SERVER) >= 3)
        alice.type(b"\x02")
        seen += alice.quiet()
        alice.type(b"d")
        alice.end()
        seen += alice.shown
        assert "client" in ran(session)  # beside the relay
    finally:
        alice.close()
    pco.run("pco-queue", "show", session.key)
    pco.host.systemctl("start", "--wait", "pco-dashboard.service")
    session.ends()
    pco.wait("its end", lambda: state(pco, session) != "active")

    assert told(pco) == {}
    assert b"]52" not in seen
