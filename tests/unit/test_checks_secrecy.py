"""The boxes about secrets, and about the level and the rotation of logs: what stands in files."""

import os
from pathlib import Path

import pytest

from checking import Status, look, put, site
from pco.checks import Site
from sessions import git
from support import bound

TOKEN = "plane_api_0123456789abcdef0123456789abcdef"
OTHER = "known-to-nobody-else"


def kept(top: Path) -> Site:
    """A pco with credentials, all of them private."""
    where = site(top)
    put(top, "/etc/pco/credentials/plane-token", f"{TOKEN}\n", 0o600)
    put(top, "/etc/pco/credentials/agent", f"{OTHER}\n", 0o600)
    (top / "etc/pco/credentials").chmod(0o700)
    for path in (top / "pco").iterdir():
        path.chmod(0o750)
    return where


@pytest.mark.box("6.1", "well")
def test_credentials_for_root_alone_are_well(tmp_path):
    found = look(kept(tmp_path), "6.1")

    assert (found.status, "credentials/agent 0600" in found.evidence) == (Status.OK, True)


OPEN = {
    "a credential": ("etc/pco/credentials/plane-token", 0o644, "sudo chmod 600 "),
    "their folder": ("etc/pco/credentials", 0o750, "sudo chmod 700 "),
    "the spool": ("pco/spool", 0o755, "sudo chmod o-rwx "),
    "what sessions wrote": ("pco/sessions", 0o755, "sudo chmod o-rwx "),
    "the configuration": ("etc/pco/pco.yaml", 0o664, "sudo chmod go-w "),
}


@pytest.mark.parametrize("kind", OPEN)
@pytest.mark.box("6.1", "ill")
def test_what_others_may_read_or_change_is_named_with_what_closes_it(tmp_path, kind):
    path, mode, mend = OPEN[kind]
    where = kept(tmp_path)
    (tmp_path / path).chmod(mode)

    found = look(where, "6.1")

    assert (found.status, found.evidence) == (Status.FAIL, f"{tmp_path / path} has mode {mode:04o}")
    assert found.mend == f"{mend}{tmp_path / path}"


def test_a_mended_mode_is_well_again(tmp_path):
    where = kept(tmp_path)
    (tmp_path / "etc/pco/credentials/agent").chmod(0o666)

    os.system(look(where, "6.1").mend.removeprefix("sudo "))

    assert look(where, "6.1").status is Status.OK


def test_a_credential_that_is_a_link_is_a_warning(tmp_path):
    where = kept(tmp_path)
    (tmp_path / "etc/pco/credentials/agent").unlink()
    (tmp_path / "etc/pco/credentials/agent").symlink_to("/etc/hostname")

    assert look(where, "6.1").status is Status.WARN


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_credential_of_somebody_else_is_named_with_its_owner(tmp_path):
    where = kept(tmp_path)
    os.chown(tmp_path / "etc/pco/credentials/agent", 65534, -1)

    assert look(where, "6.1").evidence.endswith("credentials/agent belongs to nobody")


def versioned(top: Path, folder: str, *paths: str) -> Site:
    """A repository of this folder that tracks these files in it."""
    where = kept(top)
    git("init", "-q", cwd=top / folder)
    git("add", "-f", *paths, cwd=top / folder)
    return where


@pytest.mark.box("6.2", "well")
@pytest.mark.parametrize("folder", ["etc/pco", "etc"])
def test_a_repository_of_the_configuration_alone_is_well(tmp_path, folder):
    put(tmp_path, "/etc/ssl/private/host.key", "-----BEGIN PRIVATE KEY-----\n")
    path = "pco.yaml" if folder == "etc/pco" else "pco/pco.yaml"
    where = versioned(tmp_path, folder, path, *(["ssl"] if folder == "etc" else []))

    assert look(where, "6.2").status is Status.OK


def test_no_repository_is_well(tmp_path):
    assert look(kept(tmp_path), "6.2").evidence == "/etc/pco is under no version control"


@pytest.mark.box("6.2", "ill")
@pytest.mark.parametrize(("folder", "path"), [("etc/pco", "credentials/agent"), ("etc", "pco/credentials/agent")])
def test_a_repository_that_tracks_a_credential_is_named(tmp_path, folder, path):
    found = look(versioned(tmp_path, folder, path), "6.2")

    assert (found.status, found.evidence) == (Status.FAIL, f"{tmp_path / folder} tracks {path}")


def test_a_tracked_file_with_a_token_in_it_is_named(tmp_path):
    put(tmp_path, "/etc/pco/hooks.d/moved/tell", f"#!/bin/sh\ncurl -H 'X-API-Key: {TOKEN}'\n")

    found = look(versioned(tmp_path, "etc/pco", "hooks.d"), "6.2")

    assert found.evidence.endswith("tracks hooks.d/moved/tell") and TOKEN not in found.evidence


