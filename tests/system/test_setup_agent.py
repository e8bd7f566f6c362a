"""pco-setup and Claude Code on an installed pco: where its program may lie, what becomes of its key."""

import re
from collections.abc import Iterator

import pytest
from installed import ADDRESS, TOKEN, TOP, WEB, Installed, booted

SECRET = "/etc/pco/credentials/agent"
KEY = "sk-ant-api03-stand-in-0123456789abcdef"
OTHER = "sk-ant-oat01-stand-in-0123456789abcdef"
TESTED = re.findall("^version=(.+)$", (TOP / "share/claude/fetch").read_text(), re.M)[0]
OFTEN = "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/2\nRandomizedDelaySec=0\n"
MODEL = "http://127.0.0.1:8481"
COMMIT = """\
git init -q --bare --initial-branch=main /srv/shop.git && cd /srv/shop.git &&
git update-ref refs/heads/main $(git -c user.name=a -c user.email=a@b commit-tree -m first $(git mktree </dev/null))
"""
SERVICE = f"""\
[Service]
Environment=PYTHONPATH=/src/lib
ExecStartPre=/bin/rm -f /run/model
ExecStart=/usr/bin/python3 -m pco.sim.model --port 8481 --url-file /run/model --key {KEY} --log /run/model.log
ExecStartPost=/bin/sh -c 'until [ -s /run/model ]; do sleep 0.05; done'
"""
# It knows its version, does nothing for root, and in a session writes down what it was given to log in with.
PROGRAM = f"""\
#!/bin/sh
[ $(id -u) != 0 ] || exit 1
[ "$1" = --version ] && exec echo '{TESTED} (Claude Code)'
echo "$ANTHROPIC_API_KEY" > ../seen
"""


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host with pco installed and nothing configured, a Plane, and a stand-in of the model's API."""
    with booted("k") as pco:
        pco.host.exec("sh", "-c", COMMIT)
        pco.simulate()
        pco.host.write("/etc/systemd/system/model.service", SERVICE)
        pco.host.systemctl("daemon-reload")
        pco.host.systemctl("start", "model.service")
        pco.host.write("/root/plane-token", TOKEN, "600")
        pco.host.write("/usr/local/bin/claude", PROGRAM, "755")
        yield pco


def setup(pco, *options, code=0, key=KEY):
    """pco-setup as root, with all that is needed; the key comes on standard input."""
    given = ["--yes", "--url", ADDRESS, "--workspace", "acme", "--token-file", "/root/plane-token"]
    given += ["--project", "WEB=/srv/shop.git", "--agent", "claude", "--base-url", MODEL, "--agent-key-file", "-"]
    return pco.host.exec("pco-setup", *given, *options, input=f"{key}\n", code=code)


@pytest.mark.parametrize(
    ("program", "make", "words"),
    [
        ("/root/bin/claude", "install -D -m 755 /usr/local/bin/claude {}", "sessions do not see what is under /root"),
        ("/home/a/claude", "install -D -m 755 /usr/local/bin/claude {}", "sessions do not see what is under /home"),
        (
            "/opt/a",
            "install -D -m 755 /usr/local/bin/claude /root/a; ln -s /root/a {}",
            "/root, and there /opt/a leads",
        ),
        ("/opt/b/claude", "install -d -m 750 /opt/b; cp /usr/local/bin/claude {}", "pass through /opt/b (mode 0750)"),
        ("/opt/c/claude", "install -D -m 744 /usr/local/bin/claude {}", "may run /opt/c/claude (mode 0744)"),
    ],
)
def test_a_program_that_no_session_could_run_is_refused(pco, program, make, words):
    pco.host.exec("sh", "-c", make.format(program))

    said = setup(pco, "--claude", program, code=78).stderr

    assert words in said
    assert "npm install -g @anthropic-ai/claude-code@" in said
    assert pco.host.exec("test", "-e", SECRET, code=None).returncode == 1


def test_a_native_program_in_a_persons_home_can_be_copied_and_pco_setup_says_how(pco):
    pco.host.exec("install", "-D", "-m", "755", "/usr/bin/true", "/root/native/claude")

    said = setup(pco, "--claude", "/root/native/claude", code=78).stderr

    assert "(install -m 755 /root/native/claude /usr/local/bin/claude, then name that)" in said


