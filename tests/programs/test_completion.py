"""TAB in bash and zsh: what the programs answer, and what a person gets who presses it in a real shell."""

import fcntl
import os
import pty
import shutil
import subprocess
import sys
import termios

import pytest

from pco.ground.ticket import State
from programs.queueing import Desk, Terminal
from support import TOP

HOSTILE = "Fix $(touch evil)\x1b[31m; the\tlogin\x07"


@pytest.fixture
def desk(site):
    return Desk(site)


def kinds(site, line):
    """What kinds of words a program says fit at the end of `line`."""
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1), "_PCO_SETUP_COMPLETE": "pco_complete"}
    said = site.run("pco-setup", env={**site.environment(), **asked}).stdout
    return [row.split("\t")[0] for row in said.splitlines()]


def answer(site, line, program="pco-queue", **more):
    """What a program says fits at the end of `line`: value -> help."""
    words = [*line.split(" ")]
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    asked[f"_{program.upper().replace('-', '_')}_COMPLETE"] = "pco_complete"
    done = site.run(program, env={**site.environment(), **asked, **more})
    assert done.stderr == ""
    rows = [row.split("\t") for row in done.stdout.splitlines() if row]
    assert all(len(row) == 3 for row in rows)
    return {value: help for _, value, help in rows}


def test_keys_are_offered_in_the_states_in_which_the_verb_takes_them(desk):
    desk.has("WEB-12", title="Fix the login")
    desk.has("WEB-3", State.FAILED)
    desk.has("SHOP-7", State.COMPLETED)

    assert answer(desk.site, "pco-queue approve ") == {"WEB-12": "Fix the login"}
    assert list(answer(desk.site, "pco-queue retry ")) == ["WEB-3"]
    assert list(answer(desk.site, "pco-queue show ")) == ["SHOP-7", "WEB-3", "WEB-12"]


def test_small_letters_will_do_and_a_key_on_the_line_is_not_offered_again(desk):
    for number in (1, 2, 10):
        desk.has(f"WEB-{number}")

    assert list(answer(desk.site, "pco-queue approve web-1 WEB-")) == ["WEB-1", "WEB-2", "WEB-10"]
    assert list(answer(desk.site, "pco-queue approve WEB-1 web-1")) == ["WEB-10"]


def test_before_the_remark_of_a_rework_keys_are_offered_and_within_it_nothing(desk):
    desk.has("WEB-12", State.COMPLETED)
    desk.has("WEB-13", State.COMPLETED)
    desk.has("WEB-14", State.ACTIVE)

    assert list(answer(desk.site, "pco-queue rework WEB-12 ")) == ["WEB-13"]
    assert answer(desk.site, 'pco-queue rework WEB-12 "The') == {}
    assert list(answer(desk.site, "pco-queue forward ")) == ["WEB-14"]


def test_verbs_projects_formats_and_programs_are_offered_too(desk):
    desk.has("SHOP-7")

    assert list(answer(desk.site, "pco-queue un")) == ["unapprove"]
    assert list(answer(desk.site, "pco-queue list --project ")) == ["SHOP", "WEB"]
    assert list(answer(desk.site, "pco-queue list --format js")) == ["json", "jsonl"]
    assert list(answer(desk.site, "pco help la", "pco")) == ["launch"]


def test_of_options_that_are_a_choice_all_are_offered_and_of_files_the_shells_own(desk):
    assert list(answer(desk.site, "pco-setup --agent ", "pco-setup")) == ["claude", "command"]
    assert list(answer(desk.site, "pco-setup --mode h", "pco-setup")) == ["headless"]
    assert list(answer(desk.site, "pco-setup --permission-mode by", "pco-setup")) == ["bypassPermissions"]
    for option in ("--agent-key-file", "--claude", "--token-file"):
        assert kinds(desk.site, f"pco-setup {option} ") == ["file"]


def test_a_person_may_complete_the_key_of_an_active_ticket_but_not_the_summary(desk):
    desk.has("WEB-12", State.ACTIVE)

    assert list(answer(desk.site, "pco-complete ", "pco-complete")) == ["WEB-12"]
    assert answer(desk.site, "pco-complete WEB-12 ", "pco-complete") == {}


def test_the_configuration_that_the_line_names_counts(desk, tmp_path):
    desk.has("WEB-12")

    assert list(answer(desk.site, f"pco-queue --config {desk.site.config} approve ", PCO_CONFIG="/nowhere")) == [
        "WEB-12"
    ]


