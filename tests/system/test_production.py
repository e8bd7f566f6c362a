"""From nothing to "go" as README says, with what it says typed as it stands; then one thing after another breaks."""

import json
import os
import re
from collections.abc import Iterator

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
    location / { access_log /var/log/hooks.log; return 200 "ok"; }
}
"""
AWAY = "#!/bin/sh\nexec cp -r \"$1\" /srv/away/\n"


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
    pco.simulate()
    host.systemctl("start", "model.service")
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
    line = "export HOME=/home/alice; cd; exec bash -euxc \"$0\""
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
