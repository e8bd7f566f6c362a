"""The installed units, as systemd judges them."""

from collections.abc import Iterator

import pytest
from host import Host
from installed import UNITS, Installed

FOLDER = "/usr/local/lib/systemd/system"


@pytest.fixture(scope="module")
def pco(host: Host) -> Iterator[Installed]:
    pco = Installed(host)
    pco.install()
    yield pco
    host.exec("make", "-C", "/src", "uninstall")


def test_systemd_finds_nothing_to_complain_about(pco):
    units = [
        path.name for path in UNITS.iterdir() if path.suffix in (".target", ".slice", ".timer", ".path", ".service")
    ]

    done = pco.host.exec("systemd-analyze", "verify", "--recursive-errors=yes", *(f"{FOLDER}/{unit}" for unit in units))

    assert len(units) >= 14
    assert done.stdout + done.stderr == ""


def test_a_fresh_install_starts_nothing_and_says_who_may_use_it(pco):
    enabled = pco.host.systemctl("list-unit-files", "--state=enabled", "--no-legend", "pco*", code=None)

    assert enabled == ""
    assert pco.host.exec(
        "stat", "-c", "%A %U:%G", "/var/spool/pco", "/etc/pco/credentials", "/run/pco/trigger"
    ).stdout == ("drwxr-x--- root:pco\ndrwx------ root:root\nprw--w--w- pco:pco\n")


def test_without_a_token_the_target_comes_up_and_nothing_fails(pco):
    pco.host.systemctl("enable", "--now", "pco.target")

    state = pco.host.systemctl("is-active", "pco.target", "pco-watch.service", "pco-poll.timer", "pco-post.path")
    failed = pco.failed()
    pco.host.systemctl("disable", "--now", "pco.target", "pco-watch.service", "pco-dashboard.path")

    assert state.split() == ["active", "active", "inactive", "inactive"]
    assert failed == ""


def test_an_edited_configuration_survives_a_second_install_and_an_uninstall(pco):
    pco.host.write("/etc/pco/pco.yaml", "# mine\n")

    pco.install()
    pco.host.exec("make", "-C", "/src", "uninstall")
    kept = pco.host.read("/etc/pco/pco.yaml")
    left = pco.host.exec(
        "find", "/usr/local", "/etc/systemd", "/etc/polkit-1", "-regex", ".*/\\(50-\\|80-\\)?pco[^/]*"
    ).stdout
    pco.host.exec("rm", "/etc/pco/pco.yaml")
    pco.install()

    assert kept == "# mine\n"
    assert left == ""
    assert pco.host.exec("test", "-d", "/var/spool/pco/pending")
