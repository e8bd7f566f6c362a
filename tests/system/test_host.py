"""The test host itself: what the other tests of this folder take for granted."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import machine
import pytest
from host import BASE, Host, HostError, alive, end

HERE = Path(__file__).resolve().parent


@pytest.fixture
def spare(able: None) -> Iterator[Host]:
    """A host that is not up yet."""
    host = Host(f"s{os.getpid()}")
    yield host
    host.down()


def traces(name: str) -> list[str]:
    """What is left of a host on this machine: folders, control groups, mounts, processes."""
    groups = [str(path) for tree in machine.trees() for path in tree.folder.glob(f"pco-host-{name}")]
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"/{name}/" in line]
    processes = [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if f"/{name}".encode() in read(path)]
    return [*map(str, BASE.glob(name)), *groups, *mounts, *processes]


def groups() -> list[Path]:
    """The control groups of this machine, but for those of test hosts: others come up and go meanwhile."""
    return sorted(path for tree in machine.trees() for path in tree.folder.glob("*/") if "pco-host-" not in path.name)


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_booted_host_is_running_with_no_failed_unit(host):
    state = host.systemctl("is-system-running")

    assert state == "running", host.systemctl("--failed")


def test_a_unit_runs_as_the_user_it_names_and_its_exit_code_comes_back(host):
    done = host.run("sh", "-c", "id -un; exit 7", properties={"User": "daemon"}, code=7)

    assert done.stdout == "daemon\n"


def test_what_a_unit_says_is_in_the_journal_under_its_name(host):
    host.exec("systemd-run", "--wait", "--quiet", "--unit=speaker", "echo", "a word")

    assert [entry["MESSAGE"] for entry in host.journal("-u", "speaker", "-t", "echo")] == ["a word"]


def test_a_credential_reaches_the_unit_it_is_loaded_for(host):
    host.write("/etc/secret", "swordfish", "600")

    properties = {"LoadCredential": "token:/etc/secret", "User": "daemon"}
    done = host.run("sh", "-c", 'cat "$CREDENTIALS_DIRECTORY/token"', properties=properties)

    assert done.stdout == "swordfish"


def test_a_dynamic_user_has_a_name_and_a_state_folder_of_its_own(host):
    properties = {"DynamicUser": "yes", "User": "pco-TRY-1", "StateDirectory": "try"}
    done = host.run("sh", "-c", 'id -un; stat -L -c %U "$STATE_DIRECTORY"', properties=properties)

    assert done.stdout == "pco-TRY-1\npco-TRY-1\n"


def test_a_memory_limit_bites_where_the_host_says_that_limits_do(host):
    greedy = ["/usr/bin/python3", "-c", "b'x' * (200 << 20)"]
    done = host.run(*greedy, properties={"MemoryMax": "40M", "MemorySwapMax": "0"}, code=None)

    assert (done.returncode != 0) == host.limits


def test_a_host_sees_the_checkout_and_cannot_change_it(host):
    host.write("/src/scribble", "mine")

    assert host.read("/src/setup.cfg") == (HERE.parents[1] / "setup.cfg").read_text()
    assert not (HERE.parents[1] / "scribble").exists()


def test_a_host_has_a_network_of_its_own(host):
    done = host.exec("ls", "/sys/class/net")

    assert done.stdout == "lo\n"


def test_a_command_that_fails_is_an_error_unless_its_code_was_expected(host):
    with pytest.raises(HostError, match="exit 3"):
        host.exec("sh", "-c", "exit 3")


def test_a_reboot_has_another_boot_id_and_keeps_files_and_journal(host):
    host.write("/var/kept", "yes")
    host.exec("logger", "-t", "before", "the reboot")
    boot = host.read("/proc/sys/kernel/random/boot_id")

    host.reboot()

    assert host.read("/proc/sys/kernel/random/boot_id") != boot
    assert host.read("/var/kept") == "yes"
    assert [entry["MESSAGE"] for entry in host.journal("-t", "before")] == ["the reboot"]


def test_after_a_power_cut_nothing_runs_and_a_start_finds_the_files(host):
    host.write("/var/kept", "still")
    host.write("/run/gone", "")
    host.exec("systemd-run", "--quiet", "--unit=sleeper", "sleep", "1000")
    sleeper = host.show("sleeper", "MainPID")["MainPID"]

    host.cut()
    cut = host.leader
    host.start()

    assert cut == 0
    assert sleeper != "0"
    assert host.read("/var/kept") == "still"
    assert host.exec("test", "-e", "/run/gone", code=1)
    assert host.show("sleeper", "MainPID")["MainPID"] == "0"


@pytest.mark.parametrize("layout", ["v1", "hybrid", "v2"])
def test_a_host_boots_in_each_layout_of_control_groups_and_leaves_nothing(layout, spare):
    if layout not in machine.layouts():
        pytest.skip(f"the control groups of this machine are {machine.layout()}")
    before = groups()
    spare.layout = layout

    spare.up()
    state = spare.systemctl("is-system-running")
    spare.run("true")
    left = traces(spare.name)
    spare.down()

    assert state == "running"
    assert left
    assert traces(spare.name) == []
    assert groups() == before


def test_a_host_that_cannot_boot_says_why_and_leaves_nothing(spare, tmp_path):
    spare.lower = tmp_path

    with pytest.raises(HostError, match="No such file"):
        spare.up()

    assert traces(spare.name) == []


def test_a_host_whose_test_run_was_killed_ends_by_itself(spare):
    run = boot_elsewhere(spare.name)
    supervisor = alive(spare.folder / "supervisor")

    run.kill()
    run.wait()
    end(supervisor, signal.SIGCONT)

    assert traces(spare.name) == []


def test_what_a_killed_supervisor_left_is_removed_before_the_next_host_comes_up(spare):
    run = boot_elsewhere(spare.name)
    end(alive(spare.folder / "supervisor"), signal.SIGKILL)
    run.kill()
    run.wait()
    left = traces(spare.name)

    spare.up()
    spare.down()

    assert left
    assert traces(spare.name) == []


def boot_elsewhere(name: str) -> "subprocess.Popen[str]":
    """A process that has booted a host and goes on living."""
    code = f"from host import Host; Host({name!r}).up(); print('up', flush=True); import time; time.sleep(60)"
    run = subprocess.Popen([sys.executable, "-c", code], cwd=HERE, stdout=subprocess.PIPE, text=True)
    assert run.stdout
    assert run.stdout.readline() == "up\n"
    return run
