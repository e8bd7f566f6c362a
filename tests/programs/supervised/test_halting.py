"""All sessions stopped at once, and what is removed after sessions.

`Switch` stands for systemd, which the tests in tests/system have really.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from pco.commands import halting
from pco.commands.watching import cleaning
from pco.ground.errors import TryLater
from pco.ground.ticket import Note, State
from pco.run import Pco
from support import a_ticket, put


@dataclass
class Switch:
    """What systemd would say of the slice and of its sessions."""

    off: bool = False
    living: frozenset[str] | None = frozenset()
    folders: tuple[str, ...] = ()
    refuse: bool = False
    cleaned: list[str] = field(default_factory=list)

    def halted(self):
        return self.off

    def list(self):
        return self.living

    def kept(self):
        return self.folders

    def clean(self, key):
        if self.refuse:
            raise TryLater("systemd refuses")
        self.cleaned.append(key)


@pytest.fixture
def pco(site):
    pco = Pco("pco-watch")
    pco.config_file = str(site.config)
    return pco


def test_a_stopped_slice_pauses_once_and_a_resume_holds_until_it_is_stopped_again(pco):
    control = pco.spool.control
    halting.heed(pco, Switch(off=True))
    assert control.paused().text == halting.WHY

    control.resume()
    halting.heed(pco, Switch(off=True))
    assert control.paused() is None

    halting.heed(pco, Switch(off=False))
    halting.heed(pco, Switch(off=True))
    assert control.paused()


def test_the_pause_of_a_person_stays_as_it_is(pco):
    control = pco.spool.control
    control.pause(Note(datetime.now(UTC), "alice", "deployment"))

    halting.heed(pco, Switch(off=True))

    assert control.paused().text == "deployment"


def test_a_running_slice_changes_nothing(pco):
    halting.heed(pco, Switch())

    assert pco.spool.control.paused() is None


def dropped(pco, key="WEB-1"):
    (pco.config.paths.sessions / key / "1.1").mkdir(parents=True)
    pco.spool.control.ask_clean(key, "alice", datetime.now(UTC))


def test_all_files_of_a_dropped_ticket_go(pco):
    dropped(pco)
    switch = Switch()

    cleaning.of_dropped(pco, switch)

    assert switch.cleaned == ["WEB-1"]
    assert not (pco.config.paths.sessions / "WEB-1").exists()
    assert pco.spool.control.cleanings() == {}


@pytest.mark.parametrize("switch", [Switch(living=None), Switch(living=frozenset({"WEB-1"})), Switch(refuse=True)])
def test_while_a_session_may_be_there_its_files_stay_and_the_request_too(pco, switch):
    dropped(pco)

    put_off = cleaning.of_dropped(pco, switch)

    assert switch.cleaned == []
    assert put_off == {"WEB-1"}
    assert (pco.config.paths.sessions / "WEB-1").exists()
    assert pco.spool.control.cleanings() == {"WEB-1": "alice"}


def test_the_files_of_a_ticket_that_came_back_stay(pco):
    dropped(pco)
    put(pco.spool, a_ticket("WEB-1"), State.PENDING)
    switch = Switch()

    cleaning.of_dropped(pco, switch)

    assert switch.cleaned == []
    assert pco.spool.control.cleanings() == {}
