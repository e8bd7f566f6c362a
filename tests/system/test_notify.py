"""pco-notify under systemd: woken by what happens, with its credentials, in its sandbox, with a network."""

import json
from collections.abc import Iterator

import pytest
from inside import begin, furnish, state
from installed import RARE, Installed, booted

PORT = 8499
# A web server that writes down what is posted: one line each, the path and the JSON.
SINK = f"""\
import http.server, json
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open("/var/lib/sink/got", "a") as got:
            got.write(json.dumps([self.path, self.headers["Authorization"], body]) + "\\n")
        self.send_response(200)
        self.end_headers()
    def log_message(self, *words): pass
http.server.ThreadingHTTPServer(("127.0.0.1", {PORT}), Handler).serve_forever()
"""
NOTIFY = f"""\
notify:
  url: https://board.example.org
  throttle: 0s
  webhook: {{url_file: /etc/pco/credentials/notify-webhook}}
  ntfy: {{url: "http://127.0.0.1:{PORT}", topic: ops}}
contacts: {{owner: Ann, on_call: "+49 30 1234", feedback: tickets@example.org}}
"""
# What a program of an administrator can do there: it writes it down where its unit may write.
CURIOUS = """\
#!/bin/sh
cat >/dev/null
{
    id -un
    cat /etc/shadow /etc/pco/credentials/plane-token 2>&1 | head -c 200
    touch /etc/pco/evil /var/lib/pco/www/evil /usr/evil 2>&1
    ls /home /root 2>&1
    sudo -n true 2>&1; echo "sudo $?"
    env | sed 's/=.*//' | sort | tr '\\n' ' '
} >/var/lib/pco/metrics/curious
setsid sleep 987 >/dev/null 2>&1 &
"""


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own, where timers are of no use, and somebody listens."""
    with booted("n") as pco:
        host = pco.host
        host.write("/srv/sink.py", SINK)
        host.write(
            "/etc/systemd/system/sink.service", "[Service]\nStateDirectory=sink\nExecStart=python3 /srv/sink.py\n"
        )
        host.write("/etc/pco/credentials/notify-webhook", f"http://127.0.0.1:{PORT}/s3cret\n", "600")
        host.write("/etc/systemd/system/pco-notify.timer.d/rare.conf", RARE)
        host.write("/etc/systemd/system/pco-notify.service.d/quick.conf", "[Service]\nExecStopPost=\n")
        host.systemctl("daemon-reload")
        host.systemctl("start", "sink.service")
        furnish(pco, "  complete_grace: 1s\n" + NOTIFY)
        yield pco


def got(pco: Installed) -> list[tuple[str, str | None, dict[str, str]]]:
    """What was posted."""
    said = pco.host.exec("cat", "/var/lib/sink/got", code=None).stdout
    return [json.loads(line) for line in said.splitlines()]


def told(pco: Installed, words: str) -> bool:
    """Whether both ways said this."""
    found = got(pco)
    return any(words in body.get("text", "") for _, _, body in found) and any(
        words in body.get("title", "") for _, _, body in found
    )


def test_what_a_session_does_is_told_at_once_without_any_timer(pco: Installed) -> None:
    (session,) = begin(pco)
    session.complete("All done.")
    session.ends()
    pco.wait("its end", lambda: state(pco, session) == "completed")

    pco.wait("the message", lambda: told(pco, f"{session.key} is completed"))

    ((_, _, body),) = [one for one in got(pco) if one[0] == "/s3cret" and session.key in one[2]["text"]]
    assert f"https://board.example.org/ticket/{session.key}.html" in body["text"]
    assert "All done." in body["text"] and "on call: +49 30 1234" in body["text"]
    pco.run("pco-queue", "reject", "--yes", session.key)


def test_a_unit_that_fails_is_told_of(pco: Installed) -> None:
    pco.host.write("/etc/systemd/system/pco-poll.service.d/bad.conf", "[Service]\nExecStart=\nExecStart=/bin/false\n")
    pco.host.write("/etc/pco/credentials/plane-token", "plane_api_x", "600")
    pco.host.systemctl("daemon-reload")
    pco.host.systemctl("start", "pco-poll.service", code=None)

    pco.wait("the message", lambda: told(pco, "pco-poll.service has failed"))
    pco.host.exec("rm", "-r", "/etc/systemd/system/pco-poll.service.d", "/etc/pco/credentials/plane-token")
    pco.host.systemctl("daemon-reload")
    pco.host.systemctl("reset-failed")


@pytest.mark.parametrize("user", ["root", "alice"])
def test_a_trial_goes_through_the_unit_and_says_what_each_way_did(pco: Installed, user: str) -> None:
    said = pco.run("pco-notify", "--test", user=user)

    assert said.splitlines() == ["ntfy: ok", "webhook: ok"]
    body = got(pco)[-1][2]
    assert "a test message" in json.dumps(body)
    assert "credentials" not in pco.host.read("/var/lib/pco/metrics/notify.json")


def test_a_credential_that_is_put_there_is_used_by_the_next_run(pco: Installed) -> None:
    pco.host.write("/etc/pco/credentials/notify-ntfy", "tk_new\n", "600")
    pco.run("pco-notify", "--test")

    assert [key for path, key, _ in got(pco) if path == "/"][-1] == "Bearer tk_new"


def test_a_program_of_the_administrator_runs_in_the_sandbox_and_nothing_of_it_stays(pco: Installed) -> None:
    pco.host.write("/etc/pco/hooks.d/all/curious", CURIOUS, "755")
    try:
        assert "all/curious: ok" in pco.run("pco-notify", "--test")
    finally:
        pco.host.exec("rm", "/etc/pco/hooks.d/all/curious")

    user, *said, sudo, names = pco.host.read("/var/lib/pco/metrics/curious").splitlines()
    assert user == "pco"
    assert "root:" not in "".join(said)
    assert sum("Read-only file system" in line or "Permission denied" in line for line in said) >= 5
    assert sudo != "sudo 0"
    kept = {"CREDENTIALS_DIRECTORY", "HOME", "LANG", "PATH", "PCO_EVENT"}
    assert set(names.split()) - {"PWD", "OLDPWD", "SHLVL", "_"} == kept
    left = lambda: pco.host.exec("pgrep", "-f", "sleep 98[7]", code=None).returncode  # noqa: E731
    pco.wait("the end of what it left", lambda: left() == 1)


def test_a_program_that_anybody_could_have_written_is_not_run(pco: Installed) -> None:
    pco.host.write("/etc/pco/hooks.d/all/theirs", "#!/bin/sh\ntouch /var/lib/pco/metrics/evil\n", "755")
    pco.host.exec("chown", "alice", "/etc/pco/hooks.d/all/theirs")
    try:
        pco.run("pco-notify", "--test")
        assert "all/theirs: refused" in pco.run("pco-notify", "--list")
    finally:
        pco.host.exec("rm", "/etc/pco/hooks.d/all/theirs")

    assert pco.host.exec("test", "-e", "/var/lib/pco/metrics/evil", code=None).returncode == 1
    assert any("hooks.d/all/theirs is not run" in entry["MESSAGE"] for entry in pco.host.journal("-u", "pco-notify"))


def drawn(pco: Installed) -> dict[str, dict[str, str]]:
    """What is remembered of pco's health after the pages were made."""
    pco.host.systemctl("start", "pco-dashboard.service")
    pco.wait("its end", lambda: pco.host.show("pco-dashboard", "ActiveState")["ActiveState"] == "inactive")
    found: dict[str, dict[str, str]] = json.loads(pco.host.read("/var/spool/pco/control/health"))
    return found