@pytest.mark.box("6.4", "well")
def test_a_configuration_without_secrets_is_well(tmp_path):
    where = kept(tmp_path)
    put(tmp_path, "/etc/systemd/system/pco-poll.service.d/own.conf", "[Service]\nEnvironment=PCO_LOG_LEVEL=info\n")

    assert look(where, "6.4").evidence == "2 files, nothing like a secret"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/pco/pco.yaml.d/more.yaml",
        "/etc/pco/hooks.d/moved/tell",
        "/etc/systemd/system/pco-poll.service.d/own.conf",
        "/etc/systemd/system/pco-own.service",
    ],
)
@pytest.mark.parametrize("secret", [TOKEN, OTHER, "https://me:hunter2@git.example.org"])
@pytest.mark.box("6.4", "ill")
def test_a_secret_in_the_configuration_is_named_by_its_line_and_not_repeated(tmp_path, path, secret):
    where = kept(tmp_path)
    put(tmp_path, path, f"# mine\nx: {secret}\n")

    found = look(where, "6.4")

    assert (found.status, f"{path}:2: " in found.evidence) == (Status.FAIL, True)
    assert secret not in f"{found}"


def test_what_may_not_be_read_is_not_called_clean(tmp_path):
    where = kept(tmp_path)
    put(tmp_path, "/etc/pco/hooks.d/moved/tell", "x", 0o000)

    with bound():
        assert look(where, "6.4").status is Status.UNSEEN


# Levels and rotation.


@pytest.mark.box("7.2", "well")
def test_a_pco_that_logs_at_info_is_well(tmp_path):
    put(tmp_path, "/etc/systemd/system/pco-poll.service.d/own.conf", "[Service]\n#Environment=PCO_LOG_LEVEL=debug\n")

    assert look(site(tmp_path), "7.2").evidence == "log.level is info; no unit has another"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("Environment=PCO_LOG_LEVEL=debug", Status.FAIL),
        ('Environment="PCO_LOG_LEVEL=debug"', Status.FAIL),
        ("Environment=A=b PCO_LOG_LEVEL=error", Status.WARN),
        ("LogLevelMax=err", Status.WARN),
        ("LogLevelMax=info", Status.OK),
    ],
)
@pytest.mark.parametrize("folder", ["/etc/systemd/system/pco-post.service.d", "/run/systemd/system/pco-.service.d"])
def test_a_drop_in_with_another_level_is_named_and_mended(tmp_path, line, status, folder):
    path = put(tmp_path, f"{folder}/own.conf", f"[Service]\n{line}\nNice=1\n")

    found = look(site(tmp_path), "7.2")

    assert found.status is status
    if status is not Status.OK:
        os.system(found.mend.removeprefix("sudo ").partition(" && ")[0])
        assert path.read_text() == "[Service]\nNice=1\n"


@pytest.mark.box("7.2", "ill")
def test_a_configuration_that_logs_all_is_mended_by_a_drop_in(tmp_path):
    found = look(site(tmp_path, log={"level": "debug"}), "7.2")

    assert found.status is Status.FAIL
    os.system(found.mend.replace("sudo ", ""))
    assert (tmp_path / "etc/pco/pco.yaml.d/zz-log-level.yaml").read_text() == "log: {level: info}\n"


RULE = "/var/log/nginx/*.log {\n\tdaily\n}\n"


def rotating(top: Path, rule: str = RULE, program: bool = True) -> Site:
    """A machine with nginx, and with logrotate or not."""
    put(top, "/etc/nginx/sites-enabled/pco", "server {}\n")
    put(top, "/etc/logrotate.d/nginx", rule)
    if program:
        put(top, "/usr/sbin/logrotate", "#!/bin/sh\n", 0o755)
    return site(top)


@pytest.mark.box("7.3", "well")
def test_logs_of_nginx_that_are_rotated_are_well(tmp_path):
    assert look(rotating(tmp_path), "7.3").evidence == "nginx of logrotate"


@pytest.mark.box("7.3", "ill")
def test_logs_of_nginx_that_nothing_rotates_are_ill(tmp_path):
    assert look(rotating(tmp_path, "/var/log/other {\n}\n"), "7.3").status is Status.FAIL
    assert look(rotating(tmp_path / "2", program=False), "7.3").evidence == "logrotate is not installed"


def test_without_nginx_there_are_no_logs_of_it(tmp_path):
    assert look(site(tmp_path), "7.3").status is Status.NOT_APPLICABLE
