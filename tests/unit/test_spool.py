"""Promise 1: no ticket is lost; and every move is one of the table."""

import json
import os
from dataclasses import replace
from datetime import timedelta

import pytest

from pco.ground.errors import BadConfig, BadData, SystemFault, TryLater
from pco.ground.record import to_bytes
from pco.ground.ticket import FINISHED, Note, Round, State, Trigger
from pco.spool import MOVES, Spool, Stale, allowed
from support import T0, a_ticket, bound, closed, put

EVERY = tuple(State)


def files(spool: Spool) -> dict[str, str]:
    """Every ticket file there is: key -> state."""
    return {p.stem: p.parent.name for s in State for p in (spool.root / s).glob("*.json")}


def test_a_new_ticket_is_pending_and_its_file_can_be_shared(spool):
    os.umask(0o077)
    spool.create(a_ticket("WEB-1"))
    path = spool.path("WEB-1", State.PENDING)
    assert files(spool) == {"WEB-1": "pending"}
    assert path.stat().st_mode & 0o777 == 0o660
    assert list((spool.root / "tmp").iterdir()) == []


@pytest.mark.parametrize("state", EVERY)
def test_a_key_is_in_one_state_only(spool, state):
    put(spool, a_ticket("WEB-1"), state)
    with pytest.raises(FileExistsError):
        spool.create(a_ticket("WEB-1", uuid="another"))
    assert files(spool) == {"WEB-1": state.value}


def test_a_batch_leaves_out_the_keys_that_are_taken(spool):
    spool.create(a_ticket("WEB-3", title="first"))
    made = spool.create_all([a_ticket(f"WEB-{n}") for n in range(1, 251)])
    assert len(made) == 249
    assert spool.count(State.PENDING) == 250
    assert spool.read("WEB-3").title == "first"
    assert list((spool.root / "tmp").iterdir()) == []


def test_two_tickets_of_one_key_in_a_batch_make_one(spool):
    made = spool.create_all([a_ticket("WEB-1", title="a"), a_ticket("WEB-1", title="b")])
    assert len(made) == 1
    assert spool.read("WEB-1").title == made[0].title


@pytest.mark.parametrize(
    "key", ["web-1", "../WEB-1", "WEB-1/..", "WEB-", "-1", "WEB-1234567890", "A" * 13 + "-1", "WÉB-1", "WEB-1\n", ""]
)
def test_what_is_no_key_never_becomes_a_path(spool, key):
    for act in (spool.find, spool.read, spool.drop, lambda k: spool.path(k, State.PENDING)):
        with pytest.raises(BadData):
            act(key)


def test_what_lies_there_and_is_no_ticket_is_not_counted(spool):
    for name in ("notes.txt", "web-1.json", ".hidden.json", "WEB-1.json.swp", "WEB-1"):
        (spool.root / "pending" / name).write_text("x")
    assert spool.keys(*EVERY) == []
    assert len(spool.strangers()) == 5


@pytest.mark.parametrize("from_", [None, *EVERY])
@pytest.mark.parametrize("to", EVERY)
def test_a_move_that_the_table_does_not_have_is_refused(site, from_, to):
    movers = {who for m in MOVES for who in m.who} - {"*"}
    for who in movers:
        in_table = any(from_ in m.from_ and to in m.to and (who in m.who or m.who == ("*",)) for m in MOVES)
        assert allowed(from_, to, who) == in_table
    spool = site.spool("pco-nobody")
    if from_ is not None and to is not State.CORRUPT:
        ticket = put(spool, a_ticket("WEB-1"), from_)
        with pytest.raises(ValueError, match="may not move"):
            spool.move(ticket, to)
        assert files(spool) == {"WEB-1": from_.value}


def every_way():
    return [(f, t, who) for m in MOVES for f in m.from_ for t in m.to for who in m.who if f and t and who != "*"]


@pytest.mark.parametrize(("from_", "to", "who"), every_way())
def test_every_move_of_the_table_is_made_whole(site, from_, to, who):
    spool = site.spool(who)
    ticket = put(spool, a_ticket("WEB-1"), from_)
    if from_ is State.CORRUPT:
        why = {"reason": "torn", "from": to.value, "at": "2026-11-22T12:00:00Z", "by": "pco-poll"}
        (spool.root / "corrupt" / "WEB-1.why").write_text(json.dumps(why))
        spool.path("WEB-1", State.CORRUPT).write_bytes(to_bytes(replace(ticket, history=ticket.history[:-1])))
        moved = spool.repair("WEB-1")
    else:
        moved = spool.move(ticket, to, "alice", "because")
        last = spool.read("WEB-1").history[-1]
        assert (last.from_, last.to, last.by, last.why) == (from_, to, "alice", "because")
        assert moved.rev == ticket.rev + 1
    assert files(spool) == {"WEB-1": to.value}
    assert moved == spool.read("WEB-1")


