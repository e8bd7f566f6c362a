"""The boxes about the dashboard: as this machine serves it, and as its readers see it from another one."""

import gzip
import ssl
from datetime import timedelta
from pathlib import Path

import pytest

import checking
from checking import NOW, Status, look, note, put, site
from pco.checks import Finding, Site, remote
from servers import Authority, Pages, Pair, Server, closed_port, serving

HSTS = {"Strict-Transport-Security": "max-age=31536000"}
POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'self'"}
GOOD = HSTS | POLICY
AT_NOON = "[22/Nov/2026:11:{:02}:00 +0000]"
LOCAL, FOREIGN = "127.0.0.1", "10.11.12.13"
OPEN = "allow 127.0.0.1;\nallow ::1;\n{}\ndeny all;\n"


def serves(top: Path, port: int = 443, access: str = OPEN.format("")) -> None:
    """nginx's configuration, as `make install` and the one command leave it; served as `localhost` would not tell."""
    conf = put(top, "/usr/share/pco/nginx/pco.conf", f"server {{\n    listen 80;\n    listen {port} ssl;\n}}\n")
    link = top / "etc/nginx/sites-enabled/pco"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(conf)
    put(top, "/etc/pco/nginx/names.inc", "# those\nserver_name $hostname localhost pco.example.org;\n")
    put(top, "/etc/pco/nginx/access.inc", access)


def served(top: Path, pair: Pair, pages: Pages, server: Server, authority: Authority) -> Site:
    """A dashboard that is served from here."""
    serves(top, server.port)
    return site(top, authority.today)


@pytest.mark.parametrize("id", ["3.1", "3.3", "3.4", "4.2", "5.1", "8.1", "18.3", "23.5"])
def test_where_it_is_not_served_from_nothing_is_asked_for(tmp_path, id):
    assert look(site(tmp_path), id).status is Status.NOT_APPLICABLE


@pytest.mark.box("3.1", "well")
@pytest.mark.box("3.3", "well")
@pytest.mark.box("3.4", "well")
@pytest.mark.box("4.2", "well")
@pytest.mark.box("1.6", "well")
def test_a_dashboard_as_it_should_be_is_well_and_asked_by_its_own_name(tmp_path, authority):
    pages = Pages(headers=GOOD)
    with serving(pages, pair := authority.signs("pco.example.org")) as server:
        where = served(tmp_path, pair, pages, server, authority)
        found = {id: look(where, id) for id in ("1.6", "3.1", "3.3", "3.4", "4.2")}

    assert {finding.status for finding in found.values()} == {Status.OK}
    assert "signed by Test Authority" in found["3.1"].evidence
    assert "TLSv1.3" in found["3.4"].evidence and "max-age" in found["3.4"].evidence
    assert set(pages.asked) == {f"pco.example.org:{server.port}"}


@pytest.mark.box("3.1", "ill")
@pytest.mark.box("1.6", "ill")
def test_a_certificate_that_is_signed_by_itself_is_ill(tmp_path, authority):
    pages = Pages(headers=GOOD)
    with serving(pages, pair := authority.itself("pco.example.org")) as server:
        where = served(tmp_path, pair, pages, server, authority)
        found, other = look(where, "3.1"), look(where, "1.6")

    assert found.status is other.status is Status.FAIL
    hook = tmp_path / "usr/share/pco/nginx/certbot-deploy-hook"
    asked = "sudo certbot certonly --webroot -w /var/www/html -d pco.example.org --deploy-hook"
    assert found.mend == other.mend == f"{asked} {hook}"


@pytest.mark.box("3.3", "ill")
def test_a_certificate_that_nothing_renews_is_ill_once_it_ends_soon(tmp_path, authority):
    pages = Pages()
    with serving(pages, pair := authority.signs("pco.example.org", days=40)) as server:
        found = look(served(tmp_path, pair, pages, server, authority), "3.3")

    assert (found.status, found.evidence) == (Status.FAIL, "nothing renews it, and 39 days are left")


@pytest.mark.box("3.4", "ill")
def test_an_old_version_of_tls_is_ill(tmp_path, authority):
    pages = Pages(headers=GOOD)
    with serving(pages, pair := authority.signs("pco.example.org"), ssl.TLSVersion.TLSv1_1) as server:
        found = look(served(tmp_path, pair, pages, server, authority), "3.4")

    assert found.status is Status.FAIL and found.evidence.startswith("it still talks TLS 1.1: TLSv1.3")


