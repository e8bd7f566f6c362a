"""Native records, as a journal receives them."""

import fcntl
import os
import socket
import struct
import time
from pathlib import Path

import pytest

from pco.outside import journal
from pco.outside.journal import Journal


@pytest.fixture
def heard(tmp_path):
    """A socket like that of the journal; `.path` is what send() is given."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(str(tmp_path / "socket"))
        ours.settimeout(5)
        yield ours


def path(heard: socket.socket) -> str:
    return str(heard.getsockname())


def fields(record: bytes) -> dict[str, str]:
    """Read a record as the protocol says."""
    found = {}
    while record:
        line, _, record = record.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (size,) = struct.unpack("<Q", record[:8])
            value, record = record[8 : 8 + size], record[8 + size + 1 :]
        found[name.decode()] = value.decode()
    return found


def test_a_record_has_its_message_and_each_field(heard):
    sent = Journal(path(heard)).send("WEB-12: approved -> active", {"PRIORITY": 6, "PCO_KEY": "WEB-12"})

    assert sent
    assert heard.recv(1 << 16) == b"MESSAGE=WEB-12: approved -> active\nPRIORITY=6\nPCO_KEY=WEB-12\n"


def test_a_message_of_several_lines_stays_one_field(heard):
    Journal(path(heard)).send("one\nPCO_KEY=FORGED-1", {"PCO_KEY": "WEB-12"})

    assert fields(heard.recv(1 << 16)) == {"MESSAGE": "one\nPCO_KEY=FORGED-1", "PCO_KEY": "WEB-12"}


def test_a_value_cannot_forge_a_field_nor_bring_control_characters(heard):
    Journal(path(heard)).send("red \x1b[31m\u202eevil\x00", {"PCO_STATE": "active\nPCO_KEY=FORGED-1\x1b]0;x\x07"})

    record = fields(heard.recv(1 << 16))
    assert record == {"MESSAGE": "red [31mevil", "PCO_STATE": "active PCO_KEY=FORGED-1]0;x"}


def test_an_empty_value_is_left_out(heard):
    Journal(path(heard)).send("x", {"PCO_KEY": "", "PCO_ROUND": 0})

    assert fields(heard.recv(1 << 16)) == {"MESSAGE": "x", "PCO_ROUND": "0"}


def test_a_name_that_is_no_field_name_is_a_bug():
    for name in ("_PID", "lower", "A=B", "", "A\n", "X" * 65):
        with pytest.raises(ValueError, match="no name"):
            journal.encode("x", {name: "1"})


def test_a_large_record_comes_as_a_sealed_file(heard):
    message = "é" * 500_000

    sent = Journal(path(heard)).send(message, {"PCO_KEY": "WEB-12"})

    data, (descriptor,), _, _ = socket.recv_fds(heard, 1 << 16, 1)
    with open(descriptor, "rb") as file:
        seals = fcntl.fcntl(file, fcntl.F_GET_SEALS)
        file.seek(0)
        record = file.read()
    assert sent
    assert data == b""
    assert seals == 15
    assert fields(record) == {"MESSAGE": message, "PCO_KEY": "WEB-12"}


def test_without_a_journal_the_caller_is_told(tmp_path):
    dead = tmp_path / "dead"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as gone:
        gone.bind(str(dead))

    assert not Journal(str(tmp_path / "absent")).send("x", {})
    assert not Journal(str(dead)).send("x", {})
    assert not Journal(str(tmp_path / ("long" * 50))).send("x", {})


def test_a_journal_that_does_not_read_costs_its_patience_once(heard, monkeypatch):
    monkeypatch.setattr(journal, "PATIENCE", 0.5)
    full = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text()) + 1
    sender, before = Journal(path(heard)), time.monotonic()

    answers = [sender.send("x", {}) for _ in range(full + 40)]

    assert answers[0]
    assert not any(answers[full:])
    assert time.monotonic() - before < 40 * 0.5
    heard.recv(1 << 16)
    assert not sender.send("x", {})
    monkeypatch.setattr(sender, "_deaf_until", time.monotonic())
    assert sender.send("x", {})


def test_no_descriptor_is_left_open(heard):
    before = len(os.listdir("/proc/self/fd"))

    Journal(path(heard)).send("x" * 900_000, {})
    Journal("/nowhere").send("x", {})

    assert len(os.listdir("/proc/self/fd")) == before
