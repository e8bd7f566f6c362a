"""Who is behind a program: users of this machine that every Debian has stand for people."""

import pytest

from pco.ground.caller import Caller, caller, logged_in

ROOT, DAEMON, BIN = 0, 1, 2


@pytest.mark.parametrize(
    ("login", "user", "sudo_user", "found"),
    [
        # Nobody logged in: a service, a container.
        (None, DAEMON, "", Caller("daemon")),
        (None, ROOT, "", Caller("root")),
        (None, ROOT, "bin", Caller("bin", "root")),
        (None, DAEMON, "bin", Caller("daemon")),  # anybody can say so
        # By a login.
        (DAEMON, DAEMON, "", Caller("daemon")),
        (DAEMON, DAEMON, "bin", Caller("daemon")),
        (DAEMON, ROOT, "", Caller("daemon", "root")),  # su -
        (DAEMON, ROOT, "daemon", Caller("daemon", "root")),  # sudo
        (DAEMON, BIN, "daemon", Caller("daemon", "bin")),  # sudo -u bin
        (DAEMON, ROOT, "bin", Caller("daemon", "root, by sudo of bin")),  # su bin, and sudo then
        (ROOT, ROOT, "bin", Caller("root", "root, by sudo of bin")),
        (ROOT, DAEMON, "", Caller("root", "daemon")),
        # Without a name.
        (54321, DAEMON, "", Caller("54321", "daemon")),
        (None, 54321, "", Caller("54321")),
    ],
)
def test_the_person_is_who_logged_in_and_how_they_became_another_is_told(login, user, sudo_user, found):
    assert caller(login, user, sudo_user) == found


@pytest.mark.parametrize(("said", "found"), [("1000", 1000), ("0\n", 0), ("4294967295", None), ("", None), ("x", None)])
def test_a_login_that_is_not_set_is_none(tmp_path, said, found):
    (tmp_path / "loginuid").write_text(said)

    assert logged_in(tmp_path / "loginuid") == found


def test_a_kernel_that_says_nothing_is_no_error(tmp_path):
    assert logged_in(tmp_path / "loginuid") is None