@pytest.mark.box("3.4", "ill")
def test_that_browsers_are_not_told_to_insist_on_tls_is_a_warning(tmp_path, authority):
    pages = Pages()
    with serving(pages, pair := authority.signs("pco.example.org")) as server:
        found = look(served(tmp_path, pair, pages, server, authority), "3.4")

    assert (found.status, found.evidence.endswith("HSTS is missing")) == (Status.WARN, True)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Access-Control-Allow-Origin": "*"}, "Access-Control-Allow-Origin: *"),
        ({"Content-Security-Policy": "default-src *"}, "Content-Security-Policy: default-src *"),
        ({}, "Content-Security-Policy: is missing"),
    ],
)
@pytest.mark.box("4.2", "ill")
def test_a_page_that_other_sites_may_read_is_ill(tmp_path, authority, headers, words):
    pages = Pages(headers=headers)
    with serving(pages, pair := authority.signs("pco.example.org")) as server:
        found = look(served(tmp_path, pair, pages, server, authority), "4.2")

    assert (found.status, found.evidence) == (Status.FAIL, words)


def test_an_nginx_that_does_not_answer_is_told_how_to_start(tmp_path):
    serves(tmp_path, closed_port())

    found = look(site(tmp_path), "3.1")

    assert (found.status, found.mend) == (Status.FAIL, "sudo nginx -t && sudo systemctl restart nginx")


PASSWORD = 'auth_basic "pco";\nauth_basic_user_file /etc/pco/nginx/users;\n'
READERS = {
    "as shipped": (OPEN.format("#allow 10.0.0.0/8;"), Status.WARN, "this machine alone"),
    "an office": (OPEN.format("allow 192.0.2.0/24;"), Status.OK, "192.0.2.0/24 may read it, without a password"),
    "an office with a password": (OPEN.format("allow 192.0.2.0/24;") + PASSWORD, Status.OK, "with a password"),
    "an office or a password": (
        OPEN.format("allow 192.0.2.0/24;") + PASSWORD + "satisfy any;",
        Status.OK,
        "192.0.2.0/24 may read it, without a password; others with one",
    ),
    "a continent": (OPEN.format("allow 11.0.0.0/8;"), Status.WARN, "11.0.0.0/8 is a large network"),
    "everybody": ("allow all;\n", Status.FAIL, "everybody may read it"),
    "no rule": ("# none\n", Status.FAIL, "everybody may read it"),
    "everybody with a password": (PASSWORD, Status.OK, "from everywhere, with a password"),
    "everybody or a password": ("allow all;\nsatisfy any;\n" + PASSWORD, Status.FAIL, "everybody may read it"),
    "a password switched off": ('auth_basic "off";\n', Status.FAIL, "everybody may read it"),
}


@pytest.mark.parametrize("kind", READERS)
def test_who_may_read_it_is_told(tmp_path, kind):
    access, status, words = READERS[kind]
    serves(tmp_path, access=access)

    found = look(site(tmp_path), "5.1")

    assert (found.status, words in found.evidence) == (status, True), found


@pytest.mark.box("5.1", "ill")
def test_a_dashboard_for_everybody_is_ill(tmp_path):
    serves(tmp_path, access="allow all;")

    assert "sudoedit /etc/pco/nginx/access.inc" in look(site(tmp_path), "5.1").mend


@pytest.mark.box("5.1", "well")
def test_a_dashboard_for_an_office_is_well(tmp_path):
    serves(tmp_path, access=OPEN.format("allow 192.0.2.0/24;"))

    look(site(tmp_path), "5.1")


# Who asked, by nginx's log.


def logged(top: Path, *lines: tuple[str, str, int, int], name: str = "access.log") -> None:
    """A log of nginx: who, path, status, minute after eleven."""
    text = "".join(
        f'{who} - - {AT_NOON.format(at)} "GET {path} HTTP/1.1" {code} 9 "-" "x"\n' for who, path, code, at in lines
    )
    put(top, f"/var/log/nginx/{name}", text)


@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.box("8.1", "well")
def test_who_asks_for_health_from_outside_is_named(tmp_path, status):
    serves(tmp_path)
    logged(tmp_path, (FOREIGN, "/health", status, 50), (LOCAL, "/health", 200, 59))

    found = look(site(tmp_path), "8.1")

    assert (found.status, found.evidence) == (Status.OK, f"10.11.12.13 asked /health 10m ago ({status})")


@pytest.mark.parametrize(
    "lines",
    [
        ((LOCAL, "/health", 200, 59), ("::1", "/health", 200, 58)),
        ((FOREIGN, "/", 200, 50),),
        ((FOREIGN, "/health", 403, 50),),
        (),
    ],
)
@pytest.mark.box("8.1", "ill")
def test_that_nobody_asks_for_health_from_outside_is_ill(tmp_path, lines):
    serves(tmp_path)
    logged(tmp_path, *lines)

    assert look(site(tmp_path), "8.1").evidence == "nobody asked for /health from outside within 1h"


def test_what_was_asked_too_long_ago_does_not_count(tmp_path):
    serves(tmp_path)
    logged(tmp_path, (FOREIGN, "/health", 200, 50))

    assert look(site(tmp_path, NOW + timedelta(hours=1)), "8.1").status is Status.WARN


