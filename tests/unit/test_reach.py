"""Whether the user of a session could run a program."""

import os
import re
import tempfile
from pathlib import Path

import pytest

from pco.outside import reach
from support import TOP


@pytest.fixture
def place(monkeypatch):
    """A folder that everybody reaches, as if it were not in /tmp."""
    monkeypatch.setattr(reach, "HIDDEN", ("/home", "/root"))
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder).resolve()


def a_file(path, mode=0o755, content=b"#!/bin/sh\n"):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_program_that_everybody_may_run_is_in_nobodys_way(place):
    assert reach.obstacle(a_file(place / "bin" / "claude")) == ""


def test_a_folder_that_not_everybody_may_pass_through_is_named(place):
    program = a_file(place / "bin" / "claude")
    program.parent.chmod(0o750)

    assert reach.obstacle(program) == f"only some users may pass through {place}/bin (mode 0750)"


@pytest.mark.parametrize(
    ("mode", "content", "runs"),
    [
        (0o755, b"#!/bin/sh\n", True),
        (0o711, b"#!/bin/sh\n", False),
        (0o711, b"\x7fELF...", True),
        (0o750, b"\x7fELF...", False),
    ],
)
def test_a_script_must_be_read_and_a_native_program_only_run(place, mode, content, runs):
    program = a_file(place / "claude", mode, content)

    assert (reach.obstacle(program) == "") is runs


def test_a_link_counts_with_where_it_leads(place):
    (place / "link").symlink_to("private/../private/claude")
    a_file(place / "private" / "claude")
    assert reach.obstacle(place / "link") == ""

    (place / "private").chmod(0o700)

    assert reach.obstacle(place / "link") == f"only some users may pass through {place}/private (mode 0700)"


def test_a_link_into_a_hidden_folder_is_told_as_one(place, monkeypatch):
    monkeypatch.setattr(reach, "HIDDEN", (f"{place}/home",))
    a_file(place / "home" / "claude")
    (place / "claude").symlink_to(place / "home" / "claude")

    found = reach.obstacle(place / "claude")

    assert found == f"sessions do not see what is under {place}/home, and there {place}/claude leads"
    assert reach.obstacle(place / "home" / "claude") == f"sessions do not see what is under {place}/home"


def test_links_in_a_circle_end_and_what_is_not_there_is_an_error(place):
    (place / "a").symlink_to("b")
    (place / "b").symlink_to("a")

    for name in ("a", "nothing"):
        with pytest.raises(OSError):
            reach.obstacle(place / name)


def test_all_that_the_unit_of_a_session_hides_is_known():
    unit = (TOP / "systemd" / "pco-session@.service").read_text()
    (line,) = re.findall(r"^TemporaryFileSystem=(.+)$", unit, re.M)
    hidden = [word.partition(":")[0] for word in line.split()]

    for line in ("ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes"):
        assert f"\n{line}\n" in unit
    hidden += ["/home", "/root", "/run/user", "/tmp", "/var/tmp", "/dev"]
    known = [Path(folder) for folder in reach.HIDDEN]
    assert [path for path in hidden if not any(Path(path).is_relative_to(folder) for folder in known)] == []