@pytest.mark.parametrize("damage", ["configuration", "spool", "record"])
def test_whatever_is_wrong_completion_says_nothing_of_it(desk, damage):
    desk.has("WEB-12")
    if damage == "configuration":
        desk.site.config.write_text("paths: [")
    elif damage == "spool":
        shutil.rmtree(desk.spool.root)
    else:
        desk.spool.path("WEB-12", State.PENDING).write_text("[]")

    found = answer(desk.site, "pco-queue approve ")

    assert found == ({"WEB-12": ""} if damage == "record" else {})


def test_of_a_thousand_tickets_some_hundred_are_offered_and_no_letter_too_many_is_common(desk):
    for number in range(1, 421):
        (desk.spool.root / "pending" / f"WEB-{number}.json").touch()
    (desk.spool.root / "pending" / "ZED-1.json").touch()

    found = list(answer(desk.site, "pco-queue approve "))

    assert 290 < len(found) <= 300
    assert {key[0] for key in found} == {"W", "Z"}


# In real shells.


@pytest.fixture
def shell(desk, tmp_path):
    """Start a shell at a terminal that knows pco-queue and its completion."""
    folder = tmp_path / "completion"
    programs = tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    subprocess.run([sys.executable, TOP / "share/completion/make.py", folder], check=True)
    (programs / "pco-queue").write_text(f'#!/bin/sh\nexec {sys.executable} {TOP}/bin/pco-queue "$@"\n')
    (programs / "pco-queue").chmod(0o755)
    started = []

    def start(*command, begin):
        assert shutil.which(command[0]), f"apt install {command[0]}"
        master, slave = pty.openpty()
        path = f"{programs}:{os.environ['PATH']}"
        env = {**desk.site.environment(), "TERM": "dumb", "PATH": path, "INPUTRC": "/dev/null", "COLUMNS": "100"}
        ends = {"stdin": slave, "stdout": slave, "stderr": slave}
        child = subprocess.Popen(command, **ends, env=env, cwd=tmp_path, start_new_session=True, preexec_fn=_own)
        os.close(slave)
        started.append(Terminal(master, child))
        started[-1].type(f"{begin.format(folder=folder)}; PS1=R'eady> '\n")
        started[-1].until("Ready> ")
        return started[-1]

    yield start
    for terminal in started:
        terminal.child.kill()
        terminal.child.wait()
        os.close(terminal.master)


def _own():
    """The terminal is the shell's own."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def bash(shell):
    return shell(
        "bash", "--norc", "--noprofile", "-i", begin="bind 'set enable-bracketed-paste off'; . {folder}/pco-queue"
    )


def zsh(shell):
    return shell("zsh", "-f", "-i", begin="fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D")


def words(terminal):
    """The words of the line as it stands, as the shell would hand them to the program."""
    terminal.type("\x01printf '<%s>' @\n")
    terminal.until("<@")
    return "<" + terminal.until("Ready> ").removesuffix("Ready> ").rpartition(">")[0] + ">"


@pytest.mark.parametrize("start", [bash, zsh])
def test_tab_writes_the_only_key_that_can_be_approved(desk, shell, start):
    desk.has("WEB-12", title=HOSTILE)
    desk.has("WEB-13", State.POSTED)
    terminal = start(shell)

    terminal.type("pco-queue approve W\t")
    terminal.until("WEB-12")

    assert words(terminal) == "<pco-queue><approve><WEB-12>"


def test_bash_shows_titles_when_it_lists_and_never_writes_them(desk, shell):
    desk.has("WEB-12", title=HOSTILE)
    desk.has("WEB-13", title="Second")
    terminal = bash(shell)

    terminal.type("pco-queue approve w\t")
    terminal.until("WEB-1")
    terminal.type("\t\t")
    listed = terminal.until("WEB-13      Second")

    assert "WEB-12      Fix $(touch evil)[31m; the login" in listed
    assert "\x1b" not in listed
    assert words(terminal) == "<pco-queue><approve><WEB-1>"


def test_zsh_describes_keys_with_their_titles(desk, shell):
    desk.has("WEB-12", title=HOSTILE)
    desk.has("WEB-13", title="Second: of two")
    terminal = zsh(shell)

    terminal.type("pco-queue approve W\t")
    terminal.type("\t")
    listed = terminal.until("Second: of two")

    assert "WEB-12  -- Fix $(touch evil)[31m; the login" in listed
    assert "\x1b[31m" not in listed
    terminal.type("3\t")
    assert words(terminal) == "<pco-queue><approve><WEB-13>"


def test_zsh_completes_what_stands_behind_an_equals_sign(desk, shell):
    terminal = zsh(shell)

    terminal.type("pco-queue list --format=tab\t")
    terminal.until("table")

    assert words(terminal) == "<pco-queue><list><--format=table>"
