"""pco-session by itself: the payload of a runner, mostly without one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from pco.ground import attempt, boot, leavings
from pco.ground.leavings import Exit
from sessions import Yard, sh, until
from support import TOP


@pytest.fixture
def begin(yard: Yard) -> Iterator[Any]:
    """Prepare a session of WEB-1 and start it without tmux; what still runs is ended with the test."""
    running: list[subprocess.Popen[bytes]] = []

    def start(
        argv: tuple[str, ...],
        again: bool = False,
        top: Path = TOP,
        given: Mapping[str, str] = MappingProxyType({}),
        **launch: Any,
    ) -> "subprocess.Popen[bytes]":
        if not again:
            yard.claim("WEB-1", argv, launch=launch)
        command = [sys.executable, str(top / "bin" / "pco-session"), str(yard.home("WEB-1"))]
        environ = {**yard.site.environment(), "SECRET": "s3cret", **given}
        child = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        running.append(child)
        return child

    yield start
    for child in running:
        if child.poll() is None:
            child.terminate()
        child.communicate(timeout=20)


def exit_of(yard: Yard) -> Exit | None:
    """The exit record."""
    handle = leavings.open_out(yard.out("WEB-1"))
    try:
        return leavings.read_exit(handle)
    finally:
        os.close(handle)


def events(yard: Yard) -> list[dict[str, Any]]:
    """All events, in the order of time."""
    return [json.loads(path.read_bytes()) for path in sorted(yard.out("WEB-1").glob("events/*.json"))]


def running(yard: Yard) -> Any:
    """Wait until the agent runs."""
    return until(lambda: events(yard))


def test_a_session_leaves_birth_started_bundle_and_exit(yard: Yard, begin: Any) -> None:
    child = begin(sh("cat > prompt; echo x > x; git add x; git commit -qm x; exit 3"))

    assert child.wait(20) == 0

    birth = json.loads((yard.out("WEB-1") / "birth").read_bytes())
    assert (birth["pid"], birth["boot_id"]) == (child.pid, boot.boot_id())
    assert [event["event"] for event in events(yard)] == ["started"]
    assert (yard.out("WEB-1") / "work.bundle").read_bytes().startswith(b"# v2 git bundle")
    end = exit_of(yard)
    assert end and (end.code, end.error, end.uncommitted, end.told) == (3, "", 1, "")


def test_commits_with_the_sessions_login_in_them_are_not_taken_in_and_a_result_loses_it(
    yard: Yard, begin: Any, tmp_path: Path
) -> None:
    (tmp_path / "granted").mkdir()
    (tmp_path / "granted" / "agent").write_text("login-of-no-form\n")
    result = yard.out("WEB-1") / "result"
    script = 'echo login-of-no-form >x; git add x; git commit -qm "a file"; echo y >y; echo \'{"result": "login-of-no-form"}\' >R'

    granted = {"CREDENTIALS_DIRECTORY": str(tmp_path / "granted")}
    assert begin(sh(script.replace("R", str(result))), given=granted).wait(20) == 0

    end = exit_of(yard)
    assert end and end.problem == "its commits have the credential agent in them, and were not taken in"
    assert end.uncommitted == 1
    assert not (yard.out("WEB-1") / "work.bundle").exists()
    assert json.loads(result.read_text()) == {"result": "(the credential agent)"}


def test_the_trigger_is_rung_at_the_start_and_at_the_end(yard: Yard, begin: Any) -> None:
    trigger = os.open(yard.site.home / "run" / "trigger", os.O_RDWR | os.O_NONBLOCK)

    assert begin(sh("true")).wait(20) == 0

    assert os.read(trigger, 100) == b"ee"


def test_the_prompt_is_the_agents_standard_input(yard: Yard, begin: Any) -> None:
    assert begin(sh("cat > prompt")).wait(20) == 0

    assert (yard.home("WEB-1").parent / "workspace" / "prompt").read_text() == "Work on WEB-1.\n"


def test_the_agent_gets_a_clean_environment(yard: Yard, begin: Any) -> None:
    assert begin(sh("env > $PCO_ATTEMPT_DIR/env; command -v pco-complete >> $PCO_ATTEMPT_DIR/env")).wait(20) == 0

    told = (yard.home("WEB-1") / "env").read_text().splitlines()
    names = {line.partition("=")[0] for line in told if "=" in line} - {"_", "SHLVL", "OLDPWD", "PWD"}
    assert names <= {"PATH", "HOME", "LANG", "PCO_KEY", "PCO_ATTEMPT_DIR"}
    assert f"HOME={yard.home('WEB-1').parent}" in told
    assert told[-1] == str(TOP / "bin" / "pco-complete")
    assert "s3cret" not in "".join(told)


def test_the_agent_works_on_its_branch_and_knows_who_it_is(yard: Yard, begin: Any) -> None:
    assert begin(sh("git branch --show-current > b; git config user.name >> b")).wait(20) == 0

    assert (yard.home("WEB-1").parent / "workspace" / "b").read_text() == "pco/WEB-1\npco WEB-1\n"


def test_a_second_start_ends_at_once_and_changes_nothing(yard: Yard, begin: Any) -> None:
    first = begin(sh("sleep 1000"))
    running(yard)
    before = sorted(p.name for p in yard.out("WEB-1").rglob("*"))

    second = begin((), again=True)

    assert second.wait(20) == 65
    assert b"begun before" in second.stderr.read()
    assert sorted(p.name for p in yard.out("WEB-1").rglob("*")) == before
    assert first.poll() is None


def test_a_session_that_finds_the_fence_ends_at_once(yard: Yard, begin: Any) -> None:
    yard.claim("WEB-1", sh("touch $PCO_ATTEMPT_DIR/ran"))
    attempt.fence(yard.home("WEB-1"))

    child = begin((), again=True)

    assert child.wait(20) == 65
    assert (yard.out("WEB-1") / "birth").exists()
    assert not (yard.home("WEB-1") / "ran").exists() and not (yard.home("WEB-1").parent / "workspace").exists()


def test_a_clone_that_fails_is_recorded_with_its_reason(yard: Yard, begin: Any) -> None:
    assert begin(sh("true"), mirror=str(yard.site.home / "no.git")).wait(20) == 0

    end = exit_of(yard)
    assert end and end.code != 0 and "cannot clone the mirror" in end.error
    assert events(yard) == []


def test_an_agent_that_is_not_there_is_recorded_as_not_found(yard: Yard, begin: Any) -> None:
    assert begin(("/no/such/agent",)).wait(20) == 0

    end = exit_of(yard)
    assert end and (end.code, end.error) == (127, "cannot run /no/such/agent: No such file or directory")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_are_handed_on_to_the_agent_and_noted(yard: Yard, begin: Any, number: signal.Signals) -> None:
    child = begin(sh("sleep 1000"))
    running(yard)

    child.send_signal(number)

    assert child.wait(20) == 0
    end = exit_of(yard)
    assert end and (end.code, end.told) == (128 + number, number.name[3:])


def test_an_agent_killed_by_its_own_signal_was_not_told_to_end(yard: Yard, begin: Any) -> None:
    assert begin(sh("kill -TERM $$")).wait(20) == 0

    end = exit_of(yard)
    assert end and (end.code, end.told) == (143, "")


def test_a_deaf_agent_is_killed_after_the_grace(yard: Yard, begin: Any) -> None:
    child = begin(sh("trap '' TERM; while :; do sleep 0.1; done"), grace=0.3)
    running(yard)

    child.terminate()

    assert child.wait(20) == 0
    end = exit_of(yard)
    assert end and (end.code, end.told) == (137, "TERM")


def test_nothing_of_the_agents_process_group_is_left_behind(yard: Yard, begin: Any) -> None:
    assert begin(sh("sleep 1000 & echo $! > $PCO_ATTEMPT_DIR/left")).wait(20) == 0

    left = int((yard.home("WEB-1") / "left").read_text())
    until(lambda: not _runs(left))


def test_a_signal_while_the_workspace_is_cloned_ends_the_session_before_the_agent_begins(
    yard: Yard, begin: Any, tmp_path: Path
) -> None:
    slow = tmp_path / "slow.git"
    for folder in ("objects", "refs"):
        (slow / folder).mkdir(parents=True)
    os.mkfifo(slow / "HEAD")  # git waits for whoever writes into it
    child = begin(sh("touch $PCO_ATTEMPT_DIR/ran"), mirror=str(slow))
    until(lambda: (yard.out("WEB-1") / "bell").exists())
    time.sleep(0.2)

    child.terminate()

    assert child.wait(20) == 0
    end = exit_of(yard)
    assert end and (end.code, end.told, end.error) == (143, "TERM", "")
    assert not (yard.home("WEB-1") / "ran").exists()


TOLD = """\
#!/bin/sh
case $* in *" log "*|*" rev-list "*|*" bundle create "*|*" status "*) kill -HUP $$; kill -TERM $$; echo "$*" >>"$0.told";; esac
PATH=${PATH#*:} exec git "$@"
"""


def test_what_is_done_after_the_agents_end_is_done_though_everything_in_the_unit_is_told_to_end(
    yard: Yard, begin: Any, tmp_path: Path
) -> None:
    (tmp_path / "granted").mkdir()
    (tmp_path / "granted" / "agent").write_text("login-of-no-form\n")
    git = tmp_path / "wrapped" / "git"
    git.parent.mkdir()
    git.write_text(TOLD)
    git.chmod(0o755)
    given = {"CREDENTIALS_DIRECTORY": str(git.parent.parent / "granted"), "PATH": f"{git.parent}:{os.environ['PATH']}"}

    assert begin(sh("echo x > x; git add x; git commit -qm x"), given=given).wait(20) == 0

    end = exit_of(yard)
    assert end and (end.problem, end.told) == ("", "")
    assert (yard.out("WEB-1") / "work.bundle").exists()
    told = git.with_name("git.told").read_text()
    assert all(f" {verb} " in told for verb in ("log", "rev-list", "bundle", "status"))


def test_an_upgrade_under_a_running_session_does_not_keep_it_from_ending_well(
    yard: Yard, begin: Any, tmp_path: Path
) -> None:
    for folder in ("bin", "lib"):
        shutil.copytree(TOP / folder, tmp_path / "top" / folder)
    child = begin(
        sh("echo x > x; git add x; git commit -qm x; while ! test -e $PCO_ATTEMPT_DIR/go; do sleep 0.1; done"),
        top=tmp_path / "top",
    )
    running(yard)
    for module in (tmp_path / "top" / "lib").rglob("*.py"):
        module.unlink()
    shutil.rmtree(tmp_path / "top" / "bin")

    (yard.home("WEB-1") / "go").touch()

    assert child.wait(20) == 0, child.stderr.read()
    end = exit_of(yard)
    assert end and (end.code, end.problem) == (0, "")


def test_the_workspace_is_kept_for_the_next_attempt(yard: Yard, begin: Any) -> None:
    assert begin(sh("echo x > x; git add x; git commit -qm x; exit 75")).wait(20) == 0
    ticket = yard.ticket("WEB-1")
    os.unlink(yard.site.spool().path("WEB-1", ticket.state))
    yard.claim("WEB-1", sh("test -e x"), ticket=ticket)

    command = [sys.executable, str(TOP / "bin" / "pco-session"), str(yard.home("WEB-1", 1, 2))]
    subprocess.run(command, env=yard.site.environment(), check=True)

    assert json.loads((yard.out("WEB-1", 1, 2) / "exit").read_bytes())["code"] == 0


def test_outside_tmux_there_is_no_screen(yard: Yard, begin: Any) -> None:
    assert begin(sh("sleep 0.5")).wait(20) == 0

    assert not (yard.out("WEB-1") / "screen").exists()


def test_the_screen_is_kept_up_to_date_with_its_colours(yard: Yard) -> None:
    yard.run("WEB-1", sh("printf '\\033[31mone\\033[0m\\n'; sleep 1; echo two; sleep 1000"))
    screen = yard.out("WEB-1") / "screen"

    assert b"\x1b[31mone" in until(lambda: screen.read_bytes())
    first = until(lambda: float((yard.out("WEB-1") / "life").read_text()))
    until(lambda: b"two" in screen.read_bytes())
    until(lambda: float((yard.out("WEB-1") / "life").read_text()) > first)


def test_a_screen_that_does_not_change_is_no_sign_of_life(yard: Yard) -> None:
    yard.run("WEB-1", sh("echo one; sleep 1000"))
    life = yard.out("WEB-1") / "life"
    first = until(life.read_text)

    time.sleep(1)

    assert life.read_text() == first


def test_the_bell_brings_a_new_screen_at_once(yard: Yard) -> None:
    yard.run(
        "WEB-1",
        sh("echo one; sleep 1; echo two; echo > $PCO_ATTEMPT_DIR/out/bell; sleep 1000"),
        launch={"screen_every": 1000.0},
    )

    until(lambda: b"two" in (yard.out("WEB-1") / "screen").read_bytes())


def test_what_an_agent_leaves_on_the_screen_when_it_is_told_to_end_is_not_kept(yard: Yard) -> None:
    yard.run(
        "WEB-1",
        sh(
            "trap 'clear; echo bye; echo > $PCO_ATTEMPT_DIR/out/bell; sleep 2; exit' TERM; echo work; while :; do sleep 0.1; done"
        ),
        launch={"screen_every": 0.2, "grace": 10.0},
    )
    screen = yard.out("WEB-1") / "screen"
    until(lambda: b"work" in screen.read_bytes())

    yard.tmux.stop("WEB-1", timedelta(seconds=20))

    until((yard.out("WEB-1") / "exit").exists)
    assert b"work" in screen.read_bytes()
    assert b"bye" not in screen.read_bytes()


def test_an_attached_persons_ctrl_c_reaches_the_agent_and_not_the_session(yard: Yard) -> None:
    yard.run("WEB-1", sh("trap 'touch $PCO_ATTEMPT_DIR/int' INT; while :; do sleep 0.1; done"))
    running(yard)

    yard.tmux._tmux(("send-keys", "-t", "=WEB-1:", "C-c"))

    until((yard.home("WEB-1") / "int").exists)
    assert yard.tmux.list() == {"WEB-1"}


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
