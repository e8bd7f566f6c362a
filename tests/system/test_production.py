"""From nothing to "go" as README says, with what it says typed as it stands; then one thing after another breaks."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from host import Done, Host
from inside import REPOSITORY
from installed import TOKEN, Installed
from test_claude import KEY, MODEL, SERVICE, TESTED, completes, play
from test_deb import FIRST, build

from support import TOP

pytestmark = pytest.mark.timeout(900)
SECTION = re.findall(r"^## To production in an afternoon\n(.+?)^## ", (TOP / "README.md").read_text(), re.S | re.M)[0]
STEPS = re.split(r"^\*\d\. ", SECTION, flags=re.M)[1:]
LONG = bool(os.environ.get("PCO_SOAK"))
# What differs here: no network but loopback, nobody to wait half an hour for, and repositories on the same machine.
HERE = {
    " certbot\n": "\n",
    "git@git.example.org:web.git": "/srv/shop.git",
    "git@git.example.org:sand.git": "/srv/shop.git",
    "SAND=": "INF=",
    "end SAND": "end INF",
    "--agent-key-file key": f"--agent-key-file key --base-url {MODEL}",
} | ({} if LONG else {"--watch 30m": "--watch 5s", "--tickets 20": "--tickets 3"})
NAMES = ("pco.example.org", "plane.example.org", "hooks.example.org")
ADDRESS = "192.0.2.10"  # the machine's own, as others see it: from there README lets people read
CA = "/root/ca"
NEW_CA = f"""\
mkdir -p {CA} && cd {CA}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=authority \
    -keyout ca.key -out ca.crt 2>/dev/null
cp ca.crt /usr/local/share/ca-certificates/authority.crt && update-ca-certificates >/dev/null
"""
# sign NAME FOLDER FROM UNTIL, as openssl-ca(1) takes times: what an authority does.
SIGN = f"""\
#!/bin/sh
set -e
mkdir -p "$2" && cd "$2"
[ -e {CA}/index.txt ] || : >{CA}/index.txt
[ -e {CA}/serial ] || echo 01 >{CA}/serial
printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase={CA}/index.txt\\nserial={CA}/serial\\nnew_certs_dir=/tmp\\n' >ca.cnf
printf 'certificate={CA}/ca.crt\\nprivate_key={CA}/ca.key\\ndefault_md=sha256\\npolicy=p\\nunique_subject=no\\n' >>ca.cnf
printf 'copy_extensions=copy\\n[p]\\ncommonName=supplied\\n' >>ca.cnf
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
    -addext "subjectAltName=DNS:$1" -keyout privkey.pem -out request.pem 2>/dev/null
openssl ca -batch -notext -config ca.cnf -in request.pem -out fullchain.pem -startdate "$3" -enddate "$4" 2>/dev/null
"""
DATES = '$(date -u -d "-1 day" +%Y%m%d%H%M%SZ) $(date -u -d "+89 days" +%Y%m%d%H%M%SZ)'
# Stand-ins for what only a network has: an authority that certbot asks, a registry that npm asks.
CERTBOT = f"""\
#!/bin/sh
set -e
while [ $# -gt 0 ]; do
    case $1 in -d) name=$2 ;; --deploy-hook) hook=$2 ;; esac
    shift
