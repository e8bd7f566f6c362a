"""The pages, health and metrics behind a real nginx, over TLS; pco runs beside it and polls a simulated Plane."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from host import Done, Host, HostError
from installed import Installed
from prometheus_client.parser import text_string_to_metric_families

SHARE = "/usr/local/share/pco/nginx"
MINE = "/etc/pco/nginx"
WWW = "/var/lib/pco/www"
LINK = f"ln -s {SHARE}/pco.conf /etc/nginx/sites-enabled/pco && nginx -t && systemctl reload nginx"
STRANGER = "10.11.12.13"
HEALTH = "health: {disk_free: 0%, polls_failed: 2}\n"
# So that these tests need not wait.
OFTEN = {
    "pco-stale.timer": "[Timer]\nOnCalendar=\nOnCalendar=*:*:*\n",
    "pco-dashboard.timer": "[Timer]\nOnActiveSec=\nOnActiveSec=1s\nOnUnitInactiveSec=2s\nAccuracySec=100ms\n",
    "pco-dashboard.service": "[Service]\nExecStopPost=\n",
}
ALWAYS = {
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "permissions-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "cache-control",
}


@dataclass
class Answer:
    """What nginx said."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass
class Web:
    """The web server in front of `pco`."""

    pco: Installed

    def get(self, path: str, *options: str, site: str = "https://localhost") -> Answer:
        """One request; the server must have the certificate that was made at install."""
        curl = ["curl", "-sS", "-i", "--max-time", "20", "--path-as-is", "--cacert", f"{MINE}/certificate.pem"]
        said = self.pco.host.exec(*curl, *options, f"{site}{path}").stdout
        head, _, body = said.partition("\n\n")
        first, *lines = head.splitlines()
        pairs = [line.partition(": ")[::2] for line in lines]
        assert len({name.lower() for name, _ in pairs}) == len(pairs), "a header that comes twice"
        return Answer(int(first.split()[1]), {name.lower(): value for name, value in pairs}, body)

    def stranger(self, path: str, *options: str) -> Answer:
        """A request from another machine, as far as nginx can see."""
        return self.get(path, "-k", "--interface", STRANGER, *options, site=f"https://{STRANGER}")

    def health(self, status: int, *words: str) -> Answer:
        """Wait until /health answers so, with these words."""
        answer = self.get("/health")

        def done() -> bool:
            nonlocal answer
            answer = self.get("/health")
            return answer.status == status and all(word in answer.body for word in words)

        try:
            self.pco.wait(f"health {status}", done)
        except HostError as error:
            raise AssertionError(f"{answer.status} {answer.body}\n{error}") from None
        return answer

    def draw(self) -> None:
        """Have the pages drawn."""
        self.pco.run("touch", "/var/spool/pco/wake/dashboard")

    def configure(self, health: str = HEALTH) -> None:
        """Another section `health`."""
        self.pco.host.write("/etc/pco/pco.yaml.d/health.yaml", health)
        self.draw()

    @contextmanager
    def edited(self, name: str, change: "tuple[str, str]") -> Iterator[None]:
        """An include as an administrator edits it."""
        path = f"{MINE}/{name}.inc"
        before = self.pco.host.read(path)
        assert change[0] in before
        self.pco.host.write(path, before.replace(*change))
        self.reload()
        try:
            yield
        finally:
            self.pco.host.write(path, before)
            self.reload()

    def reload(self) -> None:
        """nginx takes a changed configuration; a restart, so that no old worker answers."""
        self.pco.host.exec("nginx", "-t", "-q")
        self.pco.host.systemctl("restart", "nginx")

    def sh(self, line: str, code: int | None = 0) -> Done:
        """A line of shell in the host."""
        return self.pco.host.exec("sh", "-c", line, code=code)

    def certificate(self) -> str:
        """The fingerprint of the certificate that is served."""
        served = "openssl s_client -connect localhost:443 </dev/null 2>/dev/null"
        return self.sh(f"{served} | openssl x509 -noout -fingerprint -sha256").stdout


