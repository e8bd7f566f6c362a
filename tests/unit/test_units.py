"""What the units and tables under systemd/ promise, as far as reading them tells."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pco.ground import reserve
from pco.outside import units
from pco.spool.store import FOLDERS, LOCKS
from support import TOP

SYSTEMD = TOP / "systemd"
UNITS = sorted(
    path for kind in ("service", "timer", "path", "socket", "slice", "target") for path in SYSTEMD.glob(f"*.{kind}")
)
# What runs as the user of a session, not as pco.
OTHERS = [SYSTEMD / "pco-session@.service", SYSTEMD / "pco-attach@.service"]
TMPFILES = [line.split() for line in (SYSTEMD / "pco.tmpfiles").read_text().splitlines() if line[0] != "#"]


def settings(path: Path) -> dict[str, list[str]]:
    """Every key of a unit with its values."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", path.read_text(), re.M):
        found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("path", UNITS, ids=lambda p: p.name)
def test_a_unit_says_what_it_is_for_and_where_to_read_on(path):
    found = settings(path)

    assert len(found["Description"][0].split()) >= 3
    assert found["Documentation"][0].startswith("man:pco")


@pytest.mark.parametrize("path", [p for p in UNITS if p.suffix == ".service" and p not in OTHERS], ids=lambda p: p.name)
def test_a_tool_runs_in_the_sandbox_with_a_time_out_and_in_the_slice_of_the_tools(path):
    found = settings(path)

    assert path.read_text().count("\n@SANDBOX@\n") == 1
    assert found["Slice"] == ["pco-tools.slice"]
    assert "TimeoutStartSec" in found
    assert found["Type"][0] in ("notify", "exec"), "a oneshot under way keeps the machine booting"
    assert "WatchdogSec" in found or "RuntimeMaxSec" in found


@pytest.mark.parametrize("path", [p for p in UNITS if p.suffix == ".service"], ids=lambda p: p.name)
def test_no_program_leaves_its_memory_in_a_core_dump(path):
    sandbox = (SYSTEMD / "sandbox.in").read_text()

    assert "\nLimitCORE=0\n" in path.read_text().replace("\n@SANDBOX@\n", f"\n{sandbox}")


@pytest.mark.parametrize("name", ["poll", "launch", "post", "push", "watch", "notify"])
def test_who_works_for_long_tells_its_watchdog_and_is_bounded_in_starting_and_in_dying(name):
    found = settings(SYSTEMD / f"pco-{name}.service")

    assert (found["Type"], found["NotifyAccess"]) == (["notify"], ["main"])
    assert {"WatchdogSec", "TimeoutStartSec", "TimeoutAbortSec"} <= found.keys()


def test_the_start_limit_of_the_watcher_is_met_by_one_that_hangs_each_time():
    found = settings(SYSTEMD / "pco-watch.service")
    seconds = {name: spoken(found[name][0]) for name in found if name.endswith("Sec") or name.endswith("IntervalSec")}

    hangs = seconds["WatchdogSec"] + seconds["TimeoutAbortSec"] + seconds["RestartSec"]
    does_not_start = seconds["TimeoutStartSec"] + seconds["TimeoutStopSec"] + seconds["RestartSec"]

    assert int(found["StartLimitBurst"][0]) * max(hangs, does_not_start) < seconds["StartLimitIntervalSec"]


def spoken(span: str) -> float:
    """The seconds of a time span as systemd writes it."""
    units = {"ms": 0.001, "s": 1, "min": 60, "h": 3600}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([0-9.]+)(ms|min|s|h)", span))


@pytest.mark.parametrize("path", [p for p in UNITS if p.suffix not in (".slice", ".target")], ids=lambda p: p.name)
def test_whatever_fails_is_told_of_and_that_which_tells_is_not(path):
    told = settings(path).get("OnFailure", [])

    # How a session fails is a matter of its ticket, and who takes in what it left is watched itself.
    instead = {
        "pco-alert@.service": [],
        "pco-attach@.socket": [],
        "pco-session@.service": ["pco-collect-failed@%i.service"],
    }
    assert told == instead.get(path.name, ["pco-alert@%n.service"])


