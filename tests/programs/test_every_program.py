"""What a user of Unix tools expects of every program."""

import os
import subprocess
import sys

import pytest

from support import TOP

PROGRAMS = [
    "pco-poll",
    "pco-queue",
    "pco-launch",
    "pco-complete",
    "pco-watch",
    "pco-post",
    "pco-push",
    "pco-dashboard",
    "pco-notify",
]
RESIDENT_OR_TIMED = [p for p in PROGRAMS if p not in ("pco-complete",)]


def arguments(program):
    """What makes a program do its usual work."""
    return {"pco-complete": ["WEB-1", "done"], "pco-watch": ["--once"], "pco-queue": ["list"]}.get(program, [])


@pytest.mark.parametrize("program", [*PROGRAMS, "pco-setup", "pco-session", "pco-alert", "pco"])
def test_help_teaches_with_examples_and_takes_both_forms(site, program):
    long, short = site.run(program, "--help").stdout, site.run(program, "-h").stdout
    assert long == short
    assert long.startswith(f"Usage: {program}")
    assert f"{program} " in long.partition("Usage:")[2].partition("\n")[2], "no example"
    assert max(map(len, long.splitlines())) <= 100


@pytest.mark.parametrize("program", [*PROGRAMS, "pco-setup", "pco-session", "pco-alert", "pco"])
def test_version_and_a_wrong_option(site, program):
    assert site.run(program, "--version").stdout == f"{program} 0.1.0\n"
    said = site.run(program, "--verison", code=2).stderr
    assert "--version" in said


@pytest.mark.parametrize("program", RESIDENT_OR_TIMED)
def test_a_missing_configuration_is_one_line_and_78(site, program):
    said = site.run(program, "--config", "/nowhere/pco.yaml", *arguments(program), code=78).stderr
    assert "/nowhere/pco.yaml" in said.splitlines()[0]
    assert len(said.splitlines()) <= 2


@pytest.mark.parametrize("program", RESIDENT_OR_TIMED)
def test_a_mistake_in_the_configuration_names_file_line_and_key(site, program):
    site.config.write_text("paths:\n  root: /tmp\n  spol: /tmp/x\n")
    said = site.run(program, *arguments(program), code=78).stderr
    assert f"{site.config}:3: paths.spol: unknown key (did you mean spool?)" in said


@pytest.mark.parametrize("program", RESIDENT_OR_TIMED)
def test_a_missing_spool_is_78_and_not_recreated(site, program):
    site.configure(paths={"spool": str(site.home / "elsewhere")})
    site.run(program, *arguments(program), code=78)
    assert not (site.home / "elsewhere").exists()


def test_poll_of_an_unconfigured_system_is_one_line_and_78(site):
    said = site.run("pco-poll", code=78).stderr
    assert "plane" in said
    assert len(said.splitlines()) <= 2


@pytest.mark.parametrize("program", [p for p in RESIDENT_OR_TIMED if p not in ("pco-queue", "pco-poll")])
def test_a_timer_hears_nothing_when_there_is_nothing_to_do(site, program):
    site.configure(sessions={"command": ["/bin/true"]})
    site.run("pco-dashboard")
    result = site.run(program, *arguments(program))
    assert result.stdout == ""


@pytest.mark.parametrize("package", ["click", "yaml"])
def test_a_missing_module_names_the_package_to_install(site, tmp_path, package):
    (tmp_path / f"{package}.py").write_text(f"raise ModuleNotFoundError('no', name='{package}')")
    result = site.run("pco-queue", "list", code=69, env={**site.environment(), "PYTHONPATH": str(tmp_path)})
    assert result.stderr.splitlines() == [f"pco: the Python module {package} is missing: apt install python3-{package}"]


def test_a_closed_pipe_is_no_error(site):
    command = f"{sys.executable} {TOP}/bin/pco-queue --help | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_color_is_obeyed_and_color_can_be_forced(site):
    def colours(*options, **more):
        out = site.run("pco-queue", *options, "list", env={**site.environment(), **more}).stdout
        return "\x1b[" in out

    from pco.ground.ticket import State
    from support import a_ticket, put

    put(site.spool(), a_ticket("WEB-1"), State.FAILED)
    assert not colours()
    assert colours("--color", "always")
    assert not colours("--color", "never")
    assert not colours(NO_COLOR="1")


def test_programs_run_from_any_folder_and_through_a_link(site, tmp_path):
    link = tmp_path / "pco-queue"
    link.symlink_to(TOP / "bin" / "pco-queue")
    done = subprocess.run([sys.executable, link, "--version"], cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout == "pco-queue 0.1.0\n"


def test_a_person_who_is_not_in_the_passwd_file_is_still_somebody():
    if os.getuid():
        pytest.skip("becoming a user without a name needs root")
    code = (
        "import os, sys; os.setuid(54321); sys.path.insert(0, sys.argv[1])\n"
        "from pco.run import Pco; print(Pco('pco-queue').who)"
    )
    # Imported as root first: the installation may lie where that user cannot look.
    code = "import sys; sys.path.insert(0, sys.argv[1]); import pco.run, pco.ground.caller\n" + code
    done = subprocess.run([sys.executable, "-c", code, TOP / "lib"], capture_output=True, text=True, check=True)
    assert done.stdout == "54321\n"