@pytest.fixture(scope="module")
def web(able: None) -> Iterator[Web]:
    """A host of its own, with Debian's nginx as it comes, pco as it comes, and the one command that joins them."""
    host = Host(f"n{os.getpid()}").up()
    try:
        pco = Installed(host)
        web = Web(pco)
        web.sh("find /etc/nginx/sites-enabled /etc/nginx/conf.d -mindepth 1 ! -name default -delete")
        host.systemctl("enable", "--now", "nginx")
        pco.install()
        web.sh(LINK)
        pco.configure()
        for unit, lines in OFTEN.items():
            host.write(f"/etc/systemd/system/{unit}.d/often.conf", lines)
        for kind in ("service", "timer", "path"):
            host.write(f"/etc/systemd/system/pco-.{kind}.d/unlimited.conf", "[Unit]\nStartLimitIntervalSec=0\n")
        web.configure()
        pco.simulate()
        host.exec("ip", "address", "add", f"{STRANGER}/32", "dev", "lo")
        host.systemctl("enable", "--now", "pco.target")
        web.health(200)
        yield web
    finally:
        host.down()


# What is served, and to whom.


def test_nginx_takes_the_configuration_without_a_word_of_warning(web):
    said = web.sh("nginx -t").stderr

    assert [line.partition(" file ")[2] for line in said.splitlines()] == [
        "/etc/nginx/nginx.conf syntax is ok",
        "/etc/nginx/nginx.conf test is successful",
    ]


def test_http_leads_to_https(web):
    answer = web.get("/ticket/WEB-1.html?x=1", site="http://localhost")

    assert (answer.status, answer.headers["location"]) == (301, "https://localhost/ticket/WEB-1.html?x=1")


def test_the_board_is_served_with_style_script_and_icon_by_their_types(web):
    answers = [web.get(path) for path in ("/", "/style.css", "/pco.js", "/icon.svg")]

    assert [answer.status for answer in answers] == [200] * 4
    assert "<!DOCTYPE html>" in answers[0].body
    assert [answer.headers["content-type"] for answer in answers] == [
        "text/html; charset=utf-8",
        "text/css; charset=utf-8",
        "application/javascript; charset=utf-8",
        "image/svg+xml; charset=utf-8",
    ]