def test_one_command_makes_claude_code_the_agent_and_everything_starts(pco):
    done = setup(pco)

    assert f"ok       /usr/local/bin/claude: {TESTED} (Claude Code)" in done.stderr
    assert "the agent's API key is taken by 127.0.0.1" in done.stderr
    assert "Agent: Claude Code, interactive, acceptEdits" in done.stdout
    assert "sudo pco-doctor looks whether all is as it should be." in done.stdout
    assert pco.host.systemctl("is-active", "pco.target", "pco-watch.service").split() == ["active"] * 2
    assert pco.failed() == ""


def test_root_alone_can_read_the_key_and_it_is_nowhere_else(pco):
    assert pco.host.exec("stat", "-c", "%A %U:%G", SECRET).stdout == "-rw------- root:root\n"
    assert pco.host.read(SECRET) == f"{KEY}\n"
    assert "key_file" not in pco.host.read("/etc/pco/pco.yaml")
    # The unit of the stand-in has it on its command line.
    said = [e for e in pco.host.journal() if KEY in str(e) and "model" not in e.get("_SYSTEMD_UNIT", "")]
    found = pco.host.exec("grep", "-rlF", KEY, "/etc/pco", "/var/lib/pco", "/var/spool/pco").stdout
    assert said == []
    assert found.split() == [SECRET]


def test_a_session_is_given_the_key_that_pco_setup_wrote(pco):
    pco.host.write("/etc/systemd/system/pco-poll.timer.d/often.conf", OFTEN)
    pco.host.systemctl("daemon-reload")
    pco.host.systemctl("restart", "pco-poll.timer")
    stock = f"/var/lib/pco/plane/{WEB}/head.json"
    pco.wait("the first poll", lambda: not pco.host.exec("test", "-e", stock, code=None).returncode)
    key = pco.maria("maria.key(maria.create('Fix the cache', state='Todo'))")
    pco.wait(f"{key} pending", lambda: pco.states().get(key) == "pending")
    seen = f"/var/lib/private/pco-agent/{key}/seen"

    pco.run("pco-queue", "approve", "--yes", key)
    pco.wait("a session", lambda: not pco.host.exec("test", "-s", seen, code=None).returncode)

    assert pco.host.read(seen) == f"{KEY}\n"


def test_the_real_claude_code_works_on_a_ticket_as_pco_setup_has_arranged_it(pco):
    program = f"/src/.venv/claude/{TESTED}/claude"
    pco.host.exec("pco-setup", "--yes", "--claude", program, "--mode", "headless", "--permission-mode", "dontAsk")
    key = pco.maria("maria.key(maria.create('Look at the cache', state='Todo'))")
    pco.wait(f"{key} pending", lambda: pco.states().get(key) == "pending")

    pco.run("pco-queue", "approve", "--yes", key)
    pco.wait(f"{key} completed", lambda: pco.states().get(key) == "completed")

    assert "I looked at it; nothing needs to be done." in pco.run("pco-queue", "show", key)
    assert KEY not in pco.host.read(f"/var/spool/pco/completed/{key}.json")


def test_the_key_alone_can_be_changed_and_one_that_is_refused_changes_nothing(pco):
    before = pco.host.read("/etc/pco/pco.yaml")

    wrong = pco.host.exec("pco-setup", "--agent-key-file", "-", input=OTHER, code=77)
    pco.host.exec("pco-setup", "--agent-key-file", "-", "--no-key-check", input=OTHER)

    assert "refuses it: invalid x-api-key" in wrong.stderr
    assert pco.host.read(SECRET) == f"{OTHER}\n"
    assert pco.host.read("/etc/pco/pco.yaml") == before


def test_what_is_configured_can_be_looked_at_without_root_and_without_the_key(pco):
    pco.host.write("/tmp/token", TOKEN, "644")
    line = ["pco-setup", "--dry-run", "--token-file", "/tmp/token", "--mode", "interactive"]

    said = pco.host.exec("runuser", "-u", "alice", "--", *line).stdout

    assert "+  mode: interactive" in said
    assert pco.host.read(SECRET) == f"{OTHER}\n"


def test_purging_removes_the_key(pco):
    pco.host.exec("make", "-C", "/src", "uninstall", "PURGE=1")

    assert pco.host.exec("test", "-e", "/etc/pco", code=None).returncode == 1