done
/usr/local/bin/sign "$name" "/etc/letsencrypt/live/$name" {DATES}
RENEWED_LINEAGE=/etc/letsencrypt/live/$name exec "$hook"
"""
NPM = f"""\
#!/bin/sh
[ "$*" = 'install -g @anthropic-ai/claude-code@{TESTED}' ] || exit 1
exec ln -s /src/.venv/claude/{TESTED}/claude /usr/local/bin/claude
"""
# Plane, and whoever takes messages, behind TLS of their own.
SITES = """\
server {
    listen 443 ssl;
    server_name plane.example.org;
    ssl_certificate /etc/plane/fullchain.pem;
    ssl_certificate_key /etc/plane/privkey.pem;
    location / { proxy_pass http://127.0.0.1:8480; proxy_set_header Host $http_host; }
}
server {
    listen 443 ssl;
    server_name hooks.example.org;
    ssl_certificate /etc/hooks/fullchain.pem;
    ssl_certificate_key /etc/hooks/privkey.pem;
    location / { proxy_pass http://127.0.0.1:8482; }
}
"""
# What a webhook leads to: it keeps what it is told.
HOOKS = """\
from http.server import BaseHTTPRequestHandler, HTTPServer
class Told(BaseHTTPRequestHandler):
    def do_POST(self):
        with open("/var/log/told", "ab") as told:
            told.write(self.rfile.read(int(self.headers["Content-Length"])) + b"\\n")
        self.send_response(200)
        self.end_headers()
HTTPServer(("127.0.0.1", 8482), Told).serve_forever()
"""
AWAY = '#!/bin/sh\nexec cp -r "$1" /srv/away/\n'


def typed(step: str) -> str:
    """The commands of a step."""
    lines = [line[4:] for line in step.splitlines() if line.startswith("    ") or not line]
    said = re.sub(r"\n{2,}", "\n", "\n".join(lines)).strip("\n") + "\n"
    for words, others in HERE.items():
        said = said.replace(words, others)
    return said


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """An empty machine with a disk for the spool, before anybody has typed anything; these tests tell one story."""
    host = Host(f"p{os.getpid()}", disk=512).up()
    try:
        host.exec("rm", "-f", "/usr/sbin/policy-rc.d", "/var/lib/man-db/auto-update")
        pco = Installed(host)
        surround(pco)
        build(host, FIRST)
        yield pco
    finally:
        host.down()


def surround(pco: Installed) -> None:
    """What is there before pco comes: a person who may become root, Plane, an authority, repositories, a model."""
    host = pco.host
    host.exec("useradd", "--create-home", "--shell", "/bin/bash", "alice")
    host.write("/etc/sudoers.d/alice", "alice ALL=(ALL) NOPASSWD: ALL\n", "440")
    host.write("/etc/apt/apt.conf.d/yes", 'APT::Get::Assume-Yes "true";\n')  # her answer, whenever it asks
    host.exec("ip", "address", "add", f"{ADDRESS}/32", "dev", "lo")
    host.exec("sh", "-c", f"echo {ADDRESS} {' '.join(NAMES)} >>/etc/hosts")
    host.exec("bash", "-ec", NEW_CA)
    for name, text in {"sign": SIGN, "certbot": CERTBOT, "npm": NPM}.items():
        host.write(f"/usr/local/bin/{name}", text, "755")
    for name in ("plane", "hooks"):
        host.exec("bash", "-ec", f"sign {name}.example.org /etc/{name} {DATES}")
    host.exec("bash", "-ec", REPOSITORY)
    host.write("/etc/systemd/system/model.service", SERVICE)
    host.write("/srv/hooks.py", HOOKS)
    host.write("/etc/systemd/system/hooks.service", "[Service]\nExecStart=/usr/bin/python3 /srv/hooks.py\n")
    pco.simulate()
    host.systemctl("start", "model.service", "hooks.service")
    host.exec("sh", "-c", "rm -f /etc/nginx/sites-enabled/*")
    host.write("/etc/nginx/sites-enabled/others", SITES)
    host.systemctl("enable", "--now", "nginx", "logrotate.timer")
    host.exec("install", "-d", "-m", "777", "/srv/away")
    host.write("/etc/systemd/system/pco-offsite.service.d/away.conf", "[Service]\nReadWritePaths=/srv/away\n")
    host.systemctl("daemon-reload")
    home = {"token": TOKEN, "key": KEY, "webhook-url": "https://hooks.example.org/pco", "away": AWAY}
    for name, text in home.items():
        host.write(f"/home/alice/{name}", text)
    host.exec("ln", "-s", "/src/build", "/home/alice/build")


def types(pco: Installed, script: str, user: str = "alice", code: int | None = 0) -> Done:
    """Type lines of shell at home, each of which must succeed."""
    line = 'export HOME=/home/alice; cd; exec bash -euxc "$0"'
    return pco.host.exec("runuser", "-u", user, "--", "sh", "-c", line, script, code=code, timeout=3600)


def box(pco: Installed, *ids: str) -> dict[str, tuple[str, str]]:
    """What the doctor finds: status and evidence, by box."""
    words = [word for id in ids for word in ("--section", id)]
    for _ in range(5):
        said = pco.run("pco-doctor", "--format", "json", *words, user="root", code=None)
        found = {row["id"]: (row["status"], row["evidence"]) for row in json.loads(said)}
        if not any("not seen within" in evidence for _, evidence in found.values()):
            break
    return found


def test_the_section_has_seven_steps_and_all_that_differs_here_is_in_it():
    assert len(STEPS) == 7
    words = "".join(re.sub("(?m)^    ", "", step) for step in STEPS)
    assert not [old for old in HERE if old not in words]


def test_1_install(pco):
    first, _, rest = typed(STEPS[0]).partition("\n")
    assert first == "make deb"

    types(pco, rest)

    assert pco.host.read("/etc/systemd/journald.conf.d/pco.conf").startswith("[Journal]\n")


def test_2_configure(pco):
    types(pco, typed(STEPS[1]))

    assert pco.host.systemctl("is-active", "pco.target") == "active"
    pco.wait("polls", lambda: box(pco, "18.4")["18.4"][0] == "ok", 120)


def test_3_people(pco):
    said = types(pco, typed(STEPS[2])).stdout

    assert re.search(r"(?m)^webhook\b.*ok", said), said


def test_4_board_and_firewall(pco):
    types(pco, typed(STEPS[3]))

    found = box(pco, "3", "4.2", "5")
    assert {id: status for id, (status, _) in found.items() if status not in ("ok", "n/a")} == {}, found


def test_5_a_way_back(pco):
    types(pco, typed(STEPS[4]))

    pco.wait("backups are elsewhere", lambda: box(pco, "10.4")["10.4"][0] == "ok")


def test_6_trials(pco):
    play(pco, {"match": "", "steps": completes("the cache is kept")})
    key = pco.maria("maria.key(maria.create('Keep the cache', state='Todo'))")
    pco.host.systemctl("start", "pco-poll.service")
    pco.wait(f"{key} pending", lambda: pco.states().get(key) == "pending")
    pco.run("pco-queue", "approve", "--yes", key)
    pco.wait("completed", lambda: pco.states().get(key) == "completed", 200)
    pco.run("pco-queue", "post", "--yes", key)
    pco.wait("posted", lambda: pco.states().get(key) == "posted")

    types(pco, typed(STEPS[5]))

    found = box(pco, "17.2", "24.3", "24.4")
    assert found["17.2"][0] == "ok" and found["24.4"][0] == "ok", found


def test_7_go(pco):
    said = types(pco, typed(STEPS[6])).stdout

    assert said.splitlines()[-1].startswith("go"), said
    assert "install pco again" not in said, said  # its pages and programs are there


# What breaks.

CRED, PEM = "/etc/pco/credentials", "/etc/letsencrypt/live/pco.example.org"
PAST = "20200101000000Z 20210101000000Z"
SECRET = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789"
PEOPLE = "/etc/pco/pco.yaml.d/people.yaml"
# So that nobody waits: polls, pages and messages come at once, and what is old is old after seconds.
QUICK = """\
notify: {throttle: 1s}
health: {polls_failed: 2, stale_after: 30s, memory_free: 50M}
"""
OFTEN = "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/3\nRandomizedDelaySec=0\n"
PAGES = "[Timer]\nOnActiveSec=\nOnActiveSec=1s\nOnUnitInactiveSec=3s\nAccuracySec=100ms\n"


@dataclass(frozen=True)
class Breakage:
    """Something that goes wrong: how, how it is put right, and who says so.

    `boxes` are those that the doctor calls ill; `health` are words of a reason that /health gives, with 503; `told` is
    what people are told of.  Both take a minute: they are awaited for each in the long run, and else where it says
    `always`.
    """

    name: str
    breaks: str
    mends: str
    boxes: tuple[str, ...]
    health: str = ""
    told: str = ""
    always: bool = False


def drop_in(unit: str, lines: str) -> tuple[str, str]:
    """How a drop-in comes and goes."""
    path = f"/etc/systemd/system/{unit}.d/zz.conf"
    reload = "systemctl daemon-reload"
    return (
        f"install -D -m 644 /dev/stdin {path} <<'END'\n{lines}\nEND\n{reload}",
        f"rm {path}; {reload}",
    )


def aged(what: str) -> tuple[str, str]:
    """How the last good backup, or trial of one, becomes one of long ago."""
    path = f"/var/lib/pco/metrics/backup/{what}.json"
    return f"cp -p {path} /root/; sed -i -E 's/\\b20[0-9]{{2}}-/2020-/' {path}", f"cp -p /root/{what}.json {path}"


FAILING = drop_in("pco-retention.service", "[Service]\nExecStartPre=/bin/false")
BREAKAGES = (
    Breakage(
        "the token was revoked",
        f"cp -p {CRED}/plane-token /root/; echo plane_api_no_longer >{CRED}/plane-token",
        f"cp -p /root/plane-token {CRED}/",
        ("2.1", "2.2"),
        "polls failed",
        "needs attention",
    ),
    Breakage(
        "Plane is down",
        "systemctl stop plane",
        "systemctl start plane",
        ("1.5", "2.1"),
        "polls failed",
        "needs attention",
    ),
    Breakage(
        "the certificate of Plane has expired",
        f"sign plane.example.org /etc/plane {PAST}; systemctl reload nginx",
        f"sign plane.example.org /etc/plane {DATES}; systemctl reload nginx",
        ("1.5", "1.6"),
        "polls failed",
    ),
    Breakage(
        "the certificate of the dashboard has expired",
        f"sign pco.example.org {PEM} {PAST}; systemctl reload nginx",
        f"sign pco.example.org {PEM} {DATES}; systemctl reload nginx",
        ("1.6",),
    ),
    Breakage(
        "the certificate of the dashboard signed itself",
        "cd /etc/pco/nginx; cp -p certificate.inc /root/; sed -i 's|/etc/letsencrypt/live/pco.example.org/fullchain|"
        "/etc/pco/nginx/certificate|; s|/etc/letsencrypt/live/pco.example.org/privkey|/etc/pco/nginx/key|' "
        "certificate.inc; systemctl reload nginx",
        "cp -p /root/certificate.inc /etc/pco/nginx/; systemctl reload nginx",
        ("3.1",),
    ),
    Breakage(
        "the disk is full",
        "fallocate -l $(df --output=avail -B1 /var/spool/pco | tail -1) /var/spool/pco/lost+found/much",
        "rm /var/spool/pco/lost+found/much",
        ("1.4",),
        "of the disk is free",
        "too little room",
        always=True,
    ),
    Breakage(
        "the timer of polls is disabled",
        "systemctl disable --now pco-poll.timer",
        "systemctl enable --now pco-poll.timer",
        ("1.2", "13.1"),
        "no successful poll",
        "needs attention",
    ),
    Breakage(
        "the token has mode 644",
        f"chmod 644 {CRED}/plane-token",
        f"chmod 600 {CRED}/plane-token",
        ("6.1",),
    ),
    Breakage(
        "the spool is for all to read",
        "chmod o+rx /var/spool/pco",
        "chmod o-rx /var/spool/pco",
        ("6.1",),
    ),
    Breakage(
        "the watcher hangs",
        "systemctl kill -s STOP pco-watch",
        "systemctl kill -s CONT pco-watch",
        ("18.1",),
    ),
    Breakage(
        "the watcher does not run",
        "systemctl stop pco-watch",
        "systemctl start pco-watch",
        ("1.2", "18.1"),
        "pco-watch is not running",
        "needs attention",
    ),
    Breakage(
        "a unit fails",
        f"{FAILING[0]}\nsystemctl start pco-retention || :",
        f"{FAILING[1]}; systemctl reset-failed pco-retention",
        ("18.1",),
        "pco-retention.service has failed",
        "has failed",
    ),
    Breakage("the last backup is old", *aged("made"), ("23.3",)),
    Breakage("no restore was tried for long", *aged("tested"), ("10.2", "23.3")),
    Breakage(
        "nothing carries backups away",
        "mv /etc/pco/hooks.d/backup/away /root/",
        "mv /root/away /etc/pco/hooks.d/backup/",
        ("10.4",),
    ),
    Breakage(
        "a drop-in says debug", *drop_in("pco-poll.service", "[Service]\nEnvironment=PCO_LOG_LEVEL=debug"), ("7.2",)
    ),
    Breakage(
        "a drop-in opens a unit",
        *drop_in("pco-post.service", "[Service]\nProtectSystem=no\nNoNewPrivileges=no\nSystemCallFilter="),
        ("5.4",),
    ),
    Breakage(
        "the tools may take all memory",
        *drop_in("pco-tools.slice", "[Slice]\nMemoryMax=infinity"),
        ("12.1",),
    ),
    Breakage(
        "nobody is told of failures",
        "sed /^OnFailure/d $(systemctl show -P FragmentPath pco-post.service) >/etc/systemd/system/pco-post.service; "
        "systemctl daemon-reload",
        "rm /etc/systemd/system/pco-post.service; systemctl daemon-reload",
        ("8.3",),
    ),
    Breakage(
        "messages do not arrive",
        "systemctl stop hooks; pco-notify --test || :",
        "systemctl start hooks; pco-notify --test",
        ("8.3",),
    ),
    Breakage(
        "there are no contacts",
        f"cp -p {PEOPLE} /root/; sed -i '/^contacts/,/^notify/{{/^notify/!d}}' {PEOPLE}",
        f"cp -p /root/people.yaml {PEOPLE}",
        ("19.3", "20.4"),
    ),
    Breakage(
        "a secret stands in the configuration",
        f"echo '# {SECRET}' >>{PEOPLE}",
        f"sed -i '/{SECRET}/d' {PEOPLE}",
        ("6.4",),
    ),
    Breakage(
        "everybody may read the dashboard",
        "cp -p /etc/pco/nginx/access.inc /root/; echo 'allow all;' >/etc/pco/nginx/access.inc",
        "cp -p /root/access.inc /etc/pco/nginx/",
        ("5.1",),
    ),
    Breakage(
        "nothing is let through to the dashboard",
        "systemctl stop nginx",
        "systemctl start nginx",
        ("3.1",),
    ),
    Breakage(
        "the firewall is off, and somebody listens",
        "systemctl stop nftables; nft flush ruleset; systemd-run --unit stray python3 -m http.server 8088; "
        "until ss -tln | grep -q :8088; do sleep 0.1; done",
        "systemctl stop stray; systemctl start nftables",
        ("5.2", "5.3"),
    ),
    Breakage(
        "a repository is gone",
        "mv /srv/shop.git /srv/gone.git",
        "mv /srv/gone.git /srv/shop.git",
        ("2.3",),
    ),
    Breakage(
        "the program of the agent is gone",
        "mv /usr/local/bin/claude /root/",
        "mv /root/claude /usr/local/bin/",
        ("1.1", "2.4"),
    ),
    Breakage("nobody may approve", "gpasswd -d alice pco", "gpasswd -a alice pco", ("22.3",)),
    Breakage(
        "the audit record was changed",
        "f=$(ls /var/lib/pco/audit/*.jsonl | tail -1); cp -p $f /root/audit; sed -i '0,/alice/s//mallory/' $f; "
        "! cmp -s $f /root/audit",
        "cp -p /root/audit $(ls /var/lib/pco/audit/*.jsonl | tail -1)",
        ("22.1",),
    ),
    Breakage(
        "a secret is in the journal",
        f"logger -t pco-queue 'the key is {SECRET}'; journalctl --sync",
        "journalctl --rotate; sleep 1; journalctl --vacuum-time=1s",
        ("21.2",),
    ),
    Breakage(
        "the journal has no bounds",
        "mv /etc/systemd/journald.conf.d/pco.conf /root/",
        "mv /root/pco.conf /etc/systemd/journald.conf.d/",
        ("7.1",),
    ),
    Breakage(
        "logs of nginx do not rotate",
        "systemctl disable --now logrotate.timer",
        "systemctl enable --now logrotate.timer",
        ("7.3",),
    ),
)


@pytest.fixture(scope="module")
def quick(pco: Installed) -> Installed:
    """The same machine, where nobody waits."""
    pco.host.write("/etc/pco/pco.yaml.d/quick.yaml", QUICK)
    for unit, lines in {"pco-poll.timer": OFTEN, "pco-dashboard.timer": PAGES}.items():
        pco.host.write(f"/etc/systemd/system/{unit}.d/often.conf", lines)
    pco.host.write("/etc/systemd/system/pco-dashboard.service.d/often.conf", "[Service]\nExecStopPost=\n")
    pco.host.systemctl("daemon-reload")
    pco.host.systemctl("restart", "pco-watch.service", "pco-poll.timer", "pco-dashboard.timer")
    pco.wait("well", lambda: not health(pco), 120)
    return pco


def health(pco: Installed) -> str:
    """What /health gives as reasons, to another machine; empty if pco is well."""
    said = pco.host.exec("curl", "-s", "-w", "\n%{http_code}", "https://pco.example.org/health", code=None).stdout
    body, _, status = said.rpartition("\n")
    return "" if status == "200" else body or status


def ill(pco: Installed, ids: tuple[str, ...]) -> set[str]:
    """Which of these boxes are ill."""
    return {id for id, (status, _) in box(pco, *ids).items() if status in ("warn", "fail")}


@pytest.mark.parametrize("one", BREAKAGES, ids=lambda one: re.sub(" ", "-", one.name))
def test_what_breaks_is_named_until_it_is_mended(quick, one):
    pco = quick
    assert ill(pco, one.boxes) == set()
    pco.host.exec("sh", "-c", ": >/var/log/told")

    pco.host.exec("bash", "-ec", one.breaks)
    try:
        pco.wait(f"{one.boxes} are ill", lambda: ill(pco, one.boxes) == set(one.boxes), 90)
        if one.health and (LONG or one.always):
            pco.wait(f"health says {one.health}", lambda: one.health in health(pco), 150)
        if one.told and (LONG or one.always):
            pco.wait(f"told of {one.told}", lambda: one.told in pco.host.read("/var/log/told"), 150)
    finally:
        pco.host.exec("bash", "-ec", one.mends)

    pco.wait(f"{one.boxes} are well", lambda: ill(pco, one.boxes) == set(), 90)
    if one.health and (LONG or one.always):
        pco.wait("health", lambda: not health(pco), 150)


def test_go_again(quick):
    said = types(quick, "sudo pco-doctor --production").stdout

    assert said.splitlines()[-1].startswith("go"), said