KINDS = {
    "page": (200, "/", ()),
    "folder": (301, "/ticket", ()),
    "listing": (403, "/ticket/", ()),
    "nothing": (404, "/nothing.html", ()),
    "memory": (404, "/.built/now.json", ()),
    "memory in disguise": (404, "/%2ebuilt/now.json", ()),
    "way up": (400, "/../pco.yaml", ()),
    "unknown method": (405, "/", ("-X", "POST", "-d", "x=1")),
    "health": (200, "/health", ()),
    "metrics": (200, "/metrics", ()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_has_all_headers_and_none_lets_other_sites_read(kind, web):
    status, path, options = KINDS[kind]

    answer = web.get(path, "-H", "Origin: https://evil.example.org", *options)

    assert answer.status == status
    assert ALWAYS | {"strict-transport-security"} <= answer.headers.keys()
    assert answer.headers["server"] == "nginx"
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_what_leads_to_https_has_all_headers_too(web):
    answers = [
        web.get(path, *more, site="http://localhost")
        for path, more in (("/", ()), ("/", ("-X", "POST")), ("/.well-known/acme-challenge/nothing", ()))
    ]

    assert [answer.status for answer in answers] == [301, 405, 404]
    assert all(answer.headers.keys() >= ALWAYS for answer in answers)


def test_the_board_says_when_the_next_poll_is(web):
    def told() -> bool:
        value = json.loads(web.get("/health").body)
        return bool(value["next_poll"] and value["next_poll"] > value["last_poll"])

    web.pco.wait("a poll to come", told)
    web.pco.wait("that on the board", lambda: " · next <time " in web.get("/").body)


def test_the_pages_may_load_nothing_but_their_own_style_script_and_images(web):
    policy = dict(part.split(" ", 1) for part in web.get("/").headers["content-security-policy"].split("; "))

    assert [policy.pop(f"{kind}-src") for kind in ("script", "style", "img")] == ["'self'"] * 3
    assert set(policy) == {"default-src", "form-action", "base-uri", "frame-ancestors"}
    assert set(policy.values()) == {"'none'"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_only_reading_is_possible(method, web):
    assert web.get("/index.html", "-X", method).status == 405
    assert web.get("/health", "-X", method).status == 405


def test_a_page_can_be_asked_for_without_its_body(web):
    assert web.get("/", "-I").status == 200


def test_old_tls_is_refused_and_new_tls_spoken(web):
    def shaken(version: str) -> str:
        client = f"openssl s_client -connect localhost:443 -{version} -cipher ALL:@SECLEVEL=0 </dev/null 2>&1"
        return web.sh(client, code=None).stdout

    assert "alert protocol version" in shaken("tls1_1")
    assert "alert protocol version" in shaken("tls1")
    assert "Protocol  : TLSv1.2" in shaken("tls1_2")
    assert "TLSv1.3" in web.sh("openssl s_client -connect localhost:443 -tls1_3 </dev/null 2>&1").stdout


def test_the_certificate_is_for_this_machine_and_its_key_for_root_alone(web):
    told = web.sh(f"openssl x509 -in {MINE}/certificate.pem -noout -ext subjectAltName -checkend {800 * 86400}").stdout
    lasting = web.sh(f"openssl x509 -in {MINE}/certificate.pem -noout -checkend {826 * 86400}", code=None)
    files = web.sh(f"stat -c '%a %U %n' {MINE}/*.pem").stdout

    assert {"DNS:localhost", f"DNS:{web.pco.host.name}", "IP Address:127.0.0.1"} < set(re.split(r", |\s{2,}|\n", told))
    assert lasting.returncode == 1
    assert files == f"644 root {MINE}/certificate.pem\n600 root {MINE}/key.pem\n"


def test_as_shipped_only_this_machine_may_read(web):
    answers = {path: web.stranger(path).status for path in ("/", "/board.json", "/health", "/health.json", "/metrics")}

    assert set(answers.values()) == {403}
    assert web.stranger("/").headers.keys() >= ALWAYS
    assert web.get("/", "-k", "--interface", "127.0.0.2", site="https://127.0.0.2").status == 403
    assert web.get("/", "-k", "-g", site="https://[::1]").status == 200


def test_a_monitoring_system_is_let_in_to_health_and_metrics_alone(web):
    with web.edited("monitors", ("#allow 192.0.2.10;", f"allow {STRANGER};")):
        answers = {path: web.stranger(path).status for path in ("/health", "/metrics", "/", "/board.json")}

    assert answers == {"/health": 200, "/metrics": 200, "/": 403, "/board.json": 403}


def test_pages_can_ask_for_a_password(web):
    web.sh(f"printf 'anna:%s\\n' \"$(openssl passwd -6 secret)\" >{MINE}/users")
    web.sh(f"chown root:www-data {MINE}/users; chmod 640 {MINE}/users")
    wanted = '#auth_basic "pco";\n#auth_basic_user_file'
    with web.edited("access", (wanted, wanted.replace("#", ""))):
        answers = [web.get("/", *more) for more in ((), ("-u", "anna:wrong"), ("-u", "anna:secret"))]
        health = [web.get("/health", *more) for more in ((), ("-u", "anna:secret"))]

    assert [answer.status for answer in (*answers, *health)] == [401, 401, 200, 401, 200]
    assert answers[0].headers.keys() >= ALWAYS


def test_a_link_among_the_pages_is_not_followed(web):
    web.sh(f"ln -s /etc/hostname {WWW}/name.html; ln -s /etc {WWW}/etc")

    answers = [web.get(path) for path in ("/name.html", "/etc/hostname")]
    web.sh(f"rm {WWW}/name.html {WWW}/etc")

    assert [answer.status for answer in answers] == [403, 404]
    assert not [answer for answer in answers if web.pco.host.name in answer.body]


# Health.


def test_health_tells_what_monitoring_asks_for(web):
    answer = web.health(200)
    value = json.loads(answer.body)

    assert (value["status"], value["tmux_service"], value["reasons"]) == ("ok", "running", [])
    assert all(isinstance(value[f"{name}_count"], int) for name in ("pending", "active", "completed"))
    assert 0 <= value["ages"]["last_poll"] < 300
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize("alias", ["/health.json", "/ok.json"])
def test_health_has_one_answer_whatever_it_is_called(alias, web):
    assert (web.get(alias).status, json.loads(web.get(alias).body)["status"]) == (200, "ok")


def test_metrics_are_text_that_prometheus_reads(web):
    answer = web.get("/metrics")

    found = {family.name: family for family in text_string_to_metric_families(answer.body)}
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert found["pco_health"].samples[0].value == 1
    assert found["pco_last_poll_timestamp_seconds"].samples[0].labels == {"project": "WEB"}
    assert {"plane_pending_tickets", "plane_active_sessions", "plane_completed_tickets"} < found.keys()


def test_a_plane_that_is_silent_is_said_and_forgotten_when_it_speaks_again(web):
    web.pco.host.systemctl("stop", "plane.service")
    answer = web.health(503, "polls failed")
    web.pco.host.systemctl("start", "plane.service")
    web.health(200)

    value = json.loads(answer.body)
    assert value["status"] == "degraded"
    assert value["reasons"][0].startswith("WEB: the last ")
    assert answer.headers["retry-after"] == "60"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers.keys() >= ALWAYS


def test_polls_that_no_longer_come_are_said_though_nothing_wakes_pco(web):
    web.pco.host.systemctl("stop", "pco-poll.timer")
    web.configure("health: {disk_free: 0%, stale_after: 2s}\n")
    web.health(503, "no successful poll for")
    web.configure()
    web.pco.host.systemctl("start", "pco-poll.timer")

    assert web.health(200)


def test_a_unit_that_failed_is_said_until_somebody_has_dealt_with_it(web):
    web.pco.host.exec("systemd-run", "--quiet", "--unit=pco-broken", "false")
    web.draw()
    web.health(503, "pco-broken.service has failed")
    web.pco.host.systemctl("reset-failed", "pco-broken")
    web.draw()

    assert web.health(200)


def test_a_disk_that_is_nearly_full_is_said(web):
    web.configure("health: {disk_free: 99.99%}\n")
    web.health(503, "of the disk is free")
    web.configure()

    assert web.health(200)


def test_a_watcher_that_hangs_is_said(web):
    web.pco.host.systemctl("kill", "--signal=STOP", "pco-watch")
    web.sh("touch -d '3 minutes ago' /var/spool/pco/.watch.lock")
    web.draw()
    web.health(503, "pco-watch has done nothing for 3m")
    web.pco.host.systemctl("kill", "--signal=CONT", "pco-watch")
    web.sh("echo >/run/pco/trigger")
    web.draw()

    assert web.health(200)


def test_a_stopped_pco_is_not_well_once_its_word_is_old(web):
    with stopped(web):
        fresh = web.get("/health").status
        for name in ("ok.json", "health.json", "metrics.txt"):
            web.sh(f"touch -d '170 seconds ago' {WWW}/{name}")
        web.pco.host.systemctl("start", "pco-stale.service")
        still = web.get("/health").status
        web.sh(f"touch -d '181 seconds ago' {WWW}/ok.json {WWW}/health.json {WWW}/metrics.txt")
        answer = web.health(503)
        metrics = web.get("/metrics")
        timer = web.pco.host.show("pco-stale.timer", "ActiveState")["ActiveState"]

    assert (fresh, still, timer) == (200, 200, "active")
    assert json.loads(answer.body)["status"] == "stale"
    assert json.loads(answer.body)["pending_count"] is None
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["retry-after"] == "60"
    assert answer.headers.keys() >= ALWAYS
    assert metrics.status == 503
    assert web.get("/").status == 200


def test_a_word_from_the_future_is_not_believed(web):
    with stopped(web):
        web.sh(f"touch -d '1 hour' {WWW}/ok.json {WWW}/health.json")

        assert json.loads(web.health(503).body)["status"] == "stale"


def test_what_looks_for_old_words_needs_nothing_of_pco(web):
    with stopped(web):
        web.sh("mv /var/spool/pco /var/spool/away; mv /etc/pco/pco.yaml /etc/pco/away")
        web.sh(f"touch -d '4 minutes ago' {WWW}/ok.json {WWW}/health.json")
        answer = web.health(503, "stale")
        web.sh(f"mv {WWW} {WWW}.away")
        gone = web.get("/health").status
        web.pco.host.systemctl("start", "pco-stale.service")
        web.sh(f"mv {WWW}.away {WWW}; mv /var/spool/away /var/spool/pco; mv /etc/pco/away /etc/pco/pco.yaml")

    assert (answer.status, gone) == (503, 503)
    assert web.pco.host.show("pco-stale", "Result")["Result"] == "success"


@pytest.mark.parametrize("harm", ["rm {0}", "chmod 000 {0}", "ln -sf /etc/hostname {0}", "rm {0}; mkdir {0}"])
def test_a_word_that_cannot_be_read_is_no_good_word(harm, web):
    with stopped(web):
        for name in ("ok.json", "health.json"):
            web.sh(harm.format(f"{WWW}/{name}"))

        answer = web.get("/health")
        web.sh(f"rm -rf {WWW}/ok.json {WWW}/health.json")

    assert (answer.status, json.loads(answer.body)["status"]) == (503, "stale")
    assert answer.headers["retry-after"] == "60"


def test_after_a_power_cut_the_last_word_before_it_is_not_believed(web):
    with stopped(web):
        before = web.get("/health").status
        web.pco.host.systemctl("disable", "pco.target", "pco-dashboard.path", "pco-dashboard.timer")
        web.pco.host.cut()
        web.pco.host.start()
        answer = web.get("/health")
        web.pco.host.systemctl("enable", "pco.target")
        web.pco.host.exec("ip", "address", "add", f"{STRANGER}/32", "dev", "lo")

    assert (before, answer.status) == (200, 503)
    assert json.loads(answer.body)["status"] == "stale"


@contextmanager
def stopped(web: Web) -> Iterator[None]:
    """pco is stopped while it is well, and started again after all."""
    web.health(200)
    web.pco.host.systemctl("stop", "pco.target")
    web.pco.host.systemctl("stop", "pco-poll.service", "pco-dashboard.service")
    try:
        yield
    finally:
        web.pco.host.systemctl("start", "pco.target")
        web.health(200)


# Certificates, upgrades.


LIVE = "/etc/letsencrypt/live/pco.example.org"


@pytest.fixture
def renewed(web: Web) -> Iterator[str]:
    """A pair as certbot leaves it; gives its fingerprint.  The one made at install is served again afterwards."""
    web.sh(f"mkdir -p {LIVE} && {SHARE}/make-certificate {LIVE}")
    web.sh(f"cd {LIVE} && mv key.pem privkey.pem && mv certificate.pem fullchain.pem")
    yield web.sh(f"openssl x509 -in {LIVE}/fullchain.pem -noout -fingerprint -sha256").stdout
    web.sh(f"rm -r {LIVE}; cp {SHARE}/etc/certificate.inc {MINE}/certificate.inc")
    web.reload()


def test_certbots_hook_brings_its_certificate_into_use(web, renewed):
    before = web.certificate()

    web.sh(f"RENEWED_LINEAGE={LIVE} {SHARE}/certbot-deploy-hook")
    web.pco.wait("the new certificate", lambda: web.certificate() != before)

    assert web.certificate() == renewed
    assert web.sh(f"RENEWED_LINEAGE={LIVE} {SHARE}/certbot-deploy-hook").returncode == 0


def test_a_certificate_that_nginx_refuses_changes_nothing(web, renewed):
    before, include = web.certificate(), web.pco.host.read(f"{MINE}/certificate.inc")
    web.sh(f"echo nonsense >{LIVE}/fullchain.pem")
    lineages = (LIVE, "/etc/letsencrypt/live/none", "/etc; touch /hurt", "relative", "")

    codes = [
        web.sh(f"RENEWED_LINEAGE='{lineage}' {SHARE}/certbot-deploy-hook", code=None).returncode for lineage in lineages
    ]
    web.reload()

    assert 0 not in codes
    assert web.pco.host.read(f"{MINE}/certificate.inc") == include
    assert web.certificate() == before
    assert web.sh(f"ls {MINE}; ls -d /hurt", code=None).stdout.split() == [
        "access.inc",
        "certificate.inc",
        "certificate.pem",
        "key.pem",
        "monitors.inc",
        "names.inc",
        "users",
    ]


def test_a_second_install_keeps_what_was_edited_and_the_certificate(web):
    before = web.certificate()
    with web.edited("access", ("#allow 192.0.2.0/24;", f"allow {STRANGER};")):
        web.pco.install()
        web.reload()
        let_in = web.stranger("/").status

    assert let_in == 200
    assert web.certificate() == before


def test_an_uninstall_leaves_an_nginx_that_starts(web):
    web.pco.host.exec("make", "-C", "/src", "uninstall")

    web.reload()

    assert web.sh("curl -s -o /dev/null -w '%{http_code}' http://localhost/").stdout == "200"
    assert "allow 127.0.0.1;" in web.pco.host.read(f"{MINE}/access.inc")