def test_that_pco_is_unwell_for_a_while_and_well_again_is_told(pco: Installed) -> None:
    host, corrupt = pco.host, "/var/spool/pco/corrupt/BAD-1"
    host.systemctl("stop", "pco-dashboard.path", "pco-dashboard.timer")
    pco.wait("rest", lambda: host.show("pco-dashboard", "ActiveState")["ActiveState"] == "inactive")
    # Nothing else is wrong: there is no Plane that could be silent.
    host.write("/etc/pco/pco.yaml.d/none.yaml", "plane: {projects: []}")
    host.exec("rm", "-f", "/var/spool/pco/control/health")
    host.write(f"{corrupt}.json", "{")
    host.write(f"{corrupt}.why", '{"reason": "torn", "from": "pending", "at": "x", "by": "y"}')
    first = drawn(pco)
    assert (first["told"], list(first["seen"])) == (
        [],
        ["corrupt: BAD-# (pco-queue show says why; pco-queue repair, or drop)"],
    )

    # A minute passes.
    aged = json.dumps({**first, "seen": dict.fromkeys(first["seen"], "2026-01-01T00:00:00Z")})
    host.exec("dd", "of=/var/spool/pco/control/health", "conv=notrunc", input=aged.ljust(300))
    drawn(pco)
    pco.wait("the message", lambda: told(pco, "pco needs attention"))
    host.exec("rm", f"{corrupt}.json", f"{corrupt}.why")
    drawn(pco)

    pco.wait("the all-clear", lambda: told(pco, "pco is well again"))
    host.systemctl("start", "pco-dashboard.path", "pco-dashboard.timer")


def test_all_is_well_afterwards(pco: Installed) -> None:
    assert pco.host.systemctl("is-active", "pco-notify.path", "pco-notify.timer").split() == ["active"] * 2
    assert "pco-notify" not in pco.failed()
    leak = [entry["MESSAGE"] for entry in pco.host.journal() if "s3cret" in str(entry.get("MESSAGE", ""))]
    assert leak == []
