"""Every command of pco-runbook(7), typed as it stands there into a machine with a pco that works."""

import re
from collections.abc import Iterator

import pytest
from inside import REPOSITORY
from installed import CONFIG, TOKEN, WEB, Installed, booted

from support import TOP

PAGE = (TOP / "share/man/pco-runbook.7.md").read_text()
COMMANDS = list(dict.fromkeys(re.findall(r"^    ([$#] .+)$", PAGE, re.M)))
# What asks a person, or takes over the terminal: the same with an answer, or for its options only.
ANSWERED = {
    "pco-setup": "pco-setup --help",
    "pco-setup --token-file /root/new-token": "pco-setup --yes --token-file /root/new-token",
    "pco-setup --agent-key-file /root/new-key": "pco-setup --help | grep -e --agent-key-file",
    "pco-queue attach WEB-12": "pco-queue attach --help",
}
# Exit codes that are an answer, not a failure: boxes that failed, units that do not run now, tickets in another state.
ANSWERS = {"pco-doctor": (0, 65), "systemctl --no-pager status": (0, 3), "systemctl is-active": (0, 3)}
ANSWERS |= {"pco-queue retry": (0, 65), "pco-queue repair": (0, 65), "pco-queue add": (0, 65, 75)}
ANSWERS |= {
    "pco-queue rework": (0, 65),
    "pco-queue diff": (0, 65),
    "pco-queue release": (0, 65),
    "pco-queue approve": (0, 65),
}
# It is no empty pco: what would be done is said, and not done.
ANSWERS |= {"pco-restore --": (0,), "pco-restore": (65, 75)}
ANSWERS |= {"pco-notify --test": (0, 69, 75, 78)}  # nobody is to be told there
# The site's own web server is tests/system/test_nginx.py's; here is none.
NO_NGINX = re.compile(r"nginx")


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own: a pco that has polled, with one ticket that went some of the way."""
    with booted("b") as pco:
        pco.configure()
        pco.host.exec("bash", "-c", REPOSITORY)
        pco.host.write("/srv/agent", "#!/bin/sh\npco-complete done\n", "755")
        pco.host.write("/etc/pco/pco.yaml", CONFIG.replace("[/bin/true]", "[/srv/agent]"))
        pco.host.write("/root/new-token", TOKEN, "600")
        pco.host.exec("useradd", "bob")
        pco.simulate()
        pco.host.systemctl("enable", "--now", "pco.target")
        seen = f"/var/lib/pco/plane/{WEB}/head.json"
        pco.wait("the first poll", lambda: not pco.host.exec("test", "-e", seen, code=None).returncode)
        yield pco


@pytest.fixture(scope="module")
def key(pco: Installed) -> str:
    """A ticket for WEB-12 to stand for."""
    key = pco.maria("maria.key(maria.create('Do it', state='Todo'))")
    pco.wait("the ticket", lambda: pco.states().get(key) == "pending")
    return key


def test_the_page_has_commands_for_both_kinds_of_people() -> None:
    assert {command[0] for command in COMMANDS} == {"$", "#"}
    assert len(COMMANDS) > 60
    assert set(ANSWERED) <= {command[2:] for command in COMMANDS}


@pytest.mark.parametrize("command", [c for c in COMMANDS if not NO_NGINX.search(c)])
def test_a_command_of_the_runbook_works_as_it_stands_there(pco: Installed, key: str, command: str) -> None:
    words = ANSWERED.get(command[2:], command[2:]).replace("WEB-12", key)
    codes = next((codes for begin, codes in ANSWERS.items() if words.startswith(begin)), (0,))
    who = "root" if command[0] == "#" else "alice"

    done = pco.host.exec("runuser", "-u", who, "--", "bash", "-c", f"cd /; {words}", code=None)

    assert done.returncode in codes, f"exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr
    assert not re.search(r"No such (?:option|command)|Unknown", done.stderr), done.stderr
