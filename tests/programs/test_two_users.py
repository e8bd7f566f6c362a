"""All moves with files of two users and two umasks, as admins of group pco share the spool."""

import os
import shutil
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pco.ground import audit, durable
from pco.ground.errors import NotPermitted
from pco.ground.record import to_bytes
from pco.ground.ticket import Note, State
from pco.spool import MOVES, Spool
from support import T0, a_ticket

GROUP, ALICE, BOB, PCO = 20_000, 20_001, 20_002, 20_003
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="becoming two other users needs root")


@pytest.fixture
def shared():
    """A spool as tmpfiles lays it out: root owns the top, the folders belong to pco, setgid, group-writable."""
    import filelock  # noqa: F401  (loaded before a child becomes somebody who cannot read this installation)

    home = Path(tempfile.mkdtemp(prefix="pco-shared-"))
    home.chmod(0o755)
    spool = Spool(home / "spool", "pco-poll")
    spool.lay_out()
    (home / "audit").mkdir()
    for folder, _, names in os.walk(home / "spool"):
        os.chown(folder, PCO, GROUP)
        os.chmod(folder, 0o2770)
        for name in names:
            os.chown(Path(folder) / name, PCO, GROUP)
            os.chmod(Path(folder) / name, 0o660)
    os.chown(home / "spool", 0, GROUP)
    os.chmod(home / "spool", 0o750)
    os.chown(home / "audit", PCO, GROUP)
    os.chmod(home / "audit", 0o2770)
    yield home
    shutil.rmtree(home)


def become(uid: int, umask: int, act: Callable[[], object], groups: Sequence[int] = (GROUP,)) -> None:
    """Run `act` in a child as `uid`, member of the group."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups(groups)
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.umask(umask)
            act()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


WAYS = [(f, t, m.who[0]) for m in MOVES for f in m.from_ for t in m.to if f and t and m.who != ("*",)]


@needs_root
@pytest.mark.parametrize("umask", [0o022, 0o077], ids=["umask022", "umask077"])
@pytest.mark.parametrize(("from_", "to", "who"), WAYS)
def test_what_one_user_made_another_can_move(shared, umask, from_, to, who):
    def alice_makes():
        Spool(shared / "spool", "pco-poll").create(a_ticket("WEB-1"))

    def somebody_places():
        spool = Spool(shared / "spool", "pco-poll")
        ticket = spool.read("WEB-1")
        os.rename(spool.path("WEB-1", State.PENDING), spool.path("WEB-1", from_))
        if from_ is State.CORRUPT:
            data = to_bytes(replace(ticket, history=()))
            spool.path("WEB-1", from_).write_bytes(data)
            why = f'{{"reason": "x", "from": "{to}", "at": "2026-11-22T12:00:00Z", "by": "x"}}'
            durable.write_new(spool.root / "corrupt" / "WEB-1.why", why.encode())

    def bob_moves():
        spool = Spool(shared / "spool", who)
        if from_ is State.CORRUPT:
            spool.repair("WEB-1")
        else:
            spool.move(spool.read("WEB-1"), to, "bob")
        audit.append(shared / "audit", T0, "moved", "bob", "WEB-1", {})

    def alice_records():
        spool = Spool(shared / "spool", "pco-poll")
        spool.record(replace(spool.read("WEB-1"), notes=(Note(T0, "alice", "seen"),)))
        audit.append(shared / "audit", T0, "note", "alice", "WEB-1", {})

    become(ALICE, umask, alice_makes)
    become(ALICE, umask, somebody_places)
    become(BOB, umask, bob_moves)
    become(ALICE, umask, alice_records)
    spool = Spool(shared / "spool", "pco-poll")
    assert spool.find("WEB-1") is to
    facts = spool.path("WEB-1", to).stat()
    assert (facts.st_mode & 0o777, facts.st_gid) == (0o660, GROUP)


@needs_root
def test_flags_pauses_and_imports_of_one_user_are_taken_by_another(shared):
    def alice():
        control = Spool(shared / "spool", "pco-queue pause").control
        control.wake("launch")
        control.pause(Note(T0, "alice", "x"))
        control.ask_import("WEB-1", "alice", T0)

    def bob():
        control = Spool(shared / "spool", "pco-launch").control
        assert control.awake("launch")
        assert control.paused().by == "alice"
        assert control.resume()
        assert control.imports() == {"WEB-1": "alice"}
        control.imported("WEB-1")

    become(ALICE, 0o077, alice)
    become(BOB, 0o077, bob)


@needs_root
def test_a_member_of_the_group_cannot_remove_the_lock(shared):
    def alice():
        with pytest.raises(PermissionError):
            os.unlink(shared / "spool" / ".lock")

    become(ALICE, 0o022, alice)


@needs_root
def test_who_is_not_in_the_group_is_told_how_to_get_in(shared):
    def ask() -> None:
        with pytest.raises(NotPermitted) as refused:
            Spool(shared / "spool", "pco-queue").check()
        assert "adduser" in refused.value.hint

    become(BOB, 0o022, ask, groups=())