def test_who_was_slower_is_told_and_changes_nothing(site):
    one, other = site.spool("pco-queue approve"), site.spool("pco-queue reject")
    one.index.recount(State.REJECTED)
    put(one, a_ticket("WEB-1"), State.PENDING)
    mine, theirs = one.read("WEB-1"), other.read("WEB-1")
    other.record(replace(theirs, title="changed"))
    with pytest.raises(Stale):
        one.move(mine, State.APPROVED)
    with pytest.raises(Stale):
        one.record(mine)
    other.move(other.read("WEB-1"), State.REJECTED)
    with pytest.raises(Stale):
        one.move(one.read("WEB-1") and mine, State.APPROVED)
    assert files(one) == {"WEB-1": "rejected"}


def test_an_update_judges_what_is_there_now(site):
    spool = site.spool("pco-queue approve")
    put(spool, a_ticket("WEB-1"), State.PENDING)
    spool.record(replace(spool.read("WEB-1"), title="newer"))
    moved = spool.update("WEB-1", lambda t: (replace(t, notes=(Note(T0, "a", t.title),)), State.APPROVED), "alice")
    assert moved.notes[0].text == "newer"
    assert spool.update("WEB-1", lambda t: None) == moved
    with pytest.raises(KeyError):
        spool.update("WEB-9", lambda t: None)


def test_a_record_is_replaced_never_written_in_place(spool):
    ticket = spool.create(a_ticket("WEB-1"))
    before = spool.path("WEB-1", State.PENDING)
    with open(before, "rb") as reader:
        spool.record(replace(ticket, title="new"))
        assert json.loads(reader.read())["title"] == ticket.title


def test_a_state_that_cannot_be_looked_into_is_not_taken_for_one_without_the_ticket(spool):
    put(spool, a_ticket("WEB-1"), State.APPROVED)

    with bound(), closed(spool.root / State.APPROVED), pytest.raises(SystemFault, match="Permission denied"):
        spool.find("WEB-1")


def test_a_missing_spool_is_a_matter_of_configuration_and_not_recreated(tmp_path):
    spool = Spool(tmp_path / "nowhere", "pco-poll")
    for act in (spool.check, lambda: spool.create(a_ticket("WEB-1")), lambda: list(spool.tickets(*EVERY))):
        with pytest.raises((BadConfig, SystemFault)):
            act()
    assert not (tmp_path / "nowhere").exists()


def test_a_removed_lock_file_is_not_made_anew(spool):
    (spool.root / ".lock").unlink()
    with pytest.raises(BadConfig):
        spool.create(a_ticket("WEB-1"))
    assert not (spool.root / ".lock").exists()


def test_a_held_lock_ends_in_try_later(site):
    holder = site.spool()
    other = Spool(site.home / "spool", "pco-poll", patience=timedelta(milliseconds=50))
    with holder.lock(), holder.lock():
        pid = os.fork()
        if pid == 0:
            try:
                other.create(a_ticket("WEB-1"))
            except TryLater:
                os._exit(75)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 75
    assert files(holder) == {}


@pytest.mark.parametrize("patience", [timedelta(0), timedelta(seconds=0.1)])
@pytest.mark.parametrize("others", [timedelta(0), timedelta(seconds=0.1)])
def test_who_waits_for_a_lock_and_who_does_not_keep_each_other_out(site, patience, others):
    with site.spool().alone(patience):
        with pytest.raises(TryLater, match=r"\.poll\.lock is held by another program"), site.spool().alone(others):
            pass
    with site.spool().alone(others):
        pass


def test_a_lock_that_is_had_at_once_may_be_nested_by_its_holder(site):
    holder = Spool(site.home / "spool", "pco-poll", patience=timedelta(0))
    with holder.lock(), holder.lock():
        pass
    with holder.lock():
        other = Spool(site.home / "spool", "pco-poll", patience=timedelta(0))
        with pytest.raises(TryLater), other.lock():
            pass