@pytest.mark.box("18.3", "well")
def test_what_was_asked_before_the_log_was_rotated_counts(tmp_path):
    serves(tmp_path)
    logged(tmp_path)
    logged(tmp_path, (LOCAL, "/", 200, 20), name="access.log.1")
    logged(tmp_path, (FOREIGN, "/?x", 200, 10), name="old")
    packed = tmp_path / "var/log/nginx/access.log.2.gz"
    packed.write_bytes(gzip.compress((tmp_path / "var/log/nginx/old").read_bytes()))

    assert "10.11.12.13 asked /" in look(site(tmp_path), "18.3").evidence


@pytest.mark.box("18.3", "ill")
def test_a_board_that_nobody_read_from_outside_is_ill(tmp_path):
    serves(tmp_path)
    logged(tmp_path, (LOCAL, "/", 200, 20), (FOREIGN, "/health", 200, 20))
    put(tmp_path, "/var/log/nginx/access.log.2.gz", "torn")

    assert look(site(tmp_path), "18.3").status is Status.WARN


@pytest.mark.box("23.5", "well")
def test_metrics_may_be_read_from_this_machine(tmp_path):
    serves(tmp_path)
    logged(tmp_path, (LOCAL, "/metrics", 200, 58))

    assert look(site(tmp_path), "23.5").status is Status.OK


@pytest.mark.box("23.5", "ill")
def test_metrics_that_nobody_reads_are_ill(tmp_path):
    serves(tmp_path)
    logged(tmp_path, (LOCAL, "/metrics", 200, 50))

    assert look(site(tmp_path), "23.5").evidence == "nobody asked for /metrics within 5m"


def test_a_log_of_another_form_is_not_taken_for_silence(tmp_path):
    serves(tmp_path)
    put(tmp_path, "/var/log/nginx/access.log", '{"client": "10.11.12.13"}\n' * 500)

    found = look(site(tmp_path), "8.1")

    assert (found.status, "a form of its own" in found.evidence) == (Status.UNSEEN, True)


def test_who_only_sends_something_does_not_make_the_log_another_form(tmp_path):
    serves(tmp_path)
    logged(tmp_path, (FOREIGN, "/health", 200, 20))
    path = tmp_path / "var/log/nginx/access.log"
    (line,) = path.read_text().splitlines()
    path.write_text(f"{line}\n" + f"{line.replace('GET', 'POST')}\n" * 500)

    assert look(site(tmp_path), "8.1").status is Status.OK


# From another machine.


def asked(url: str, authority: Authority) -> dict[str, Finding]:
    """What `pco-doctor --url` finds."""
    found = remote.look(url, authority.today, 3.0)
    for id, finding in found.items():
        note(id, finding)
    return found


def test_from_another_machine_all_is_well(authority):
    pages = Pages(headers=GOOD, paths={"/health": Pages(body='{"status": "ok", "reasons": []}')})
    with serving(pages, authority.signs("localhost")) as server:
        found = asked(server.url, authority)

    assert {id: finding.status for id, finding in found.items()} == dict.fromkeys(
        ("1.6", "3.1", "3.4", "4.2", "8.2", "18.3"), Status.OK
    )


HEALTH = {
    "ill": (Pages(503, body='{"reasons": ["Plane is silent"]}'), Status.WARN, "Plane is silent"),
    "closed": (Pages(403), Status.WARN, "closed for this machine"),
    "nothing": (Pages(404), Status.FAIL, "answers 404"),
    "noise": (Pages(503, body="[" * 5000), Status.WARN, "without reasons"),
}


@pytest.mark.parametrize("kind", HEALTH)
def test_from_another_machine_what_health_says_is_told(authority, kind):
    page, status, words = HEALTH[kind]
    with serving(Pages(headers=GOOD, paths={"/health": page})) as server:
        found = asked(server.url, authority)

    assert (found["8.2"].status, words in found["8.2"].evidence) == (status, True)
    assert found["3.1"].status is Status.FAIL  # there was no TLS


def test_from_another_machine_one_that_is_closed_or_gone_is_told_apart(authority):
    with serving(Pages(403, headers=GOOD), authority.signs("localhost")) as server:
        found = asked(server.url, authority)
    gone = asked(f"https://localhost:{closed_port()}", authority)

    assert (found["18.3"].status, found["4.2"].status) == (Status.WARN, Status.OK)
    assert {finding.status for finding in gone.values()} == {Status.FAIL}


@pytest.mark.parametrize("kind", ["itself", "late"])
def test_from_another_machine_a_bad_certificate_does_not_hide_the_rest(authority, kind):
    pair = authority.itself("localhost") if kind == "itself" else authority.signs("localhost", days=-1)
    with serving(Pages(headers=GOOD), pair) as server:
        found = asked(server.url, authority)

    assert found["1.6"].status is Status.FAIL
    assert (found["3.1"].status is Status.FAIL) == (kind == "itself")
    assert found["18.3"].status is Status.OK


def test_each_finding_from_another_machine_is_one_of_a_known_box(authority):
    assert set(asked(f"http://localhost:{closed_port()}", authority)) <= set(checking.BY_ID)
