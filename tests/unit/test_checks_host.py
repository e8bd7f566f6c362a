"""The boxes about the machine: versions, memory, disks, the way to Plane, certificates."""

from dataclasses import replace
from pathlib import Path

import pytest

from checking import Status, look, put, site
from servers import Pages, closed_port, serving

MEMINFO = "MemTotal: {} kB\nMemFree: 1 kB\nMemAvailable: {} kB\n"
GIB = 1 << 20  # in kB


def programs(top: Path, **said: str) -> None:
    """Small programs that tell their version."""
    for name, words in {"git": "git version 2.39.5", "tmux": "tmux 3.3a", "agent": "1", **said}.items():
        put(top, f"/usr/bin/{name}", f"#!/bin/sh\necho '{words}'\n", 0o755)


def claude(top: Path, version: str) -> dict[str, object]:
    """A configuration with a Claude Code that says it is of this version."""
    program = put(top, "/opt/claude", f"#!/bin/sh\necho '{version} (Claude Code)'\n", 0o755)
    return {"claude": {"program": str(program)}}


@pytest.mark.box("1.1", "well")
def test_versions_within_the_range_are_shown(tmp_path):
    programs(tmp_path)

    found = look(site(tmp_path, sessions={"command": ["/usr/bin/agent"]}), "1.1")

    assert found.status is Status.OK
    assert "git 2.39; tmux 3.3; agent /usr/bin/agent" in found.evidence


@pytest.mark.parametrize(
    ("said", "words", "mend"),
    [
        ({"git": "git version 2.30.2"}, "git 2.30 is too old", "sudo apt-get install git"),
        ({"tmux": "tmux 2.9"}, "tmux 2.9 is too old", "sudo apt-get install tmux"),
        ({"tmux": "tmux next-3.4"}, "", ""),
    ],
)
def test_a_program_that_is_too_old_is_named(tmp_path, said, words, mend):
    programs(tmp_path, **said)

    found = look(site(tmp_path, sessions={"command": ["agent"]}), "1.1")

    assert (found.status is Status.FAIL) == bool(words)
    assert (found.evidence, found.mend) == (words, mend) if words else "tmux 3.4" in found.evidence


@pytest.mark.box("1.1", "ill")
def test_a_program_that_is_missing_is_named(tmp_path):
    programs(tmp_path)
    (tmp_path / "usr/bin/tmux").unlink()

    assert look(site(tmp_path, sessions={"command": ["agent"]}), "1.1").evidence == "tmux is not installed"


@pytest.mark.parametrize("command", ["/usr/bin/no-agent", "no-agent"])
def test_an_agent_that_is_missing_is_named(tmp_path, command):
    programs(tmp_path)

    found = look(site(tmp_path, sessions={"command": [command]}), "1.1")

    assert (found.status, found.evidence) == (Status.FAIL, f"the agent's program {command} is not there")


def test_an_agent_that_sessions_do_not_see_is_named(tmp_path):
    programs(tmp_path)  # below /tmp
    agent = put(tmp_path, "/usr/bin/hidden", "#!/bin/sh", 0o755)

    found = look(replace(site(tmp_path, sessions={"command": ["/usr/bin/hidden"]}), systemd=True), "1.1")

    assert (found.status, found.evidence) == (Status.FAIL, f"{agent}: sessions do not see what is under /tmp")


@pytest.mark.parametrize(
    ("version", "status"), [("2.1.330", Status.OK), ("2.1.200", Status.FAIL), ("2.9.0", Status.WARN)]
)
def test_claude_code_is_held_against_what_was_tested(tmp_path, version, status):
    programs(tmp_path)

    found = look(site(tmp_path, **claude(tmp_path, version)), "1.1")

    assert (found.status, version in found.evidence) == (status, True)


@pytest.mark.box("1.3", "well")
def test_memory_for_the_tools_and_all_sessions_is_enough(tmp_path):
    put(tmp_path, "/proc/meminfo", MEMINFO.format(8 * GIB, 6 * GIB))

    found = look(site(tmp_path), "1.3")

    assert (found.status, found.evidence.split(";")[0]) == (Status.OK, "6.0 GiB of 8.0 GiB available")


@pytest.mark.box("1.3", "ill")
def test_too_little_memory_is_mended_by_the_limit_that_fits(tmp_path):
    put(tmp_path, "/proc/meminfo", MEMINFO.format(2 * GIB, 2 * GIB))

    found = look(site(tmp_path), "1.3")

    assert found.status is Status.FAIL
    assert found.mend.startswith("echo 'sessions: {limit: 2}' | ")