def test_a_lock_that_is_had_at_once_is_no_link_and_says_when_it_was_taken(site):
    lock = site.home / "spool" / ".poll.lock"
    os.utime(lock, (1, 1))
    with site.spool().alone():
        assert lock.stat().st_mtime > 1
    lock.rename(lock.with_name("elsewhere"))
    lock.symlink_to("elsewhere")
    with pytest.raises(SystemFault), site.spool().alone():
        pass


def test_readers_take_no_lock(site):
    site.spool().create(a_ticket("WEB-1"))
    reader = Spool(site.home / "spool", "pco-queue list", patience=timedelta(0))
    with site.spool().lock():
        assert [t.key for t in reader.tickets(*EVERY)] == ["WEB-1"]
        assert reader.count(State.PENDING) == 1


class TestCorrupt:
    def torn(self, spool, key="WEB-1", content=b'{"schema": 1, "ti'):
        spool.path(key, State.APPROVED).write_bytes(content)

    def test_is_said_by_a_reader_and_moved_by_nobody_without_the_lock(self, spool):
        self.torn(spool)
        said = []
        assert list(spool.tickets(*EVERY, trouble=lambda key, error: said.append(key))) == []
        assert said == ["WEB-1"]
        assert files(spool) == {"WEB-1": "approved"}

    def test_is_set_aside_with_its_reason_and_blocks_its_key(self, spool):
        self.torn(spool)
        spool.set_aside("WEB-1", State.APPROVED, "torn")
        aside = spool.aside("WEB-1")
        assert (aside.reason, aside.from_, aside.by) == ("torn", State.APPROVED, "pco-poll")
        with pytest.raises(FileExistsError):
            spool.create(a_ticket("WEB-1"))

    def test_goes_back_where_it_came_from_once_it_is_readable(self, site):
        self.torn(site.spool())
        site.spool().set_aside("WEB-1", State.APPROVED, "torn")
        spool = site.spool("pco-queue repair")
        with pytest.raises(BadData):
            spool.repair("WEB-1")
        spool.path("WEB-1", State.CORRUPT).write_bytes(to_bytes(a_ticket("WEB-1")))
        assert spool.repair("WEB-1").state is State.APPROVED
        assert files(spool) == {"WEB-1": "approved"}
        assert not (spool.root / "corrupt" / "WEB-1.why").exists()

    def test_what_was_mended_meanwhile_is_not_set_aside(self, spool):
        put(spool, a_ticket("WEB-1"), State.APPROVED)
        spool.set_aside("WEB-1", State.APPROVED, "torn")
        assert files(spool) == {"WEB-1": "approved"}

    def test_of_an_active_ticket_only_pco_watch_may(self, site):
        site.spool().path("WEB-1", State.ACTIVE).write_bytes(b"{")
        with pytest.raises(ValueError, match="may not move"):
            site.spool("pco-poll").set_aside("WEB-1", State.ACTIVE, "torn")
        site.spool("pco-watch").set_aside("WEB-1", State.ACTIVE, "torn")

    @pytest.mark.parametrize("plant", ["link", "folder", "fifo", "other key", "huge"])
    def test_covers_links_folders_fifos_and_foreign_records(self, spool, tmp_path, plant):
        path = spool.path("WEB-1", State.PENDING)
        match plant:
            case "link":
                (tmp_path / "t.json").write_bytes(to_bytes(a_ticket("WEB-1")))
                path.symlink_to(tmp_path / "t.json")
            case "folder":
                path.mkdir()
            case "fifo":
                os.mkfifo(path)
            case "other key":
                path.write_bytes(to_bytes(a_ticket("WEB-2")))
            case "huge":
                with open(path, "wb") as file:
                    file.truncate(1 << 30)
        with pytest.raises(BadData):
            spool.read("WEB-1")
        spool.set_aside("WEB-1", State.PENDING, plant)
        assert spool.find("WEB-1") is State.CORRUPT

    def test_a_newer_schema_is_not_corrupt_and_stays_where_it_is(self, spool):
        record = {**json.loads(to_bytes(a_ticket("WEB-1"))), "schema": 99}
        self.torn(spool, content=json.dumps(record).encode())
        with pytest.raises(BadConfig):
            spool.read("WEB-1")
        with pytest.raises(BadConfig):
            spool.set_aside("WEB-1", State.APPROVED, "new")
        assert files(spool) == {"WEB-1": "approved"}

    def test_drop_removes_it_for_good(self, site):
        self.torn(site.spool())
        site.spool().set_aside("WEB-1", State.APPROVED, "torn")
        site.spool("pco-queue drop").drop("WEB-1")
        assert list((site.home / "spool" / "corrupt").iterdir()) == []


