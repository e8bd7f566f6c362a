"""Where the words of a program go, and what the journal is told beside them."""

import json
import os
import socket
import struct
from contextlib import contextmanager, redirect_stderr

import pytest

from pco.command import configure
from pco.ground import audit
from pco.ground.config import Config, Log, Paths
from pco.ground.errors import TryLater
from pco.ground.ticket import Attempt, Entry, State
from pco.outside import journal
from pco.run import LEVELS, Pco
from pco.voice import Voice
from support import T0, a_ticket

HOSTILE = "evil\n<0>PCO_USER=root\x1b]0;x\x07\u202e\x00"


@pytest.fixture
def heard(tmp_path, monkeypatch):
    """A journal of our own in place of the machine's; `heard()` is what it was told, as fields with their values."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(str(tmp_path / "socket"))
        ours.setblocking(False)
        monkeypatch.setattr(journal.Journal.__init__, "__defaults__", (str(tmp_path / "socket"),))
        yield lambda: list(received(ours))


def received(ours):
    while True:
        try:
            record = ours.recv(1 << 16)
        except BlockingIOError:
            return
        yield record


def fields(record: bytes) -> dict[str, list[str]]:
    """The lines of a record of values without line breaks."""
    found: dict[str, list[str]] = {}
    for line in record.decode().splitlines():
        name, equals, value = line.partition("=")
        assert equals, record
        found.setdefault(name, []).append(value)
    return found


@pytest.fixture
def unit(tmp_path, monkeypatch):
    """`with unit as said`: standard error is the stream that JOURNAL_STREAM names; `said()` is what came into it."""

    @contextmanager
    def in_unit():
        with open(tmp_path / "stream", "w") as stream, redirect_stderr(stream):
            found = os.fstat(stream.fileno())
            monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
            yield (tmp_path / "stream").read_text

    return in_unit()


def a_pco(tmp_path, program="pco-watch", root=False, level="info"):
    """A program of a pco whose paths are given one by one, as on a machine, or by a root."""
    pco = Pco(program)
    (tmp_path / "audit").mkdir(exist_ok=True)
    for name in ("notify", "wake"):
        (tmp_path / "spool" / name).mkdir(parents=True, exist_ok=True)
    paths = Paths(audit=tmp_path / "audit", spool=tmp_path / "spool", root=tmp_path if root else None)
    pco.config = Config(paths=paths, log=Log(level))
    return pco


def a_moved_ticket(**changes):
    """WEB-12 in its second attempt, that alice has just approved."""
    ticket = a_ticket(
        "WEB-12", state=State.APPROVED, history=(Entry(T0, "pending", "approved", "alice", 1),), **changes
    )
    return ticket.with_round(attempts=(Attempt(1, T0), Attempt(2, T0)))


def failed_ticket():
    return a_ticket("WEB-12", state=State.FAILED, history=(Entry(T0, "active", "failed", "pco", 1),))


def test_in_a_unit_an_announcement_is_one_record_with_fields_and_no_line(tmp_path, heard, unit):
    with unit as said:
        a_pco(tmp_path).announce("moved", a_moved_ticket(), {"attempt": 2})

    (record,) = heard()
    (line,) = next((tmp_path / "audit").glob("*.jsonl")).read_bytes().splitlines()
    assert fields(record) == {
        "MESSAGE": ["WEB-12: pending -> approved round=1 attempt=2"],
        "PRIORITY": ["6"],
        "SYSLOG_IDENTIFIER": ["pco-watch"],
        "PCO_KEY": ["WEB-12"],
        "PCO_PROJECT": ["WEB"],
        "PCO_USER": ["alice"],
        "MESSAGE_ID": ["055dc530d67743af83b0ea975e07d994"],
        "PCO_STATE": ["approved"],
        "PCO_ROUND": ["1"],
        "PCO_ATTEMPT": ["2"],
        "PCO_AUDIT": [audit.line_hash(line)],
    }
    assert said() == ""


def test_an_error_about_several_tickets_is_found_by_each_and_has_its_hint(tmp_path, heard, unit):
    with unit as said:
        a_pco(tmp_path).fail(TryLater("no answer; stay approved", "is it up?"), "WEB-12 WEB-13")

    (record,) = heard()
    message = b"WEB-12 WEB-13: no answer; stay approved\n(is it up?)"
    assert record.startswith(b"MESSAGE\n" + struct.pack("<Q", len(message)) + message + b"\nPRIORITY=3\n")
    assert b"\nPCO_KEY=WEB-12\nPCO_KEY=WEB-13\nPCO_PROJECT=WEB\n" in record
    assert said() == ""


def test_where_no_journal_takes_it_the_lines_come_with_their_priority(tmp_path, monkeypatch, unit):
    monkeypatch.setattr(journal.Journal.__init__, "__defaults__", (str(tmp_path / "absent"),))

    with unit as said:
        a_pco(tmp_path).fail(TryLater("no answer", "is it up?"), "WEB-12")

    assert said() == "<3>WEB-12: no answer\n<3>(is it up?)\n"


def test_a_hostile_line_cannot_bring_a_priority_of_its_own_into_the_stream(tmp_path, monkeypatch, unit):
    monkeypatch.setattr(journal.Journal.__init__, "__defaults__", (str(tmp_path / "absent"),))

    with unit as said:
        a_pco(tmp_path).fail(TryLater(HOSTILE, HOSTILE), "WEB-12")

    assert [line[:3] for line in said().splitlines()] == ["<3>", "<3>"]
    assert "\x1b" not in said()


def test_a_unit_whose_standard_error_is_led_elsewhere_writes_lines_as_for_a_person(tmp_path, heard, unit):
    with unit as said, open(tmp_path / "elsewhere", "w") as stream, redirect_stderr(stream):
        a_pco(tmp_path).log("warning", "hello", "WEB-12")

    assert heard() == []
    assert said() == ""
    assert (tmp_path / "elsewhere").read_text() == "pco-watch: WEB-12: hello\n"


@pytest.mark.parametrize("value", ["", "nonsense", "1:2", "0:0:0"])
def test_a_stream_that_is_not_named_is_no_journal(monkeypatch, value):
    monkeypatch.setenv("JOURNAL_STREAM", value)

    assert not Voice("pco-poll").streams


def test_what_a_person_does_in_a_shell_is_in_the_journal_and_not_on_the_terminal(tmp_path, heard, capfd):
    pco = a_pco(tmp_path, "pco-queue")

    pco.announce("moved", a_moved_ticket())
    pco.announce("set aside", None, {"key": "WEB-12"})
    pco.fail(TryLater("that went wrong"), "WEB-12")

    assert [fields(record)["PCO_KEY"] for record in heard()] == [["WEB-12"], ["WEB-12"]]
    assert capfd.readouterr().err == "pco-queue: WEB-12: that went wrong\n"


def test_a_pco_with_a_root_of_its_own_stays_out_of_the_machines_journal(tmp_path, heard):
    a_pco(tmp_path, "pco-queue", root=True).announce("moved", a_moved_ticket())

    assert heard() == []


@pytest.mark.parametrize("level", ["warning", "error"])
@pytest.mark.parametrize("program", ["pco-queue", "pco-watch"])
def test_what_is_audited_the_journal_is_told_of_whatever_the_level(tmp_path, heard, unit, capfd, program, level):
    a_pco(tmp_path, program, level=level).announce("moved", a_moved_ticket())
    with unit as said:
        a_pco(tmp_path, program, level=level).announce("moved", a_moved_ticket())
        a_pco(tmp_path, program, level=level).log("info", "so much for that")
        assert said() == ""

    lines = next((tmp_path / "audit").glob("*.jsonl")).read_bytes().splitlines()
    assert [fields(record)["PCO_AUDIT"] for record in heard()] == [[audit.line_hash(line)] for line in lines]
    assert capfd.readouterr().err == ""


def test_a_private_pco_tells_the_journal_nothing_that_its_level_keeps_out(tmp_path, heard, unit):
    with unit:
        a_pco(tmp_path, root=True, level="warning").announce("moved", a_moved_ticket())
        a_pco(tmp_path, root=True, level="warning").announce("moved", failed_ticket())

    assert [fields(record)["PCO_STATE"] for record in heard()] == [["failed"]]


def test_the_environment_goes_before_the_configuration_and_options_go_before_both(tmp_path, monkeypatch):
    monkeypatch.setenv("PCO_LOG_LEVEL", "debug")
    loud, quiet = a_pco(tmp_path, level="error"), a_pco(tmp_path)

    configure(loud, None, verbose=0, quiet=False, color="auto")
    configure(quiet, None, verbose=0, quiet=True, color="auto")

    assert (loud._threshold(), quiet._threshold()) == (LEVELS["debug"], LEVELS["error"])


def test_a_wrong_level_in_the_environment_is_said_once_and_passed_over(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("PCO_LOG_LEVEL", "loud\x1b[31m")
    pco = a_pco(tmp_path, level="error")

    for _ in range(2):
        configure(pco, None, verbose=0, quiet=False, color="auto")

    assert pco._threshold() == LEVELS["error"]
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("pco-watch: PCO_LOG_LEVEL='loud")
    assert "debug, info, warning, error" in line
    assert "\x1b" not in line


def test_nothing_hostile_becomes_a_field_of_its_own_or_a_control_character(tmp_path, heard, unit):
    with unit:
        pco = a_pco(tmp_path)
        pco.announce("held", a_moved_ticket(title=HOSTILE), {"why": HOSTILE, "by": HOSTILE})
        pco.fail(TryLater(HOSTILE), f"WEB-12\n{HOSTILE}")
        pco.log("warning", HOSTILE, HOSTILE)

    records = heard()
    assert len(records) == 3
    for record in records:
        assert not set(record) & (set(range(0x20)) - {0x0A})
        assert "\u202e" not in record.decode()
        assert "PCO_USER=root" not in record.decode().splitlines()
        assert len(fields(record)["MESSAGE"]) == 1
    assert fields(records[0])["PCO_USER"] == ["evil <0>PCO_USER=root]0;x"]


def test_what_has_no_record_is_found_by_its_key_all_the_same(tmp_path, heard, unit):
    with unit:
        a_pco(tmp_path).announce(
            "set aside", None, {"key": "WEB-12", "from": "pending", "to": "corrupt", "why": "torn"}
        )

    (record,) = heard()
    assert fields(record)["MESSAGE"] == ["WEB-12: set aside from=pending to=corrupt why=torn"]
    assert (fields(record)["PCO_KEY"], fields(record)["PCO_STATE"]) == (["WEB-12"], ["corrupt"])
    (line,) = (path.read_text() for path in (tmp_path / "audit").iterdir())
    assert json.loads(line)["key"] == "WEB-12"