def test_memory_that_others_take_is_a_warning(tmp_path):
    put(tmp_path, "/proc/meminfo", MEMINFO.format(8 * GIB, 1 * GIB))

    assert look(site(tmp_path), "1.3").status is Status.WARN


@pytest.mark.box("1.4", "well")
def test_disks_with_room_are_shown(tmp_path):
    found = look(site(tmp_path, health={"disk_free": "0%"}), "1.4")

    assert found.status is Status.OK
    assert str(tmp_path / "pco/spool") in found.evidence and "of inodes" in found.evidence


@pytest.mark.box("1.4", "ill")
def test_a_disk_with_less_room_than_wanted_is_named(tmp_path):
    found = look(site(tmp_path, health={"disk_free": "99.9999%"}), "1.4")

    assert found.status is Status.FAIL
    assert found.mend.startswith(f"sudo du -xh --max-depth=2 {tmp_path}/pco/spool ")


def test_a_pco_without_folders_is_told_how_to_get_them(tmp_path):
    nowhere = {name: f"/nonexistent/{name}" for name in ("spool", "sessions", "mirrors", "audit", "www")}

    found = look(site(tmp_path, paths=nowhere), "1.4")

    assert (found.status, found.mend) == (Status.FAIL, "sudo systemd-tmpfiles --create")


@pytest.mark.box("1.5", "well")
def test_the_way_to_plane_is_timed(tmp_path):
    with serving(Pages()) as server:
        found = look(site(tmp_path, plane={"url": server.url}), "1.5")

    assert found.status is Status.OK
    assert [part.split()[0] for part in found.evidence.split("; ")] == ["name", "connection", "answer"]


@pytest.mark.box("1.5", "ill")
def test_a_plane_that_nobody_answers_for_is_ill(tmp_path):
    port = closed_port()

    found = look(site(tmp_path, plane={"url": f"http://127.0.0.1:{port}"}), "1.5")

    assert (found.status, found.mend) == (Status.FAIL, f"curl -v http://127.0.0.1:{port}/")
    assert "refused" in found.evidence


def test_a_proxy_that_answers_for_a_plane_that_is_down_is_ill(tmp_path):
    with serving(Pages(status=502)) as server:
        found = look(site(tmp_path, plane={"url": server.url}), "1.5")

    assert found.status is Status.FAIL and "answer 502" in found.evidence


def test_a_name_that_is_unknown_is_told_as_such(tmp_path):
    found = look(site(tmp_path, plane={"url": "https://plane.invalid"}), "1.5")

    assert found.status is Status.FAIL and found.evidence.startswith("plane.invalid:443: ")


@pytest.mark.box("1.6", "well")
def test_a_certificate_that_this_machine_trusts_is_shown_with_its_days(tmp_path, authority):
    with serving(Pages(), authority.signs("localhost", days=90)) as server:
        found = look(site(tmp_path, authority.today, plane={"url": server.url}), "1.6")

    assert (found.status, found.evidence) == (Status.OK, "localhost, by Test Authority, 89 days left")


@pytest.mark.parametrize(
    ("days", "status", "words"),
    [(20, Status.WARN, "19 days"), (3, Status.FAIL, "2 days"), (-2, Status.FAIL, "expired")],
)
@pytest.mark.box("1.6", "ill")
def test_a_certificate_that_ends_soon_or_has_ended_is_ill(tmp_path, authority, days, status, words):
    with serving(Pages(), authority.signs("localhost", days=days)) as server:
        found = look(site(tmp_path, authority.today, plane={"url": server.url}), "1.6")

    assert (found.status, words in found.evidence) == (status, True)


@pytest.mark.parametrize(("name", "words"), [("other.example.org", "mismatch"), ("localhost", "self-signed")])
def test_a_certificate_of_another_name_or_of_nobody_known_is_ill(tmp_path, authority, name, words):
    pair = authority.itself(name) if words == "self-signed" else authority.signs(name)
    with serving(Pages(), pair) as server:
        found = look(site(tmp_path, authority.today, plane={"url": server.url}), "1.6")

    assert found.status is Status.FAIL and words in found.evidence


def test_plane_without_tls_is_ill_unless_it_is_on_this_machine(tmp_path):
    assert look(site(tmp_path, plane={"url": "http://localhost"}), "1.6").status is Status.OK

    found = look(site(tmp_path, plane={"url": "http://plane.example.org"}), "1.6")

    assert (found.status, found.mend) == (Status.FAIL, "sudo pco-setup --yes --url https://plane.example.org")