class TestIndex:
    def finish(self, site, key, to=State.POSTED):
        spool = site.spool("pco-post")
        put(spool, a_ticket(key), State.OUTBOX)
        return spool.move(spool.read(key), to)

    def test_counts_finished_tickets_without_listing_them(self, site):
        self.finish(site, "WEB-1")
        self.finish(site, "WEB-2")
        spool = site.spool()
        assert spool.count(State.POSTED) == 2
        assert json.loads((spool.root / "index" / "counts.json").read_text())["posted"][0] == 2

    def test_a_file_moved_by_hand_is_counted_too(self, site):
        self.finish(site, "WEB-1")
        spool = site.spool()
        os.rename(spool.path("WEB-1", State.POSTED), spool.path("WEB-1", State.REJECTED))
        assert (spool.count(State.POSTED), spool.count(State.REJECTED)) == (0, 1)
        self.finish(site, "WEB-2")
        assert (spool.count(State.POSTED), spool.count(State.REJECTED)) == (1, 1)

    def test_a_month_lists_what_finished_and_was_not_reopened(self, site):
        self.finish(site, "WEB-1")
        ticket = self.finish(site, "WEB-2")
        month = f"{ticket.entered():%Y-%m}"
        spool = site.spool("pco-queue reopen")
        assert [f.key for f in spool.index.month(month)] == ["WEB-2", "WEB-1"]
        again = replace(ticket, rounds=(*ticket.rounds, Round(2, Trigger("reopen", T0))))
        spool.move(again, State.PENDING)
        assert [f.key for f in spool.index.month(month)] == ["WEB-1"]

    def test_is_made_anew_when_it_is_gone(self, site):
        for n in range(5):
            self.finish(site, f"WEB-{n}")
        spool = site.spool()
        before = [spool.index.month(m) for m in spool.index.months()]
        for path in (spool.root / "index").iterdir():
            path.unlink()
        assert not spool.index.whole()
        assert spool.count(State.POSTED) == 5
        with spool.lock():
            spool.index.rebuild()
        assert [spool.index.month(m) for m in spool.index.months()] == before

    @pytest.mark.parametrize("junk", ["", "{", "[]", '{"posted": "x"}', '{"posted": [1]}', "\x00"])
    def test_junk_in_it_only_costs_time(self, site, junk):
        self.finish(site, "WEB-1")
        (site.home / "spool" / "index" / "counts.json").write_text(junk)
        assert site.spool().count(State.POSTED) == 1
        self.finish(site, "WEB-2")
        assert site.spool().count(State.POSTED) == 2


class TestControl:
    def test_a_flag_is_set_once_and_taken_once(self, spool):
        spool.control.wake("launch")
        spool.control.wake("launch")
        assert spool.control.awake("launch")
        assert not spool.control.awake("launch")

    def test_a_pause_says_who_and_why(self, spool):
        assert spool.control.paused() is None
        spool.control.pause(Note(T0, "alice", "deployment"))
        assert spool.control.paused() == Note(T0, "alice", "deployment")
        assert spool.control.resume()
        assert not spool.control.resume()

    def test_a_torn_pause_is_a_pause(self, spool):
        (spool.root / "control" / "pause").write_text("{")
        assert spool.control.paused().by == "?"

    def test_an_import_is_asked_by_key_only(self, spool):
        spool.control.ask_import("WEB-7", "alice", T0)
        (spool.root / "control" / "import" / "..junk").write_text("x")
        assert spool.control.imports() == {"WEB-7": "alice"}
        with pytest.raises(BadData):
            spool.control.ask_import("../../x", "alice", T0)
        spool.control.imported("WEB-7")
        assert spool.control.imports() == {}

    def test_what_a_crash_left_in_tmp_goes_after_a_day(self, spool):
        old, new = spool.root / "tmp" / "WEB-1.77", spool.root / "tmp" / "WEB-2.78"
        old.write_text("x")
        new.write_text("x")
        os.utime(old, (0, 0))
        assert spool.control.sweep() == ["WEB-1.77"]
        assert new.exists()


def test_finished_states_are_those_that_grow():
    assert FINISHED == (State.POSTED, State.REJECTED)