def test_the_watcher_is_told_to_end_and_not_the_git_that_it_waits_for():
    assert settings(SYSTEMD / "pco-watch.service")["KillMode"] == ["mixed"]


@pytest.mark.parametrize("path", sorted(SYSTEMD.glob("*.path")), ids=lambda p: p.name)
def test_a_wake_up_is_removed_before_the_program_it_wakes_reads_the_spool(path):
    (flag,) = settings(path)["PathExists"]

    service = settings(path.with_suffix(".service"))

    assert flag.startswith("/var/spool/pco/wake/")
    assert service["ExecStartPre"] == [f"/bin/sh -c 'rm -f {flag} || exec sleep 10'"]
    assert service["StartLimitIntervalSec"] == ["0"]


@pytest.mark.parametrize(
    "path", [p for p in UNITS if "LoadCredential=plane-token" in p.read_text()], ids=lambda p: p.name
)
def test_without_the_token_nothing_that_needs_it_is_started(path):
    condition = "ConditionPathExists=/etc/pco/credentials/plane-token"
    starters = [path, *(p for p in (path.with_suffix(".timer"), path.with_suffix(".path")) if p.exists())]

    assert [p.name for p in starters if condition not in p.read_text()] == []


def test_tmpfiles_lays_out_just_the_folders_and_locks_that_the_spool_knows():
    made = {(kind, path.removeprefix("/var/spool/pco/")) for kind, path, *_ in TMPFILES if "/spool/pco/" in path}

    assert {name for kind, name in made if kind == "d"} == {str(name) for name in FOLDERS}
    assert {name for kind, name in made if kind == "a+"} == {str(name) for name in FOLDERS}
    assert {name for kind, name in made if kind == "f"} == {*LOCKS, reserve.NAME}


def test_no_folder_of_pco_is_open_to_everybody_but_for_looking():
    modes = {path: int(mode, 8) for kind, path, mode, *_ in TMPFILES if kind in ("d", "f")}

    assert [path for path, mode in modes.items() if mode & 0o002] == []
    assert modes["/etc/pco/credentials"] == 0o700
    assert modes["/var/spool/pco"] == 0o750


def test_the_two_units_that_take_in_what_a_session_left_differ_only_in_what_they_say():
    one, other = (SYSTEMD / f"pco-{name}@.service" for name in ("collect", "collect-failed"))

    differ = [
        pair
        for pair in zip(one.read_text().splitlines(), other.read_text().splitlines(), strict=True)
        if pair[0] != pair[1]
    ]

    assert [line.partition("=")[0] for line, _ in differ] == ["Description"]


def test_a_session_gives_up_whatever_a_tool_gives_up_but_for_what_is_named():
    tool = set((SYSTEMD / "sandbox.in").read_text().splitlines())
    session = (SYSTEMD / "pco-session@.service").read_text().splitlines()

    given_up = {line for line in tool if "=" in line and line[0] != "#"} - set(session)

    assert {line.partition("=")[0] for line in given_up} == {
        "User",
        "Group",
        "UMask",
        "MemoryDenyWriteExecute",
        "PrivateMounts",  # it has a mount namespace of its own already
    }


@pytest.mark.parametrize(
    "path", [p for p in UNITS if "pco.target" in settings(p).get("WantedBy", [])], ids=lambda p: p.name
)
def test_what_the_target_starts_waits_for_a_configuration_and_what_it_wakes_would_spin_if_it_did(path):
    assert "/etc/pco/pco.yaml" in settings(path).get("ConditionPathExists", [])
    if path.suffix == ".path":
        assert "/etc/pco/pco.yaml" not in settings(path.with_suffix(".service")).get("ConditionPathExists", [])


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("Sat 2026-11-28 20:00:00 UTC", datetime(2026, 11, 28, 20, tzinfo=UTC)),
        ("Sat 2026-11-28 20:00:00.123456 UTC", datetime(2026, 11, 28, 20, 0, 0, 123456, tzinfo=UTC)),
        ("n/a", None),
        ("", None),
    ],
)
def test_a_time_of_systemd_is_read_to_the_microsecond(said, moment):
    assert units.calendar(said) == moment
